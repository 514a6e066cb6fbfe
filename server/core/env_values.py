"""What the text of a variable may be, and what it then is; each refusal is a sentence without the variable's name."""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

TRUE: Final = frozenset({"1", "true", "yes", "on"})
FALSE: Final = frozenset({"0", "false", "no", "off"})
LEVELS: Final = ("debug", "info", "warn", "error")
LOG_FORMATS: Final = ("logfmt", "json")
#: Of a bare number megabytes are meant, as older files have it.
_UNITS: Final = {"": 1024**2, "kb": 1024, "k": 1024, "mb": 1024**2, "m": 1024**2, "gb": 1024**3, "b": 1}
_SIZE: Final = re.compile(r"^([0-9]{1,12})\s*(b|k|kb|m|mb|gb|)$")
_DURATION: Final = re.compile(r"^([0-9]{1,6})([smhd])$")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ADDRESS: Final = re.compile(r"^(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})$")
_PORTS: Final = (1, 65535)


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number: its default and its limits."""

    default: int
    least: int = 0
    most: int = 10_000_000

    def __call__(self, raw: str) -> int:
        """Return the number; ``ValueError`` with a sentence when it is none or out of its limits."""
        number = whole(raw)
        if not self.least <= number <= self.most:
            message = f"must be from {self.least} to {self.most}"
            raise ValueError(message)
        return number


#: Every number that is read once at the start.
NUMBERS: Final = {
    "PORT": Number(3000, *_PORTS),
    "PM_DB_CONN_MAX_ATTEMPTS": Number(30, 1, 10_000),
    "PM_DB_CONN_WAIT_INTERVAL": Number(2, 0, 3600),
    "DB_CONNECTION_LIMIT": Number(30, 1, 10_000),
    "DB_POOL_TIMEOUT": Number(20, 1, 3600),
    "DB_CONNECT_TIMEOUT": Number(10, 1, 3600),
    "DB_IDLE_TIMEOUT": Number(300, 0, 86_400),
    "DB_MAX_LIFETIME": Number(1800, 0, 604_800),
    "DB_TRANSACTION_MAX_WAIT": Number(10_000, 0, 3_600_000),
    "DB_TRANSACTION_TIMEOUT": Number(30_000, 1, 3_600_000),
    "DB_TRANSACTION_LONG_TIMEOUT": Number(60_000, 1, 3_600_000),
    "REDIS_PORT": Number(6379, *_PORTS),
    "REDIS_DB": Number(0, 0, 15),
    "REDIS_CONNECT_TIMEOUT_MS": Number(60_000, 1, 3_600_000),
    "REDIS_COMMAND_TIMEOUT_MS": Number(60_000, 1, 3_600_000),
    "SESSION_INACTIVITY_TIMEOUT_MINUTES": Number(30, 1, 525_600),
    "MEMSTATS_INTERVAL_SEC": Number(60, 1, 86_400),
    "PATCH_RUN_STALL_TIMEOUT_MIN": Number(30, 5, 10_080),
}
#: Every switch that is read once at the start, with its default.
TRUTHS: Final = {
    "ENABLE_HSTS": False,
    "REDIS_TLS": False,
    "REDIS_TLS_VERIFY": True,
    "ENABLE_PPROF": False,
    "PATCHMON_WORKER_INSIDE": True,
    "LIBRARY_ALLOW_FILE_URLS": False,
    "PATCHMON_DEVELOPMENT": False,
}
#: Every limit of a body, with its default.
SIZES: Final = {"JSON_BODY_LIMIT": "5mb", "AGENT_UPDATE_BODY_LIMIT": "5mb", "AGENT_PING_BODY_LIMIT": "8kb"}
UTC: Final = "UTC"
#: What pages may store: how the server behaves, never where its services and secrets are.
STORABLE: Final = frozenset(
    {*NUMBERS, *TRUTHS, *SIZES, "TRUST_PROXY"}
    - {
        "PORT",
        "REDIS_PORT",
        "REDIS_DB",
        "REDIS_TLS",
        "REDIS_TLS_VERIFY",
        "PM_DB_CONN_MAX_ATTEMPTS",
        "PM_DB_CONN_WAIT_INTERVAL",
        "PATCHMON_WORKER_INSIDE",
        "LIBRARY_ALLOW_FILE_URLS",
        "PATCHMON_DEVELOPMENT",
    }
)


def truth(raw: str) -> bool:
    """Take true or false, or a word for it."""
    if raw.lower() in TRUE:
        return True
    if raw.lower() in FALSE:
        return False
    message = f"{raw!r} is neither true nor false"
    raise ValueError(message)


def whole(raw: str) -> int:
    """Take a whole number."""
    if not (raw.isascii() and raw.removeprefix("-").isdecimal()) or len(raw) > 15:  # noqa: PLR2004 (keeps int() small)
        message = "must be a whole number"
        raise ValueError(message)
    return int(raw)


def level(raw: str) -> str:
    """Take the name of a level, in small letters."""
    return _one_of(raw, LEVELS)


def log_format(raw: str) -> str:
    """Take the shape of log lines."""
    return _one_of(raw, LOG_FORMATS)


def mode(raw: str) -> str:
    """Take the mode the server runs in."""
    return _one_of(raw, ("production", "development"))


def _one_of(raw: str, words: tuple[str, ...]) -> str:
    if raw not in words:
        message = f"must be {', '.join(words[:-1])} or {words[-1]}"
        raise ValueError(message)
    return raw


def trust(raw: str) -> str:
    """Take true, false or a list of networks."""
    return raw if raw.lower() in TRUE | FALSE else networks(raw, "true, false or ")


def networks(raw: str, otherwise: str = "") -> str:
    """Take a list of networks."""
    try:
        for part in raw.split(","):
            ip_network(part.strip(), strict=False)
    except ValueError as error:
        message = f"must be {otherwise}networks such as 10.0.0.0/8, comma-separated"
        raise ValueError(message) from error
    return raw


def size(raw: str) -> int:
    """Take a size such as 512kb; a bare number means megabytes."""
    match = _SIZE.match(raw.lower())
    if match is None or int(match[1]) < 1:
        message = "must be a size such as 5mb"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


def duration_seconds(raw: str) -> int:
    """Take a duration such as 30s, 15m, 2h or 7d."""
    match = _DURATION.match(raw)
    if match is None or int(match[1]) < 1:
        message = "must be a duration such as 15m, 2h or 7d"
        raise ValueError(message)
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def duration_or_days_seconds(raw: str) -> int:
    """Take a duration such as 36h; a bare number means days."""
    return duration_seconds(f"{raw}d" if raw.isdecimal() else raw)


def zone(raw: str) -> str:
    """Take the IANA name of a time zone."""
    try:
        ZoneInfo(raw)
    except (KeyError, ValueError, OSError) as error:
        message = "must be the name of a time zone such as Europe/London"
        raise ValueError(message) from error
    return raw


def url(raw: str) -> str:
    """Take an http or https URL; a slash at its end is dropped."""
    try:
        parts = urlsplit(raw)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not raw.isprintable() or " " in raw:
        message = "must be a URL such as https://patchmon.example.com"
        raise ValueError(message)
    return raw.rstrip("/")


def address(raw: str) -> str:
    """Take a host and a port such as guacd:4822."""
    match = _ADDRESS.match(raw)
    if match is None or not _PORTS[0] <= int(match["port"]) <= _PORTS[1]:
        message = "must be a host and a port such as 127.0.0.1:4822"
        raise ValueError(message)
    return raw


def absolute(raw: str) -> Path:
    """Take a path that begins at the root."""
    if not raw.startswith("/"):
        message = "must be an absolute path"
        raise ValueError(message)
    return Path(raw)


def readable(raw: str) -> Path:
    """Take the path of a file that can be read now."""
    try:
        with Path(raw).open("rb"):
            return Path(raw)
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        raise ValueError(message) from error


def readable_or_none(raw: str) -> Path | None:
    """Take the path of a file, or nothing where it cannot be read: an older file may still name it."""
    try:
        return readable(raw)
    except ValueError:
        return None


def default_of(name: str) -> str:
    """Return the default of a variable that can be stored, as text."""
    if name in NUMBERS:
        return str(NUMBERS[name].default)
    return SIZES.get(name, "true" if TRUTHS.get(name) else "false")
