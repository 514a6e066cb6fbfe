"""The client commands against a running server, and what they print."""

import asyncio
import io
import json
import os
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from server.client.printer import Printer
from server.core.call import Call
from tests.factories.automation import Api, Fleet, url_of
from tests.factories.patching import change, upload
from tests.factories.people import person, token_of

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    def __init__(self, url: str, token: str) -> None:
        self.group = "jobs"
        self.env = {**os.environ, "PATCHMON_URL": url, "PATCHMON_TOKEN": token, "PYTHONPATH": str(ROOT)}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", self.group, *arguments, env=self.env, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        process = await self.start(*arguments)
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def shell(server: TestServer, call: Call) -> Shell:
    return Shell(url_of(server), await token_of(call, await person(call, "admin")))


async def test_launch_and_wait_prints_the_job_live_and_ends_with_its_result(shell: Shell, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    process = await shell.start(
        "launch", "patch", "--limit", "web-01", "--check", "--wait", "-e", "patch_scope=security"
    )
    held = await agent.job()
    await agent.tell(held, {"event": "playbook_on_play_start", "play": "Patch"})
    await agent.tell(held, {"event": "live", "stdout": "Setting up tiny\n"}, source="live")
    await agent.tell(held, {"task": "patchmon.fleet.patch : Update packages", "changed": True, "duration": 1.25})
    await agent.end(held, "failed", reason="Update packages: no room")
    out, err = await process.communicate()
    text = out.decode()
    assert process.returncode == 1, err.decode()
    assert "▶ Patch" in text
    assert "Setting up tiny" in text
    assert "Update packages  changed  1.2 s" in text
    assert "failed: Update packages: no room" in text


async def test_a_host_that_stays_away_is_exit_code_three(shell: Shell, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    code, _, err = await shell.run("launch", "ping", "--limit", "web-01", "--wait", "--wait-seconds", "0.5")
    assert (code, "still running" in err) == (3, True)


async def test_wrong_use_is_exit_code_two_with_every_complaint(shell: Shell, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    code, _, err = await shell.run("launch", "patch", "--limit", "web-09", "-e", "patch_scope=some")
    assert code == 2
    assert "web-09" in err
    assert "must be one of" in err
    nowhere = Shell("http://127.0.0.1:1", "pmt_x")
    code, _, err = await nowhere.run("list")
    assert (code, "cannot reach" in err) == (3, True)


async def test_list_show_and_stop(shell: Shell, fleet: Fleet, api: Api) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01")
    _, out, _ = await shell.run("list")
    assert job["id"] in out
    code, out, _ = await shell.run("show", job["id"], "--json")
    assert json.loads(out)["hosts"][0]["name"] == "web-01"
    code, out, _ = await shell.run("stop", job["id"])
    assert (code, "cancelled" in out) == (0, True)


def test_what_a_host_prints_does_not_steer_the_terminal() -> None:
    out = io.StringIO()
    printer = Printer(out, colours=True)
    printer.event({"source": "live", "event": "live", "stdout": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2Jgone\n"})
    assert "\x1b[31mred\x1b[0m" in out.getvalue()
    assert "\x1b]" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert "\x07" not in out.getvalue()


async def test_the_token_may_come_from_a_file_and_is_never_printed(shell: Shell, fleet: Fleet, tmp_path: Path) -> None:
    await fleet.enrol("web-01")
    secret = shell.env.pop("PATCHMON_TOKEN")
    code, _, err = await shell.run("list")
    assert (code, "set PATCHMON_TOKEN" in err) == (2, True)
    file = tmp_path / "token"
    file.write_text(f"{secret}\n")
    url = shell.env.pop("PATCHMON_URL")
    code, out, err = await shell.run("list", "--json", "--url", url, "--token-file", str(file))
    assert code == 0, err
    shell.env["PATCHMON_TOKEN_FILE"] = str(file)
    printed = out + err
    for arguments in (["show", "nothing"], ["launch", "ping", "--limit", "web-09"], ["list"]):
        _, out, err = await shell.run(*arguments, "--url", url)
        printed += out + err
    assert secret not in printed
    file.write_text(f"{secret}x")
    code, out, err = await shell.run("list", "--url", url)
    assert (code, secret in out + err) == (3, False)


async def test_packages_that_a_dry_run_finds_are_exit_code_four(shell: Shell, fleet: Fleet, api: Api) -> None:
    agent = await fleet.online("web-01")
    for changes, asked, expected in (
        ([change("tiny")], "any", 4),
        ([change("tiny")], "security", 0),
        ([change("tiny", security=True)], "security", 4),
        ([], "any", 0),
    ):
        process = await shell.start("launch", "patch", "--limit", "web-01", "--check", f"--fail-if-outdated={asked}")
        held = await agent.job()
        result = await upload(api.session, agent, api.url, {"manager": "apt", "changes": changes})
        await agent.end(held, "succeeded", results=(result,))
        agent.jobs.clear()
        out, err = await process.communicate()
        assert process.returncode == expected, out.decode() + err.decode()
        assert ("tiny 1.0 -> 1.1" in out.decode()) is (expected == 4)


async def test_hosts_playbooks_and_patch_runs(shell: Shell, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    shell.group = "hosts"
    code, out, _ = await shell.run("list")
    assert (code, "web-01" in out) == (0, True)
    shell.group = "playbooks"
    code, out, _ = await shell.run("show", "patch")
    assert (code, "patch_scope" in out) == (0, True)
    shell.group = "patch"
    code, out, err = await shell.run("trigger", "--limit", "web-01", "--for-approval", "--key", "night 7", "--json")
    assert code == 0, err
    (run,) = json.loads(out)["runs"]
    code, out, _ = await shell.run("approve", run["patch_run_id"], "--now")
    assert (code, "queued" in out) == (0, True)
    code, out, _ = await shell.run("runs")
    assert out.count("web-01") == 2
    code, _, err = await shell.run("trigger", "--limit", "web-09")
    assert (code, "no host is called web-09" in err) == (2, True)
    assert await call.db.value("select count(*) from patch_runs") == 2
