"""The commands about versions: asking for the newest, taking it, and watching one on trial."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

from agent import __version__
from agent.config import DEFAULT_FILE, load, load_credentials, read_environment
from agent.link.http import BadAnswer, Http, Unreachable
from agent.system import files, program
from agent.system.lock import AlreadyRunning, Lock
from agent.system.log import Log
from agent.updates import trial, updater
from agent.updates.renewal import NOTHING_NEW, UPDATE_OFFERED

if TYPE_CHECKING:
    from agent.config import Config, Environment

_OK, _FAILED = 0, 1
#: Statuses of a server that has trouble of its own.
_SERVER_FAILS = 500


def check(file: Path) -> int:
    """Print whether there is a newer version."""
    config = load(file)
    try:
        offer = updater.ask(Http(config, read_environment(), load_credentials(config)), config.state)
    except (Unreachable, BadAnswer) as error:
        return _fail(f"could not check for updates: {error}")
    if offer.latest == __version__:
        print(f"Agent is up to date (version {__version__})")
    elif offer.disabled:
        print(f"Current version: {__version__}\nLatest version: {offer.latest}")
        print("Status: Auto-update disabled by server administrator")
        print("\nTo update manually, run: patchmon-agent update-agent")
    else:
        print("Agent update available!")
        print(f"  Current version: {__version__}\n  Latest version: {offer.latest}")
        print("\nTo update, run: patchmon-agent update-agent")
    return _OK


def take(file: Path, level: Optional[str], *, automatic: bool, by_service: bool) -> int:
    """Replace the installed file; a running service takes it over, by itself when it asked for it."""
    config = load(file)
    environment = read_environment()
    log = Log(config.log_file, level or config.log_level, on_terminal=level == "debug")
    http = Http(config, environment, load_credentials(config))
    try:
        taken = updater.Updater(config, environment, http, log).run(automatic=automatic)
    except updater.CannotUpdate as error:
        log.error("Agent was not updated", error=str(error))
        return _fail(str(error))
    if not taken:
        print(f"Agent is up to date (version {__version__})")
        return NOTHING_NEW if by_service else _OK
    print(f"Agent updated: {__version__} -> {taken}")
    if not by_service:
        _tell_service(config)
    return _OK


def after_report(config: Config, environment: Environment, log: Log, *, by_service: bool) -> int:
    """Look for a newer version after a report and take it; the service is only told of it, and then does so itself."""
    http = Http(config, environment, load_credentials(config))
    try:
        offer = updater.ask(http, config.state)
    except (Unreachable, BadAnswer) as error:
        log.warning("Could not check for updates", error=str(error))
        return _OK
    if not updater.wanted(offer, config.state):
        newer = offer.latest != __version__
        log.info("Agent is up to date", version=__version__, **({"latest": offer.latest} if newer else {}))
        return _OK
    log.info("Agent update available", version=__version__, latest=offer.latest)
    if by_service:
        return UPDATE_OFFERED
    try:
        if updater.Updater(config, environment, http, log).run(automatic=True):
            _tell_service(config)
    except updater.CannotUpdate as error:
        log.error("Agent was not updated", error=str(error))
    return _OK


def watch(file: Path) -> int:
    """Stay beside a version on trial; take it back when it does not reach the server in time."""
    config = load(file)
    environment = read_environment()
    log = Log(config.log_file, config.log_level, on_terminal=False)
    lock = Lock(files.private_folder(config.state) / "trial.lock")
    try:
        lock.take()
    except AlreadyRunning:
        return _OK
    failing = trial.watch(config.state, config.update_trial_seconds, lambda: _answers(config, environment))
    if failing is None:
        return _OK
    log.error("The new version of the agent does not reach the server: taking it back", version=failing.version)
    trial.take_back(config.state, failing)
    command = [sys.executable, failing.program, "--config", str(config.file), "serve"]
    pid = updater.service_pid(config.state)
    program.restart_service(pid, command, environment.for_children(), installed=config.file == DEFAULT_FILE)
    log.info("Agent taken back", version=failing.before)
    return _OK


def _answers(config: Config, environment: Environment) -> bool:
    try:
        answer = Http(config, environment, load_credentials(config)).post("/hosts/ping", None, attempts=1)
    except Unreachable:
        return False
    return answer.status < _SERVER_FAILS


def _tell_service(config: Config) -> None:
    pid = updater.service_pid(config.state)
    lines: List[str] = ["No service runs here: the new version is used from its next start on."]
    if pid:
        os.kill(pid, signal.SIGHUP)
        lines = ["The service goes over to the new version as soon as no job runs."]
    print("\n".join(lines))


def _fail(text: str) -> int:
    print(f"Error: {text}", file=sys.stderr)
    return _FAILED
