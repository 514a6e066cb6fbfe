"""Text leaves smaller, for those who can read that, and streams leave as they are written."""

import asyncio
import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.web import assets
from server.web.compression import accepts_gzip
from tests.conftest import Browser
from tests.factories.people import HTML, bearer

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.mark.proves("OPS-71")
async def test_text_and_json_over_a_kilobyte_are_compressed(as_admin: Browser) -> None:
    for path in ("/hosts", "/api/v1/permissions/roles", "/static/css/layout.css", "/api/v1/openapi.json"):
        plain = await as_admin.get(path, headers={**HTML, **PLAIN})
        small = await as_admin.get(path, headers={**HTML, **GZIP})
        assert "Content-Encoding" not in plain.headers, path
        assert small.headers["Content-Encoding"] == "gzip", path
        assert "Accept-Encoding" in small.headers["Vary"], path
        assert "Accept-Encoding" in plain.headers["Vary"], path
        assert int(small.headers.get("Content-Length", 0)) < int(plain.headers["Content-Length"]), path


async def test_what_is_small_or_packed_already_is_left_as_it_is(as_admin: Browser) -> None:
    for path in (
        "/health",
        "/api/v1/auth/check-admin-users",
        "/static/vendor/inter/files/inter-latin-wght-normal.woff2",
    ):
        answer = await as_admin.get(path, headers=GZIP)
        assert (answer.status, "Content-Encoding" in answer.headers) == (200, False), path


async def test_a_part_of_a_file_counts_its_own_bytes(client: Browser) -> None:
    answer = await client.get("/static/css/layout.css", headers={**GZIP, "Range": "bytes=0-9"})
    assert (answer.status, answer.headers.get("Content-Encoding"), len(await answer.read())) == (206, None, 10)


async def test_a_file_that_did_not_change_is_answered_without_a_body(server: TestServer, client: Browser) -> None:
    known = (await client.get("/static/js/app.js")).headers["ETag"]
    reader, writer = await asyncio.open_connection(server.host, server.port)
    request = f"GET /static/js/app.js HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nIf-None-Match: {known}\r\n"
    writer.write(f"{request}Connection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 304")
    assert b"Content-Encoding" not in head
    assert body == b""


async def test_vary_names_everything_it_depends_on(client: Browser, call: Call) -> None:
    headers = {**await bearer(call), **GZIP, "Origin": "http://localhost:3000"}
    answer = await client.get("/api/v1/permissions/roles", headers=headers)
    assert answer.headers["Vary"] == "Accept-Encoding, Origin"


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
    ],
)
def test_who_takes_gzip(header: str, taken: bool) -> None:
    assert accepts_gzip(header) is taken


class TestKeeping:
    @pytest.mark.proves("OPS-72")
    async def test_marked_files_are_kept_for_a_year_and_the_rest_is_asked_for(self, as_admin: Browser) -> None:
        page = await (await as_admin.get("/", headers=HTML)).text()
        marked = [url for url in re.findall(r'(?:src|href)="(/static/[^"]+)"', page) if "?v=" in url]
        assert len(marked) > 5
        for url in marked:
            answer = await as_admin.get(url)
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable"), url
        plain = await as_admin.get("/static/js/theme.js")
        assert plain.headers["Cache-Control"] == "no-cache"
        again = await as_admin.get("/static/js/theme.js", headers={"If-None-Match": plain.headers["ETag"]})
        assert again.status == 304
        wrong = await as_admin.get("/static/js/theme.js?v=0123456789abcdef")
        assert wrong.headers["Cache-Control"] == "no-cache"
        gone = await as_admin.get("/static/js/none.js?v=")
        assert (gone.status, gone.headers["Cache-Control"]) == (404, "no-store")
        robots = await as_admin.get("/robots.txt")
        assert await robots.text() == "User-agent: *\nDisallow: /\n"

    def test_the_mark_follows_the_content(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(assets, "FOLDER", tmp_path)
        (tmp_path / "a.css").write_text("one")
        first = assets.asset("a.css")
        (tmp_path / "a.css").write_text("two")
        assert assets.asset("a.css") != first
        assert assets.mark("../a.css") == assets.mark("nothing.css") == assets.mark("a\0b") == ""


async def test_sizes_spell_no_token(as_admin: Browser) -> None:
    # The token stands in every page beside what the address says: were it the same each time, sizes would tell.
    tokens = set()
    for _ in range(3):
        page = await (await as_admin.get("/hosts?search=csrf", headers={**HTML, **GZIP})).text()
        tokens |= set(re.findall(r'name="csrf" (?:content|value)="([^"]+)"', page))
    assert len(tokens) >= 3
