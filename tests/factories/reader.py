"""Pages as browsers without scripts read them."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from tests.conftest import Browser
from tests.factories.people import HTML, form_token


@dataclass
class Reader:
    """A browser without scripts."""

    browser: Browser

    async def page(self, url: str, status: int = 200) -> str:
        """Return a page as it came."""
        async with self.browser.get(url, headers=HTML) as answer:
            text = await answer.text()
            assert answer.status == status, text[-3000:]
            return text

    async def words(self, url: str, status: int = 200) -> str:
        """Return what stands in the middle of a page, without tags."""
        return plain(await self.page(url, status))

    async def rows(self, url: str) -> list[str]:
        """Return the ids of the rows that a list shows, in order."""
        return re.findall(r'<tr data-row="([^"]+)"', await self.page(url))

    async def send(self, page: str, url: str, status: int = 303, **fields: Any) -> str:
        """Post a form with the token of a page; return where it leads, or the page that came instead."""
        data = {"csrf": await form_token(self.browser, page), **fields}
        async with self.browser.post(url, data=data, headers=HTML, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, text[-3000:]
            return answer.headers["Location"] if status == 303 else text


def plain(text: str) -> str:
    """Return the words of a page's main part."""
    main = text.partition("<main")[2].partition("</main>")[0] or text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())
