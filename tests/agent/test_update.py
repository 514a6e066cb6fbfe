"""The agent replaces its own file, while it runs, and takes back what does not reach the server."""

import asyncio
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent import __version__
from tests.agent.conftest import ROOT, Agent
from tests.agent.test_jobs import offer
from tests.stand_ins.agent_server import AgentServer

pytestmark = pytest.mark.real
NEWER = "9.0.0"
Built = Callable[..., bytes]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return what makes the agent's file with another version, and other modules, in it."""
    target = tmp_path_factory.mktemp("dist") / "patchmon-agent.pyz"
    subprocess.run([sys.executable, "tools/build_agent.py", "--output", str(target)], check=True, cwd=ROOT)
    original = target.read_bytes()

    def made(version: str = __version__, changed: Mapping[str, str] | None = None) -> bytes:
        out = io.BytesIO(b"#!/usr/bin/env python3\n")
        out.seek(0, io.SEEK_END)
        with (
            zipfile.ZipFile(io.BytesIO(original)) as old,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, True, 1) as new,
        ):
            for name in old.namelist():
                content = old.read(name)
                if name == "agent/__init__.py":
                    content = content.replace(__version__.encode(), version.encode())
                new.writestr(name, (changed or {}).get(name, content))
        return out.getvalue()

    return made


@pytest.fixture
def program(agent: Agent, server: AgentServer, built: Built) -> Path:
    """An agent installed as its file, with a short time for new versions."""
    file = agent.folder.parent / "bin" / "patchmon-agent"
    file.parent.mkdir()
    # An installer that found another Python named it in the first line.
    file.write_bytes(built().replace(b"#!/usr/bin/env python3\n", f"#!{sys.executable}\n".encode(), 1))
    file.chmod(0o755)
    agent.command = [sys.executable, str(file)]
    agent.configure(server.url, update_trial_seconds=5, automation="any")
    return file


def put_out(server: AgentServer, content: bytes, version: str = NEWER, **more: object) -> None:
    server.file = content
    digest = hashlib.sha256(content).hexdigest()
    server.latest_version = {"latestVersion": version, "hasUpdate": True, "hash": digest, **more}


def backups(program: Path) -> list[Path]:
    return sorted(program.parent.glob("patchmon-agent.backup.*"))


@pytest.mark.proves(
    "AGENT-UPD-01", "AGENT-UPD-03", "AGENT-UPD-05", "AGENT-CLI-11", "AGENT-PATH-10", "AGENT-PATH-11", "AGENT-EXIT-04",
    "AGENT-WS-04",
)  # fmt: skip
async def test_the_service_becomes_the_new_version_after_its_jobs(
    agent: Agent, server: AgentServer, program: Path, built: Built
) -> None:
    for number in range(3):
        (program.parent / f"patchmon-agent.backup.2026010{number}_000000").write_bytes(b"old")
    process = await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/agent/version"))
    before = program.read_bytes()
    job = offer(server)
    await link.offer(job)
    await server.until(lambda: ("hello" in server.store.text(job.job)) or server.store.states)
    put_out(server, built(NEWER))
    await link.say({"type": "update_agent"})
    ended = await server.until(lambda: server.store.ended.get(job.job), 90)
    assert ended.status == "succeeded"
    second = await server.until(lambda: server.links[1] if len(server.links) > 1 else None, 60)
    await server.until(lambda: second.received)
    assert second.received[0]["agent"] == NEWER
    assert process.returncode is None, "whoever watches over the process must not see it end"
    assert program.read_bytes().partition(b"\n")[0] == f"#!{sys.executable}".encode()
    assert program.read_bytes().partition(b"\n")[2] == server.file.partition(b"\n")[2]
    kept = backups(program)
    assert [path.name[-15:] for path in kept[:2]] == ["20260101_000000", "20260102_000000"]
    assert len(kept) == 3
    assert kept[2].read_bytes() == before
    assert stat.S_IMODE(kept[2].stat().st_mode) == 0o700
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert (agent.folder / ".last_update_timestamp").read_text().startswith("20")
    await server.until(lambda: not (agent.state / "update.json").exists())
    # Its own report asks again, and so does a person: too soon.
    put_out(server, built("9.1.0"), "9.1.0")
    again = await agent.run("update-agent")
    assert again.code == 1
    assert "update was performed" in again.err
    assert "ago, skipping" in again.err
    # By itself, after a report, once the time has passed; a person's report does it too.
    (agent.folder / ".last_update_timestamp").unlink()
    await second.say({"type": "report_now"})
    third = await server.until(lambda: server.links[2] if len(server.links) > 2 else None, 60)
    await server.until(lambda: third.received)
    assert third.received[0]["agent"] == "9.1.0"
    assert process.returncode is None


@pytest.mark.proves("AGENT-UPD-02", "AGENT-UPD-04", "AGENT-EXIT-04")
async def test_what_is_refused(agent: Agent, server: AgentServer, program: Path, built: Built) -> None:
    before = program.read_bytes()
    newer = built(NEWER)

    async def refused(words: str, *arguments: str) -> None:
        done = await agent.run("update-agent", *arguments, seconds=60)
        assert done.code == 1, done.out
        assert "update failed" in done.err
        assert words in done.err
        assert program.read_bytes() == before
        assert [path.name for path in program.parent.iterdir()] == ["patchmon-agent"]
        assert not (agent.folder / ".last_update_timestamp").exists()

    put_out(server, newer, hash="")
    await refused("no hash")
    put_out(server, newer, hash="0" * 64)
    await refused("hash mismatch")
    put_out(server, newer, version="9.9.9")
    await refused("binary verification failed")
    put_out(server, built(NEWER, {"agent/updates/commands.py": "raise SystemExit(1)"}))
    await refused("binary verification failed")
    put_out(server, newer)
    server.file_sends = len(newer) // 2
    await refused("bytes")
    server.file_sends = None
    server.statuses["/hosts/agent/download"] = 404
    await refused("server returned 404")
    server.statuses.clear()
    # One copy fits on the disk, the download does not.
    room = program.stat().st_size // 1024 + 1024
    mount = (
        f'mount -t tmpfs -o size={room}k none {program.parent} && cp /tmp/{program.name}-{room} {program} && exec "$@"'
    )
    kept = Path(f"/tmp/{program.name}-{room}")
    kept.write_bytes(before)
    command = agent.command
    agent.command = ["unshare", "--mount", "sh", "-c", mount, "sh", *command]
    try:
        await refused("No space left on device")
    finally:
        kept.unlink()
        agent.command = command
    # The service takes nothing that is not meant for it; a person takes it all the same.
    put_out(server, newer, hasUpdate=False, autoUpdateDisabled=True)
    done = await agent.run("update-agent", "--automatic", seconds=60)
    assert (done.code, program.read_bytes()) == (0, before)
    # A clock that was wrong by years, and was set since, holds nothing up.
    marker = agent.folder / ".last_update_timestamp"
    marker.touch()
    os.utime(marker, (time.time() + 3e8, time.time() + 3e8))
    done = await agent.run("update-agent", seconds=60)
    assert done.code == 0, done.err
    assert f"Agent updated: {__version__} -> {NEWER}" in done.out
    assert "No service runs here" in done.out
    assert (await agent.run("version")).out == f"PatchMon Agent v{NEWER}\n"


@pytest.mark.proves("AGENT-UPD-01", "AGENT-CLI-04")
async def test_a_version_that_does_not_reach_the_server_is_taken_back(
    agent: Agent, server: AgentServer, program: Path, built: Built
) -> None:
    process = await agent.serve()
    await server.link()
    await server.until(lambda: server.seen("/hosts/agent/version"))
    before = program.read_bytes()
    put_out(server, built(NEWER, {"agent/link/socket.py": "raise ImportError('broken')"}))
    reported = await agent.run("report", seconds=60)
    assert reported.code == 0, reported.err
    assert program.read_bytes() != before
    # The new version cannot even start: nobody but the watcher is left, and what it starts is its own.
    await server.until(lambda: process.returncode is not None or len(server.links) > 1, 30)
    server.latest_version["hasUpdate"] = False
    back = await server.until(lambda: server.links[1] if len(server.links) > 1 else None, 60)
    await server.until(lambda: back.received)
    try:
        assert back.received[0]["agent"] == __version__
        assert program.read_bytes() == before
        assert "taking it back" in agent.log
        # What was taken back is told, and not taken again by itself.
        server.latest_version["hasUpdate"] = True
        count = len(server.seen("/hosts/agent/version"))
        await back.say({"type": "report_now"})
        await server.until(lambda: len(server.seen("/hosts/agent/version")) > count)
        await asyncio.sleep(1)
        assert program.read_bytes() == before
        assert not server.links[1].socket.closed
    finally:
        pid = int((agent.state / "agent.lock").read_text())
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            await asyncio.sleep(0.1)
