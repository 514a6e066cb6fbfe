"""The two pages a person reads first when something is wrong; every part survives every fault."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from agent import __version__
from agent.checkin import Server
from agent.collect import COLLECTORS, Host, run
from agent.config import Config, ConfigError, Credentials, CredentialsError, Environment, load, load_credentials
from agent.link.failures import cause
from agent.link.http import BadAnswer, Http, Unreachable
from agent.system.log import Log, last_lines

_LOOKED_AT = ("os", "hostname", "machine", "kernel")
_CONNECT_SECONDS = 10.0
_LAST_LINES = 10


def show(file: Path, environment: Environment, level: Optional[str]) -> None:
    """Print the diagnostics."""
    config, trouble = _loaded(file)
    print(f"PatchMon Agent Diagnostics v{__version__}")
    parts: Tuple[Tuple[str, Callable[[], Iterator[str]]], ...] = (
        ("System Information:", _system),
        ("Agent Information:", lambda: _agent(config, level)),
        ("Configuration Status:", lambda: _files(config, trouble)),
        ("Network Connectivity & API Credentials:", lambda: _network(config, environment)),
        (f"Last {_LAST_LINES} log entries:", lambda: _log(config)),
    )
    for title, lines in parts:
        print(f"\n{title}")
        try:
            for line in lines():
                print(f"  {line}")
        except Exception as error:  # noqa: BLE001 (a fault in one part is itself a finding)
            print(f"  ❌ {type(error).__name__}: {error}")


def show_config(file: Path, level: Optional[str]) -> int:
    """Print the configuration without the key; whoever may not read it sees defaults and a note."""
    config, trouble = _loaded(file)
    if trouble:
        print(f"Note: {trouble}; showing defaults")
    print("Configuration:")
    for name, value in (
        ("Server", config.patchmon_server or "not set"),
        ("Agent Version", __version__),
        ("Config File", config.file),
        ("Credentials File", config.credentials_file),
        ("Log File", config.log_file),
        ("Log Level", level or config.log_level),
        ("Update Interval", f"{config.update_interval} minutes"),
        ("Automation", config.automation),
    ):
        print(f"  {name}: {value}")
    print("\nCredentials:")
    credentials, missing = _credentials(config)
    print(f"  API ID: {credentials.api_id if credentials else 'Not set'}")
    print(f"  API Key: {'Set ✅' if credentials else f'Not set ❌ ({missing})'}")
    return 0


def _system() -> Iterator[str]:
    outcome = run([one for one in COLLECTORS if one.name in _LOOKED_AT], Host())
    found = {key: str(value) for key, value in outcome.fields.items()}
    yield f"OS: {found.get('osType', 'unknown')} {found.get('osVersion', '')}".rstrip()
    yield f"Architecture: {found.get('architecture') or os.uname().machine}"
    yield f"Kernel: {found.get('kernelVersion', 'unknown')}"
    yield f"Hostname: {found.get('hostname', 'unknown')}"
    yield f"Machine ID: {found.get('machineId', 'unknown')}"


def _agent(config: Config, level: Optional[str]) -> Iterator[str]:
    yield f"Version: {__version__}"
    yield f"Config File: {config.file}"
    yield f"Credentials File: {config.credentials_file}"
    yield f"Log File: {config.log_file}"
    yield f"Log Level: {level or config.log_level}"


def _files(config: Config, trouble: str) -> Iterator[str]:
    if not config.file.exists():
        yield f"❌ Config file not found: {config.file}"
    elif trouble:
        yield "✅ Config file exists"
        yield f"❌ Config file cannot be used: {trouble}"
    else:
        yield "✅ Config file exists"
    if not config.credentials_file.exists():
        yield f"❌ Credentials file not found: {config.credentials_file}"
        return
    yield "✅ Credentials file exists"
    credentials, missing = _credentials(config)
    if credentials is None:
        yield f"❌ {missing}"


def _network(config: Config, environment: Environment) -> Iterator[str]:
    yield f"Server URL: {config.patchmon_server or 'not set'}"
    if not config.patchmon_server:
        yield "❌ No server is configured"
        return
    parts = urlsplit(config.patchmon_server)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = environment.proxy_for(config.patchmon_server)
    if proxy:
        through = urlsplit(proxy)
        yield f"Proxy: {through.hostname}:{through.port or 3128}"
        parts, port = through, through.port or 3128
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS).close()
        yield "✅ Server is reachable"
    except OSError as error:
        yield f"❌ Server is not reachable: {cause(error, parts.hostname or '')}"
        return
    credentials, missing = _credentials(config)
    if credentials is None:
        yield f"❌ API credentials cannot be tested: {missing}"
        return
    try:
        Server(Http(config, environment, credentials), Log(None, "error", on_terminal=False)).ping(attempts=1)
        yield "✅ API is reachable and credentials are valid"
    except (Unreachable, BadAnswer) as error:
        yield f"❌ API is not reachable or credentials are not valid: {error}"


def _log(config: Config) -> Iterator[str]:
    try:
        lines: List[str] = last_lines(config.log_file, _LAST_LINES).splitlines()
    except OSError as error:
        yield f"❌ {config.log_file}: {error.strerror}"
        return
    yield from lines or ["(empty)"]


def _loaded(file: Path) -> Tuple[Config, str]:
    try:
        return load(file), ""
    except ConfigError as error:
        text = str(error)
    except OSError as error:
        text = f"{file} is not readable: {error.strerror}"
    return Config(
        file, credentials_file=file.parent / "credentials.yml", log_file=file.parent / "logs/patchmon-agent.log"
    ), text


def _credentials(config: Config) -> Tuple[Optional[Credentials], str]:
    try:
        return load_credentials(config), ""
    except CredentialsError as error:
        return None, str(error)
