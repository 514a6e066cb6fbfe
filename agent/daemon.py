"""The service: one connection, reports on time, jobs; it ends when told to and at nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Awaitable, Callable, Dict, Optional

from agent import __version__, schedule
from agent.act.follow import Gone
from agent.act.jobs import Conversation, Jobs, Outside
from agent.act.policy import Policy
from agent.act.proxies import answer as answer_proxy
from agent.checkin import Server, pushed_integrations, with_offset, with_settings
from agent.config import (
    DEFAULT_FILE,
    Config,
    ConfigError,
    Credentials,
    CredentialsError,
    Environment,
    load,
    load_credentials,
    read_environment,
    save,
)
from agent.docker.watch import Watch
from agent.due import FULL, Reports
from agent.link.backoff import Backoff
from agent.link.http import BadAnswer, Http, Unreachable
from agent.link.socket import Link, LinkFailed
from agent.protocol.codec import BadMessage, decode
from agent.system import build, files
from agent.system.lock import AlreadyRunning, Lock
from agent.system.log import Log
from agent.system.loop import Keeper, in_thread
from agent.system.restart import CannotRestart
from agent.system.restart import restart as restart_host
from agent.system.run import own_command, run_own
from agent.updates.renewal import UPDATE_OFFERED, Renewal, again

_UNAUTHORIZED = 401
_STATUS_AFTER_SECONDS = 2.0
_REPORT_SECONDS = 900.0
_SYNC_SPREAD_SECONDS = 20.0
_STEADY_SECONDS = 10.0
_AGAIN = -1


def main(file: Path, level: Optional[str]) -> int:
    """Run the service until it is told to stop; 1 when it cannot start."""
    environment = read_environment()
    config = load(file)
    on_terminal = environment.journal or level == "debug"
    log = Log(config.log_file, level or config.log_level, on_terminal=on_terminal)
    try:
        credentials = load_credentials(config)
        lock = Lock(files.private_folder(config.state) / "agent.lock")
        lock.take()
    except (CredentialsError, AlreadyRunning, OSError) as error:
        log.error("Cannot start", error=str(error))
        sys.stderr.write(f"Error: {error}\n")
        return 1
    if environment.production and (config.skip_ssl_verify or environment.skip_ssl_verify):
        log.error("skip_ssl_verify has no effect in production: certificates are verified")
    code = asyncio.run(_serve(config, credentials, environment, log, level))
    if code == _AGAIN:
        log.info("Agent begins anew with the installed file")
        try:
            again(file, level)
        except OSError as error:
            log.error("The installed file cannot be started", error=str(error))
        code = 1
    log.info("Agent stopped", code=code)
    # A thread may still wait for an answer that nobody needs any more.
    os._exit(code)


async def _serve(
    config: Config, credentials: Credentials, environment: Environment, log: Log, level: Optional[str]
) -> int:
    # Python 3.9 ties events to the loop that runs where they are made.
    return await Service(config, credentials, environment, log, level).run()


class Service:
    """Everything that runs while the agent runs."""

    def __init__(
        self, config: Config, credentials: Credentials, environment: Environment, log: Log, level: Optional[str]
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._environment = environment
        self._log = log
        self._level = level
        self._server = Server(Http(config, environment, credentials), log)
        self._keeper = Keeper(log.failed)
        self._reports = Reports(self._run_report, log)
        children = environment.for_children()
        # Not the proxies: their addresses may hold passwords, and every play has them anyway.
        said = [f"{name}={value}" for name, value in children.items() if not name.endswith("_proxy")]
        command = ("/usr/bin/env", *said, *own_command("--config", str(config.file)))
        report = self._reports.want_full
        outside = Outside(self._policy, self._upload, report, self._keeper, log, self._restart, command)
        self._jobs = Jobs(config.state, outside)
        self._docker = Watch(self._keeper, log, self._want_docker)
        self._renewal = Renewal(config.file, config.state, children, log, busy=self._jobs.any_alive, leave=self._leave)
        self._say: Optional[Callable[[str], Awaitable[None]]] = None
        self._stop = asyncio.Event()
        self._code = 0
        self._synced = False
        self._was_linked = False

    async def run(self) -> int:
        """Run until a signal or a refusal at the start; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._renewal.replaced)
        self._log.info("Agent started", version=__version__, server=self._config.patchmon_server or "none")
        self._keeper.start("begin", self._begin())
        await self._stop.wait()
        await self._keeper.close()
        return self._code

    # ------------------------------------------------------------ start

    async def _begin(self) -> None:
        try:
            await in_thread(self._jobs.adopt)
            begun = await self._sync()
        except Exception:
            # Whoever starts services tries again; a service that only looks alive would be left alone.
            self._code = 1
            self._stop.set()
            raise
        if not begun:
            self._code = 1
            self._stop.set()
            return
        await in_thread(self._renewal.guard)
        self._keeper.start("renewal", self._renewal.work())
        self._keeper.start("link", self._keep_linked())
        self._keeper.start("reports", self._reports.work())
        self._keeper.start("schedule", self._check_in_on_time())
        self._keeper.start("status", self._send_status(_STATUS_AFTER_SECONDS))
        self._follow_docker()
        self._reports.want_full()

    async def _sync(self) -> bool:
        """Fetch what the server decides and announce ourselves; False when it refuses our credentials."""
        try:
            self._config = await in_thread(self._server.sync_interval, self._config)
            self._config = await in_thread(self._server.sync_integrations, self._config)
            self._config = await in_thread(with_offset, self._config, self._credentials.api_id)
            await in_thread(self._server.ping, 1)
        except Unreachable as error:
            self._log.warning("Server is not reachable, trying again", error=str(error))
            return True
        except BadAnswer as error:
            if error.status == _UNAUTHORIZED and not self._synced:
                self._log.error("invalid API credentials", error=str(error))
                sys.stderr.write("Error: invalid API credentials\n")
                return False
            self._log.warning("Server did not accept the start notice", error=str(error))
        except (ConfigError, OSError) as error:
            self._log.error("Configuration cannot be saved", error=str(error))
        self._synced = True
        self._reports.reschedule()
        return True

    # ------------------------------------------------------------ connection

    async def _keep_linked(self) -> None:
        backoff = Backoff()
        while True:
            try:
                link = await Link.open(self._config, self._environment, self._credentials)
            except LinkFailed as error:
                wait = backoff.next_seconds()
                self._log.warning("WebSocket connection failed", error=str(error), retry_seconds=round(wait, 1))
                await asyncio.sleep(wait)
                continue
            self._log.info("WebSocket connected", url=self._config.websocket_url)
            self._renewal.connected()
            try:
                begun = time.monotonic()
                await self._talk(link)
                if time.monotonic() - begun > _STEADY_SECONDS:
                    # One that is ended again and again at once is tried ever less often, like one that never opens.
                    backoff.reset()
            except Exception as error:  # noqa: BLE001 (a full disk or a bug costs a connection, never all of them)
                self._log.failed("link", error)
            finally:
                await link.close()
            self._log.warning("WebSocket disconnected", reason=link.ending or "no reason given")
            await asyncio.sleep(backoff.next_seconds())

    async def _talk(self, link: Link) -> None:
        async def send(text: str) -> None:
            try:
                await link.send(text)
            except LinkFailed as error:
                raise Gone(str(error)) from error

        conversation = Conversation(self._jobs, await in_thread(self._jobs.hello), send)
        try:
            await conversation.open()
            self._docker.linked(send)
            self._say = send
            self._keeper.start("owed", self._reports.catch_up())
            if not self._synced:
                self._keeper.start("sync", self._sync_late())
            elif self._was_linked:
                self._keeper.start("sync", self._sync_again())
            self._was_linked = True
            async for text in link.messages():
                await self._received(text, conversation)
        except Gone:
            return
        finally:
            self._docker.unlinked()
            await conversation.close()

    async def _sync_late(self) -> None:
        self._synced = True
        await self._sync()
        self._reports.want_full()

    async def _sync_again(self) -> None:
        """Fetch the interval, which may be another one by now; not all agents of a server that returns at once."""
        await asyncio.sleep(random.uniform(0, _SYNC_SPREAD_SECONDS))  # noqa: S311 (nothing secret)
        try:
            config = await in_thread(self._server.sync_interval, self._config)
            self._config = await in_thread(with_offset, config, self._credentials.api_id)
        except (Unreachable, BadAnswer, ConfigError, OSError) as error:
            self._log.warning("The interval could not be fetched again", error=str(error))
        else:
            self._reports.reschedule()

    async def _received(self, text: str, conversation: Conversation) -> None:
        try:
            body = json.loads(text)
            message = decode(body)
        except BadMessage as error:
            self._log.warning("Message with a wrong field", error=str(error))
            return
        except ValueError:
            self._log.warning("Message that is no JSON")
            return
        if message is not None:
            await conversation.received(message)
            return
        await self._command(body)

    # ------------------------------------------------------------ commands

    async def _command(self, body: Dict[str, object]) -> None:
        name = str(body.get("type") or "")
        commands: Dict[str, Callable[[Dict[str, object]], Awaitable[None]]] = {
            "report_now": self._report_now,
            "settings_update": self._settings_update,
            "refresh_integration_status": self._refresh_status,
            "apply_config": self._apply_config,
            "docker_inventory_refresh": self._refresh_docker,
            "docker_delete": self._docker.delete,
            "integration_toggle": self._apply_config,
            "ssh_proxy": self._proxy,
            "rdp_proxy": self._proxy,
            "update_agent": self._update_agent,
            "update_notification": self._look_for_update,
        }
        command = commands.get(name)
        if command is None:
            if name not in ("", "connected"):
                self._log.warning("Command is not known to this agent", type=name)
            return
        self._log.info("Command received", type=name)
        try:
            await command(body)
        except (ConfigError, OSError) as error:
            self._log.error("Command failed", type=name, error=str(error))

    async def _report_now(self, _body: Dict[str, object]) -> None:
        self._reports.want_full()

    async def _settings_update(self, body: Dict[str, object]) -> None:
        config = await in_thread(with_settings, self._config, body, self._log)
        self._config = await in_thread(with_offset, config, self._credentials.api_id)
        self._reports.reschedule()

    async def _refresh_status(self, _body: Dict[str, object]) -> None:
        self._keeper.start("status", self._send_status(0))

    async def _apply_config(self, body: Dict[str, object]) -> None:
        changes = pushed_integrations(body.get("config") or body)
        if changes:
            self._config = await in_thread(save, self._config.file, {"integrations": changes})
            self._log.info("Integrations changed by the server", changes=",".join(sorted(changes)))
        self._keeper.start("confirm", self._confirm_config())

    async def _confirm_config(self) -> None:
        # Asking for the switches tells the server that what it sent is in force here.
        try:
            self._config = await in_thread(self._server.sync_integrations, self._config)
        except Unreachable as error:
            self._log.warning("The new configuration could not be confirmed", error=str(error))
            return
        if self._follow_docker():
            self._want_docker()
        await self._send_status(0)

    async def _refresh_docker(self, _body: Dict[str, object]) -> None:
        self._want_docker()

    def _want_docker(self) -> None:
        self._keeper.start("docker-inventory", self._run_report("docker-inventory"))

    def _follow_docker(self) -> bool:
        found = self._config.integrations
        return self._docker.configure(on=found.docker, socket=found.docker_socket)

    async def _proxy(self, body: Dict[str, object]) -> None:
        # The switches hold as they were when the service began.
        told = answer_proxy(self._config, body)
        if told is not None and self._say is not None:
            await self._say(json.dumps(told))

    async def _update_agent(self, _body: Dict[str, object]) -> None:
        self._renewal.want(automatic=False)

    async def _look_for_update(self, _body: Dict[str, object]) -> None:
        self._renewal.want(automatic=True)

    def _leave(self) -> None:
        self._code = _AGAIN
        self._stop.set()

    async def _send_status(self, after_seconds: float) -> None:
        await asyncio.sleep(after_seconds)
        await in_thread(self._server.integration_status, self._config)

    # ------------------------------------------------------------ reports

    async def _check_in_on_time(self) -> None:
        tick = 0
        while True:
            due = schedule.next_at(time.time(), self._config.update_interval, self._config.report_offset)
            if await self._reports.rescheduled_before(due):
                continue
            tick += 1
            if schedule.is_full(tick):
                self._reports.want_full()
            else:
                self._reports.want_check_in()

    async def _run_report(self, kind: str) -> None:
        arguments = ["--config", str(self._config.file)]
        if self._level:
            arguments += ["--log-level", self._level]
        arguments += [kind, "--by-service"] if kind == FULL else [kind]
        code = await run_own(arguments, self._environment.for_children(), _REPORT_SECONDS)
        if code == UPDATE_OFFERED:
            self._renewal.want(automatic=True)
        elif code != 0:
            self._log.warning("Report was not delivered", kind=kind, code=code)
        self._reports.owed = code not in (0, UPDATE_OFFERED)

    # ------------------------------------------------------------ for jobs

    def _policy(self) -> Policy:
        try:
            config = load(self._config.file)
            automation, most = config.automation, config.max_changing_jobs
        except (ConfigError, OSError) as error:
            # Whoever broke the file did not mean to allow more.
            self._log.error("Configuration cannot be read: no jobs are taken", error=str(error))
            automation, most = "off", 0
        return Policy(self._config.file, automation, most, build.builtin_projects(), build.can_play())

    def _restart(self) -> None:
        try:
            config = load(self._config.file)
        except ConfigError as error:
            raise CannotRestart(str(error)) from error
        restart_host(config.reboot_command, installed=config.file == DEFAULT_FILE)

    def _upload(self, digest: str, content: bytes) -> int:
        try:
            return self._server.upload_result(digest, content).status
        except Unreachable as error:
            self._log.warning("A job's result could not be uploaded, trying again", error=str(error))
            return 0
