"""A real package on this machine: dry run, patch through the page's form, lines while it runs, the report after."""

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.core.call import Call
from tests.factories.apt_repository import AptRepository
from tests.factories.automation import Api
from tests.factories.house import House, ServerProcess
from tests.factories.people import bearer, person

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="installing a package on this machine needs root"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt"),
]
HTML = {"Accept": "text/html"}


async def form_of(browser: aiohttp.ClientSession, url: str) -> dict[str, str]:
    """Return the hidden token that the page's form carries."""
    async with browser.get(url, headers=HTML) as answer:
        found = re.search(r'name="csrf"\s+value="([^"]+)"', await answer.text())
        assert found is not None, f"{answer.status} {answer.url}"
        return {"csrf": found[1]}


async def launched(browser: aiohttp.ClientSession, server: ServerProcess, **fields: str) -> dict[str, str]:
    """Press the button of the launch form; return the job it leads to."""
    page = f"{server.url}/playbooks/patch/launch"
    data = {**await form_of(browser, page), **fields}
    async with browser.post(page, data=data, headers=HTML, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return {"id": answer.headers["Location"].rpartition("/")[2]}


async def package_of(uuid: str, name: str, call: Call) -> dict[str, Any] | None:
    return await call.db.one(
        """
        select p.name, hp.current_version, hp.available_version, hp.needs_update, hp.is_security_update
          from host_packages hp
          join packages p on p.id = hp.package_id
          join hosts h on h.id = hp.host_id
         where h.uuid = %(uuid)s and p.name = %(name)s
        """,
        uuid=uuid,
        name=name,
    )


async def reported(uuid: str, name: str, version: str, call: Call, seconds: float = 60) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            found = await package_of(uuid, name, call)
            if found is not None and found["current_version"] == version:
                return found
            await asyncio.sleep(0.2)


@pytest.mark.proves("AGENT-REP-01")
async def test_a_package_is_dry_run_patched_and_reported(
    house: House, server_process: ServerProcess, call: Call, pyz: Path, tmp_path: Path
) -> None:
    with AptRepository(tmp_path) as repo:
        repo.add_version("1.0")
        repo.add_version("2.0", postinst="echo configuring version two; sleep 3; echo configured version two")
        repo.install("1.0")
        agent = await house.agent("this-machine", server_process.port, pyz=pyz, automation="builtin")
        await agent.start()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            api = Api(browser, server_process.url, await bearer(call))
            before = await reported(agent.uuid, repo.package, "1.0", call)
            assert before["needs_update"]
            assert before["available_version"] == "2.0"

            await signed_in(browser, server_process, call)
            fields = {
                "host": agent.uuid,
                "patch_scope": "packages",
                "patch_packages": repo.package,
                "patch_refresh_cache": "false",
            }
            dry = await launched(browser, server_process, **fields, check="true")
            ended = await api.until(dry, lambda found: found["finished_at"], 120)
            assert ended["status"] == "succeeded", agent.said()[-3000:]
            assert await changes(api, ended) == [(repo.package, "1.0", "2.0")]
            assert repo.installed_version() == "1.0"

            real = await launched(browser, server_process, **fields, check="false")
            line, task_ended = await watched(api, real)
            assert line is not None
            assert task_ended - line > 2.0, "dpkg's line came only when the task was over"
            ended = await api.until(real, lambda found: found["finished_at"], 120)
            assert ended["status"] == "succeeded", agent.said()[-3000:]
            assert await changes(api, ended) == [(repo.package, "1.0", "2.0")]
            assert repo.installed_version() == "2.0"
            after = await reported(agent.uuid, repo.package, "2.0", call)
            assert not after["needs_update"]


async def signed_in(browser: aiohttp.ClientSession, server: ServerProcess, call: Call) -> None:
    user = await person(call, "superadmin")
    page = f"{server.url}/login"
    data = {**await form_of(browser, page), "username": user.username, "password": "Correct-Horse-7"}
    async with browser.post(page, data=data, headers=HTML, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()


async def changes(api: Api, job: dict[str, Any]) -> list[tuple[str, str, str]]:
    result = job["hosts"][0]["results"][0]
    path = f"/jobs/{job['id']}/hosts/{job['hosts'][0]['id']}/results/{result['digest']}"
    content = await api.ask("GET", path)
    return [(change["name"], change["from"], change["to"]) for change in content["result"]["changes"]]


async def watched(api: Api, job: dict[str, Any]) -> tuple[float | None, float]:
    """Return when dpkg's first line arrived and when its task ended, by this machine's clock."""
    clock = asyncio.get_running_loop().time
    line: float | None = None
    async with api.following(job) as frames:
        async for name, _, data in frames:
            if name == "event" and data["source"] == "live" and "configuring version two" in data["stdout"]:
                line = line or clock()
            if name == "event" and data["event"] == "runner_on_ok" and data["changed"]:
                return line, clock()
            if name == "end":
                break
    return line, clock()
