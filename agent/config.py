"""The agent's two files and its environment, read once into frozen objects; nothing else reads the environment."""

from __future__ import annotations

import os
import stat
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple, Union
from urllib.parse import urlsplit

import yaml

from agent import comments
from agent.system import files

DEFAULT_FILE = Path("/etc/patchmon/config.yml")
DEFAULT_STATE = Path("/var/lib/patchmon-agent")
DEFAULT_INTERVAL_MINUTES = 60
LOG_LEVELS = ("debug", "info", "warn", "error")
REFRESH_MODES = ("always", "if_stale", "never")
AUTOMATION = ("any", "builtin", "off")

Compliance = Union[bool, str]
Content = Dict[str, Any]


class ConfigError(Exception):
    """A file that cannot be used; the text names the file, the key and what is expected."""


class CredentialsError(Exception):
    """There are no usable credentials; the text says what is missing."""


@dataclass(frozen=True)
class Integrations:
    """Which further parts are on; ``compliance`` is True, False or "on-demand", ``docker_socket`` where it is usual."""

    docker: bool = False
    docker_socket: str = ""
    compliance: Compliance = "on-demand"
    openscap: bool = True
    docker_bench: bool = False
    scan_interval: int = 1440
    ssh_proxy: bool = False
    rdp_proxy: bool = False


@dataclass(frozen=True)
class Config:
    """``config.yml`` with every default in place; ``file`` is where it was read from and is saved to."""

    file: Path
    patchmon_server: str = ""
    api_version: str = "v1"
    credentials_file: Path = Path("/etc/patchmon/credentials.yml")
    log_file: Path = Path("/etc/patchmon/logs/patchmon-agent.log")
    log_level: str = "info"
    skip_ssl_verify: bool = False
    update_interval: int = DEFAULT_INTERVAL_MINUTES
    report_offset: int = 0
    package_cache_refresh_mode: str = "if_stale"
    package_cache_refresh_max_age: int = 60
    automation: str = "builtin"
    max_changing_jobs: int = 1
    reboot_command: str = ""
    update_trial_seconds: int = 300
    integrations: Integrations = Integrations()

    @property
    def api_url(self) -> str:
        """Return the address every API path is appended to; empty when no server is known."""
        return f"{self.patchmon_server.rstrip('/')}/api/{self.api_version}" if self.patchmon_server else ""

    @property
    def websocket_url(self) -> str:
        """Return the address of the agent WebSocket; empty when no server is known."""
        if not self.patchmon_server:
            return ""
        scheme, mark, rest = self.patchmon_server.rstrip("/").partition("://")
        if not mark:
            scheme, rest = "wss", scheme
        socket_scheme = {"https": "wss", "http": "ws"}.get(scheme, scheme)
        return f"{socket_scheme}://{rest}/api/{self.api_version}/agents/ws"

    @property
    def state(self) -> Path:
        """Return the agent's own folder: the system's for the installed service, else beside the file."""
        if self.file == DEFAULT_FILE and os.geteuid() == 0:
            return DEFAULT_STATE
        return self.file.parent / "state"


@dataclass(frozen=True)
class Credentials:
    """Who this host is to the server; the key does not print."""

    api_id: str
    api_key: str

    def __repr__(self) -> str:
        return f"Credentials(api_id={self.api_id!r}, api_key=***)"

    @property
    def headers(self) -> Dict[str, str]:
        """Return what authenticates a request or an upgrade."""
        return {"X-API-ID": self.api_id, "X-API-KEY": self.api_key}


@dataclass(frozen=True)
class Environment:
    """What the service's environment says."""

    proxies: Tuple[Tuple[str, str], ...] = ()
    skip_ssl_verify: bool = False
    production: bool = False
    journal: bool = False

    def proxy_for(self, url: str) -> str:
        """Return the proxy to use for an address, empty for none; ws counts as http, wss as https."""
        parts = urlsplit(url)
        table = dict(self.proxies)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        proxy = table.get(scheme) or table.get("all") or ""
        if not proxy or urllib.request.proxy_bypass_environment(parts.netloc, table):  # type: ignore[attr-defined]
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"

    def verifies(self, config: Config) -> bool:
        """Say whether certificates are checked; in production the switches have no effect."""
        return self.production or not (config.skip_ssl_verify or self.skip_ssl_verify)

    def for_children(self) -> Dict[str, str]:
        """Return the variables that a copy of this program must see to come to the same answers."""
        variables = {f"{name}_proxy": value for name, value in self.proxies}
        if self.skip_ssl_verify:
            variables["PATCHMON_SKIP_SSL_VERIFY"] = "true"
        if self.production:
            variables["PATCHMON_ENV"] = "production"
        return variables


def read_environment() -> Environment:
    """Read the environment."""
    return Environment(
        proxies=tuple(sorted(urllib.request.getproxies_environment().items())),
        skip_ssl_verify=os.environ.get("PATCHMON_SKIP_SSL_VERIFY", "").lower() in ("true", "1"),
        production=os.environ.get("PATCHMON_ENV", "").lower() == "production",
        journal="JOURNAL_STREAM" in os.environ,
    )


def load(file: Path) -> Config:
    """Read ``config.yml``; a missing file means defaults and no known server.

    Raises:
        ConfigError: it cannot be read, is no YAML, holds a wrong type, or anybody may write it.
        PermissionError: this user may not read it.
    """
    return _config(file, _content(file))


def load_credentials(config: Config) -> Credentials:
    """Read ``credentials.yml``.

    Raises:
        CredentialsError: missing, unreadable or incomplete.
    """
    file = config.credentials_file
    try:
        content = yaml.safe_load(file.read_bytes())
    except FileNotFoundError as error:
        raise CredentialsError(f"credentials file not found: {file}") from error
    except (OSError, yaml.YAMLError) as error:
        raise CredentialsError(f"failed to load credentials: {file}: {_short(error)}") from error
    content = content if isinstance(content, dict) else {}
    found = Credentials(str(content.get("api_id") or ""), str(content.get("api_key") or ""))
    if not found.api_id or not found.api_key:
        raise CredentialsError(f"API credentials are missing in {file}")
    if any(not character.isprintable() or character == " " for character in found.api_id + found.api_key):
        raise CredentialsError(f"failed to load credentials: {file}: a blank or control character is in them")
    return found


def save(file: Path, changes: Mapping[str, object]) -> Config:
    """Change keys of ``config.yml`` and write every known parameter; what a person set by hand meanwhile survives.

    ``integrations`` may hold a part of that map. Keys we do not know are kept too.

    Raises:
        ConfigError: as ``load``.
        OSError: nothing was written.
    """
    content = _content(file)
    for key, value in changes.items():
        if key == "integrations" and isinstance(value, Mapping):
            content["integrations"] = _merged(content.get("integrations"), value)
        else:
            content[key] = value
    config = _config(file, content)
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    files.write_atomically(file, _rewritten(file, _everything(config, content)).encode())
    return config


def save_credentials(config: Config, credentials: Credentials) -> None:
    """Write ``credentials.yml``, readable by its owner only."""
    config.credentials_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    text = yaml.safe_dump({"api_id": credentials.api_id, "api_key": credentials.api_key}, sort_keys=False)
    files.write_atomically(config.credentials_file, text.encode())


def _content(file: Path) -> Content:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read()
    except FileNotFoundError:
        return {}
    except IsADirectoryError as error:
        raise ConfigError(f"{file} is a folder") from error
    if stat.S_IMODE(mode) & stat.S_IWOTH:
        raise ConfigError(
            f"{file} can be written by everybody on this host: refusing to use it (run: chmod 600 {file})"
        )
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"failed to parse {file}: {_short(error)}") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"failed to parse {file}: expected keys and values")
    return content or {}


def _config(file: Path, content: Content) -> Config:
    read = _Reader(file, content)
    interval = read.number("update_interval", DEFAULT_INTERVAL_MINUTES)
    return Config(
        file=file,
        patchmon_server=read.text("patchmon_server", "").rstrip("/"),
        api_version=read.text("api_version", "v1"),
        credentials_file=Path(read.text("credentials_file", str(file.parent / "credentials.yml"))),
        log_file=Path(read.text("log_file", str(file.parent / "logs" / "patchmon-agent.log"))),
        log_level=read.choice("log_level", LOG_LEVELS, "info"),
        skip_ssl_verify=read.truth("skip_ssl_verify", default=False),
        update_interval=interval if interval > 0 else DEFAULT_INTERVAL_MINUTES,
        report_offset=max(0, read.number("report_offset", 0)),
        package_cache_refresh_mode=read.choice("package_cache_refresh_mode", REFRESH_MODES, "if_stale"),
        package_cache_refresh_max_age=max(1, read.number("package_cache_refresh_max_age", 60)),
        # YAML reads a bare ``off`` as false; a person who wrote it meant off.
        automation=read.choice("automation", AUTOMATION, "builtin"),
        max_changing_jobs=max(1, read.number("max_changing_jobs", 1)),
        reboot_command=read.text("reboot_command", ""),
        update_trial_seconds=max(5, read.number("update_trial_seconds", 300)),
        integrations=_integrations(file, content.get("integrations")),
    )


def _integrations(file: Path, content: object) -> Integrations:
    if content is None:
        return Integrations()
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: integrations must be a map")
    read = _Reader(file, content)
    compliance = content.get("compliance")
    nested = _Reader(file, compliance) if isinstance(compliance, dict) else read
    openscap, bench = ("openscap_enabled", "docker_bench_enabled")
    if nested is read:
        openscap, bench = (f"compliance_{openscap}", f"compliance_{bench}")
    return Integrations(
        docker=read.truth("docker", default=False),
        docker_socket=read.text("docker_socket", ""),
        compliance=_mode(compliance),
        openscap=nested.truth(openscap, default=True),
        docker_bench=nested.truth(bench, default=False),
        scan_interval=nested.number("scan_interval", 1440),
        ssh_proxy=read.truth("ssh-proxy-enabled", default=False),
        rdp_proxy=read.truth("rdp-proxy-enabled", default=False),
    )


def _mode(value: object) -> Compliance:
    if isinstance(value, dict):
        return "on-demand" if value.get("on_demand_only") is True else _mode(value.get("enabled"))
    if isinstance(value, bool):
        return value
    word = str(value or "on-demand").lower().replace("_", "-")
    return {"true": True, "enabled": True, "false": False, "disabled": False}.get(word, "on-demand")


def _everything(config: Config, content: Content) -> Content:
    one = config.integrations
    known: Content = {
        "patchmon_server": config.patchmon_server,
        "api_version": config.api_version,
        "credentials_file": str(config.credentials_file),
        "log_file": str(config.log_file),
        "log_level": config.log_level,
        "skip_ssl_verify": config.skip_ssl_verify,
        "update_interval": config.update_interval,
        "report_offset": config.report_offset,
        "package_cache_refresh_mode": config.package_cache_refresh_mode,
        "package_cache_refresh_max_age": config.package_cache_refresh_max_age,
        "automation": config.automation,
        "max_changing_jobs": config.max_changing_jobs,
    }
    integrations: Content = {
        "docker": one.docker,
        "compliance": {
            "enabled": one.compliance,
            "openscap_enabled": one.openscap,
            "docker_bench_enabled": one.docker_bench,
            "scan_interval": one.scan_interval,
        },
        "ssh-proxy-enabled": one.ssh_proxy,
        "rdp-proxy-enabled": one.rdp_proxy,
    }
    given = content.get("integrations")
    unknown = {key: value for key, value in content.items() if key not in known and key != "integrations"}
    strange = {
        key: value
        for key, value in (given.items() if isinstance(given, dict) else ())
        if key not in integrations and not str(key).startswith("compliance_")
    }
    return {**known, **unknown, "integrations": {**integrations, **strange}}


def _rewritten(file: Path, content: Content) -> str:
    """Return the new text with the comments of the old one, unless they would change what it says."""
    text = yaml.safe_dump(content, sort_keys=False)
    try:
        before = file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        before = ""
    header = "" if before.startswith("#") else "# PatchMon agent configuration\n"
    carried = comments.carried(before, text)
    try:
        says_the_same = yaml.safe_load(carried) == content
    except yaml.YAMLError:
        says_the_same = False
    return header + (carried if says_the_same else text)


def _merged(old: object, new: Mapping[str, object]) -> Content:
    merged: Content = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(value, Mapping):
            # A scalar of an older release becomes the map it stood for.
            base = before if isinstance(before, dict) else {"enabled": _mode(before)} if before is not None else {}
            merged[key] = {**base, **value}
            merged[key].pop("on_demand_only", None)
        else:
            merged[key] = value
    return merged


class _Reader:
    """Typed values of a map; a wrong type is a complaint that names the key."""

    def __init__(self, file: Path, content: Mapping[str, object]) -> None:
        self._file = file
        self._content = content

    def text(self, key: str, default: str) -> str:
        value = self._content.get(key)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            raise ConfigError(f"{self._file}: {key} must be a text")
        return value

    def number(self, key: str, default: int) -> int:
        value = self._content.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{self._file}: {key} must be a whole number")
        return value

    def truth(self, key: str, *, default: bool) -> bool:
        value = self._content.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ConfigError(f"{self._file}: {key} must be true or false")
        return value

    def choice(self, key: str, choices: Tuple[str, ...], default: str) -> str:
        is_off = self._content.get(key) is False and "off" in choices
        word = "off" if is_off else self.text(key, default)
        if word not in choices:
            raise ConfigError(f"{self._file}: {key} must be one of {', '.join(choices)}")
        return word


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
