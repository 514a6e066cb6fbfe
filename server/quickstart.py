"""The first five minutes: a server, this machine enrolled, and one real dry run with its events in the terminal.

It acts as an audited system actor through the local database and creates no person; whoever opens the link that it
prints becomes the first administrator. The machine's packages are never changed.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import yaml

from server.automation import rules, schemas
from server.automation import service as automation
from server.automation.models import Job, Order
from server.automation.stream import follow_lines
from server.client.printer import Printer
from server.core.call import Call, system
from server.core.embedded import launch as launcher
from server.core.env import Env
from server.core.errors import Unavailable
from server.core.loop import in_thread
from server.hosts import service as hosts
from server.hosts import showing
from server.hosts.events import HostReported
from server.hosts.models import NewHost
from server.identity import service as identity
from server.serve import Serving, serving, until_told

_REPORT_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 10.0
_AGENT_FILE: Final = Path(__file__).resolve().parent.parent / "dist" / "patchmon-agent.pyz"
_LOOK_SECONDS: Final = 0.1


class AgentSilent(Unavailable):
    """The agent did not report in time; its log says why."""

    code = "agent_silent"
    text = "The agent of this machine did not report. Its log: {log}"


class Teller:
    """One line per step, with its time; a step that takes long shows that it is alive."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))  # noqa: TID251 (a terminal's habit)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Tell that a step begins, and how long it took once it is done."""
        started = time.monotonic()
        if self._colours:
            print(f"\033[2m▸ {text} …\033[0m", end="", flush=True)
        try:
            yield
        except BaseException:
            print(f"\r\033[K\033[31m✗\033[0m {text}" if self._colours else f"x {text}", flush=True)
            raise
        took = f"{time.monotonic() - started:.1f} s"
        print(
            f"\r\033[K\033[32m✓\033[0m {text}  \033[2m{took}\033[0m" if self._colours else f"+ {text}  {took}",
            flush=True,
        )

    def detail(self, text: str) -> None:
        """Say what a long step is at."""
        print(f"\r\033[K\033[2m  {text}\033[0m" if self._colours else f"  {text}", flush=True)

    def say(self, text: str = "", *, bold: bool = False) -> None:
        """Say a plain line."""
        print(f"\033[1m{text}\033[0m" if bold and self._colours else text, flush=True)


async def quickstart(env: Env, *, once: bool) -> int:
    """Run it; with ``once`` stop afterwards. The exit status is the job's."""
    teller = Teller()
    started = time.monotonic()
    async with serving(env, say=teller.detail) as running:
        teller.say(
            f"PatchMon listens on {running.url}  ({time.monotonic() - started:.1f} s, data in {env.data_dir})",
            bold=True,
        )
        call = Call(running.world, system("quick start"))
        with teller.step("Enrolling this machine"):
            machine = await _enrolled(call, env, running)
        async with _agent(machine):
            with teller.step(f"Waiting for the first report of {machine.name}"):
                await _reported(call, machine)
            status = await _dry_run(call, machine, teller)
            if once:
                return status
            await _invite(running, teller)
            await until_told()
    return status


@dataclass(frozen=True, slots=True)
class _Machine:
    """This machine as a host: its id, its name, and where its agent keeps its files."""

    uuid: str
    name: str
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yml"

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "patchmon-agent.log"


async def _enrolled(call: Call, env: Env, running: Serving) -> _Machine:
    folder = (env.data_dir / "agent").resolve()
    known = await _known(call, folder)
    if known is None:
        name = socket.gethostname()
        made = await hosts.create(call, NewHost(friendly_name=name))
        known = _Machine(made.uuid, name, folder)
        await in_thread(_write, folder / "credentials.yml", {"api_id": made.api_id, "api_key": made.api_key.reveal()})
    await in_thread(_write_config, known, running.url)
    return known


async def _known(call: Call, folder: Path) -> _Machine | None:
    path = folder / "credentials.yml"
    if not await in_thread(path.exists):
        return None
    credentials = yaml.safe_load(await in_thread(path.read_text))
    api_id = str(credentials["api_id"])
    found = (await showing.link_states(call, [api_id])).get(api_id)
    return _Machine(found.host_id, (await showing.head(call, found.host_id)).name, folder) if found else None


def _write_config(machine: _Machine, url: str) -> None:
    # What a person changed in the file stays; only where the server is may differ from run to run.
    kept = yaml.safe_load(machine.config.read_text()) if machine.config.exists() else {}
    wanted = {
        **kept,
        "patchmon_server": url,
        "credentials_file": str(machine.folder / "credentials.yml"),
        "log_file": str(machine.log),
    }
    if wanted != kept:
        _write(machine.config, wanted)


def _write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    partial.touch(mode=0o600)
    partial.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    partial.replace(path)


@asynccontextmanager
async def _agent(machine: _Machine) -> AsyncIterator[None]:
    """Run the agent as the current user for as long as the block lasts; it dies with us even when we are killed."""
    command = [sys.executable, str(_AGENT_FILE), "serve", "--config", str(machine.config)]
    bound = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), str(signal.SIGTERM.value), "-1", "-1"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*bound, *command, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _reported(call: Call, machine: _Machine) -> None:
    """Wait until the machine is connected and its report is stored."""
    try:
        async with asyncio.timeout(_REPORT_SECONDS):
            async with call.world.bus.following(HostReported.name) as bell:
                while not ((known := await showing.head(call, machine.uuid)).online and known.last_report_at):
                    await bell.ring(within=_LOOK_SECONDS)
    except TimeoutError as error:
        raise AgentSilent(log=machine.log) from error


async def _dry_run(call: Call, machine: _Machine, teller: Teller) -> int:
    teller.say()
    teller.say(f"Dry run of the patch playbook on {machine.name}: nothing is changed", bold=True)
    job = await automation.launch(call, Order("patch", hosts=(machine.uuid,), check=True, deadline_seconds=900))
    return rules.exit_code(rules.job_status((await _watched(call, job)).counts))


async def _watched(call: Call, job: Job) -> Job:
    printer = Printer(sys.stdout)
    async for progress in follow_lines(call, job, 0):
        if progress is not None:
            for host in progress.hosts:
                printer.host(schemas.host_view(host))
            for line in progress.events:
                printer.event(orjson.loads(line.text))
            if progress.over:
                printer.end(schemas.job_view(progress.job))
    return await automation.fetch(call, job.uuid)


async def _invite(running: Serving, teller: Teller) -> None:
    teller.say()
    link = await identity.setup_link(running.world, running.url)
    teller.say(f"Open {running.url}", bold=True)
    if link is not None:
        teller.say(f"Become the first administrator (works once): {link}")
    teller.say("Ctrl-C stops everything.")
