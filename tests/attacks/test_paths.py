"""Files that are not meant, asked for by every spelling."""

import re
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.attacks.wire import Wire, head
from tests.conftest import Browser

UP = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "%252e%252e%252f",
    "..%c0%af",
    "....//",
    "..;/",
    "%00../",
]
TARGETS = ["etc/passwd", "proc/self/environ", "server/core/env.py", "pyproject.toml", ".git/config", ".env"]
SECRETS = (b"root:", b"DATABASE_URL", b"[project]", b"import ", b"repositoryformatversion", b"PATH=")


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize("place", ["/static/", "/static/css/", "/static/vendor/", "/", "/api/v1/", "/assets/"])
async def test_no_spelling_leads_out_of_the_static_files(server: TestServer, place: str, up: str) -> None:
    async with Wire(server) as wire:
        for target in TARGETS:
            await wire.send(head("GET", f"{place}{up * 8}{target}", {"Accept": "application/json"}))
        await wire.send(head("GET", "/robots.txt", {"Connection": "close"}))
        said = await wire.everything(10)
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", said)]
    assert not any(secret in said for secret in SECRETS)
    assert all(status in {301, 303, 400, 401, 403, 404} for status in statuses[: len(TARGETS)]), statuses


async def test_folders_are_not_listed(client: Browser) -> None:
    for path in ("/static/", "/static/css/", "/static/js", "/static/vendor/"):
        answer = await client.get(path)
        assert answer.status in {403, 404}, path
        assert "app.js" not in await answer.text()


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "linux/../../x", "a\0b", "/etc/passwd"])
async def test_agents_are_handed_only_what_is_on_the_shelf(client: Browser, call: Call, name: str) -> None:
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    for parameter in ("arch", "os", "type"):
        answer = await client.get("/api/v1/hosts/agent/download", params={parameter: name}, headers=headers)
        assert answer.status in {200, 400, 404}
        assert not (await answer.read()).startswith(b"root:")


@pytest.mark.parametrize("digest", ["..%2f..%2fetc%2fpasswd", "../" * 8 + "etc/passwd", "a" * 64, "%00", "A" * 5000])
async def test_results_are_found_by_their_digest_only(as_admin: Browser, digest: str) -> None:
    for path in (
        f"/api/v1/jobs/x/hosts/y/results/{quote(digest)}",
        f"/api/v1/jobs/{quote(digest)}",
        f"/jobs/{quote(digest)}",
    ):
        answer = await as_admin.get(path, headers={"Accept": "application/json"})
        assert answer.status in {400, 404}, path
