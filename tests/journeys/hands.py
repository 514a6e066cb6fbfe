"""Two ways to use a page: a mouse, and a keyboard that goes where Tab leads and nowhere else."""

from dataclasses import dataclass
from typing import Final, Protocol

from playwright.async_api import Locator, Page

_MOST_STOPS: Final = 800
_HERE: Final = "node => node === document.activeElement"
#: Whether somebody who looks at the page sees where they are.
_SEEN: Final = """node => {
    const drawn = (one) => { const style = getComputedStyle(one);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none"; };
    return drawn(node) || (node.closest("label, summary") !== null && drawn(node.closest("label, summary")));
}"""


class Hand(Protocol):
    """What a person does with a page, by whatever means."""

    @property
    def page(self) -> Page: ...

    async def press(self, what: Locator) -> None: ...

    async def tick(self, what: Locator) -> None: ...

    async def write(self, what: Locator, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Mouse:
    """Points and clicks."""

    page: Page

    async def press(self, what: Locator) -> None:
        await what.click()

    async def tick(self, what: Locator) -> None:
        await what.click()

    async def write(self, what: Locator, text: str) -> None:
        await what.fill(text)


@dataclass(frozen=True, slots=True)
class Keys:
    """Never touches the mouse."""

    page: Page

    async def press(self, what: Locator) -> None:
        await self._reach(what)
        await self.page.keyboard.press("Enter")

    async def tick(self, what: Locator) -> None:
        await self._reach(what)
        await self.page.keyboard.press("Space")

    async def write(self, what: Locator, text: str) -> None:
        await self._reach(what)
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def _reach(self, what: Locator) -> None:
        await what.wait_for(state="attached")
        for _ in range(_MOST_STOPS):
            if await what.evaluate(_HERE):
                assert await what.evaluate(_SEEN), f"nothing shows that {what} has the focus"
                return
            await self.page.keyboard.press("Tab")
        message = f"Tab does not lead to {what}"
        raise AssertionError(message)
