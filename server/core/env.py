"""The only reader of the environment: every variable at once into a frozen object, or every complaint at once."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, TypeVar

from server.core.secretbox import Secret

Value = TypeVar("Value")

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})
#: Of a bare number megabytes are meant, as older files have it.
_UNITS: Final = {"": 1024**2, "kb": 1024, "k": 1024, "mb": 1024**2, "m": 1024**2, "gb": 1024**3, "b": 1}
_LINE: Final = re.compile(
    r"""^\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
    (?:'(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<bare>.*?))\s*(?:(?:^|(?<=\s)|(?<=['"]))\#.*)?$""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")
_OTHER: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class BadEnvironment(Exception):
    """Variables that cannot be used; ``complaints`` has one sentence for each."""

    def __init__(self, complaints: list[str]) -> None:
        self.complaints = complaints
        super().__init__("; ".join(complaints))


@dataclass(frozen=True, slots=True)
class Env:
    """What the operator decided before the start.

    Attributes:
        database_url: libpq URL or DSN; empty means embedded.
        redis_url: URL of Redis or Valkey; empty means embedded.
        master_key: seals stored secrets and peppers machine keys; generated in the embedded mode.
        metrics_token: lets monitoring read ``/metrics``; without one there is no such page.
        data_dir: where the embedded services keep their data.
        body_limit_bytes, update_body_limit_bytes, ping_body_limit_bytes: bodies above are answered with 413.
        worker_inside: whether ``serve`` also starts a worker (all in one).
        given: every variable as it was found, for the operator settings that the environment overrides.
    """

    database_url: Secret[str] = field(default_factory=lambda: Secret(""))
    redis_url: Secret[str] = field(default_factory=lambda: Secret(""))
    master_key: Secret[str] = field(default_factory=lambda: Secret(""))
    jwt_secret: Secret[str] = field(default_factory=lambda: Secret(""))
    metrics_token: Secret[str] = field(default_factory=lambda: Secret(""))
    data_dir: Path = Path("data")
    host: str = "0.0.0.0"  # noqa: S104 (agents reach the server from everywhere; TLS ends at the proxy)
    port: int = 3000
    log_level: str = "info"
    database_pool: int = 30
    body_limit_bytes: int = 5 * 1024**2
    update_body_limit_bytes: int = 5 * 1024**2
    ping_body_limit_bytes: int = 8 * 1024
    trust_proxy: str = ""
    hsts: bool = False
    session_idle_minutes: int = 30
    agents_dir: Path = Path("dist")
    worker_inside: bool = True
    development: bool = False
    given: Secret[Mapping[str, str]] = field(default_factory=lambda: Secret({}))

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL and Valkey are ours to run."""
        return not self.database_url.reveal() and not self.redis_url.reveal()


def read(
    variables: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    also: Callable[[Mapping[str, str]], list[str]] = lambda _: [],
) -> Env:
    """Read the process's environment (or the given variables); raises ``BadEnvironment`` with all complaints.

    Args:
        variables: instead of the process's environment and the file ``.env``.
        defaults: a command's own: they count where the operator said nothing.
        also: complains about variables that others read.
    """
    given = _with_file({"ENV_FILE": ".env", **os.environ} if variables is None else variables)
    reader = _Reader({**(defaults or {}), **given})
    env = Env(
        database_url=Secret(reader.text("DATABASE_URL", "")),
        redis_url=Secret(reader.redis_url()),
        master_key=Secret(reader.text("AI_ENCRYPTION_KEY", "") or reader.text("SESSION_SECRET", "")),
        jwt_secret=Secret(reader.text("JWT_SECRET", "")),
        metrics_token=Secret(reader.text("METRICS_TOKEN", "")),
        data_dir=Path(reader.text("PATCHMON_DATA_DIR", "/var/lib/patchmon" if os.geteuid() == 0 else "data")),
        host=reader.text("HOST", "0.0.0.0"),  # noqa: S104 (as above)
        port=reader.get("PORT", 3000, _port),
        log_level=reader.get("LOG_LEVEL", "info", _level),
        database_pool=reader.get("DB_CONNECTION_LIMIT", 30, _positive),
        body_limit_bytes=reader.get("JSON_BODY_LIMIT", 5 * 1024**2, _size),
        update_body_limit_bytes=reader.get("AGENT_UPDATE_BODY_LIMIT", 5 * 1024**2, _size),
        ping_body_limit_bytes=reader.get("AGENT_PING_BODY_LIMIT", 8 * 1024, _size),
        trust_proxy=reader.get("TRUST_PROXY", "", _trust),
        hsts=reader.get("ENABLE_HSTS", default=False, cast=_truth),
        session_idle_minutes=reader.get("SESSION_INACTIVITY_TIMEOUT_MINUTES", 30, _positive),
        agents_dir=Path(reader.text("AGENT_BINARIES_DIR", "") or reader.text("AGENTS_DIR", "dist")),
        worker_inside=reader.get("PATCHMON_WORKER_INSIDE", default=True, cast=_truth),
        development=reader.get("PATCHMON_DEVELOPMENT", default=False, cast=_truth),
        given=Secret(given),
    )
    reader.demand_secrets(env)
    reader.complaints += also(given)
    if reader.complaints:
        raise BadEnvironment(reader.complaints)
    return env


def _with_file(variables: Mapping[str, str]) -> dict[str, str]:
    path = variables.get("ENV_FILE", "")
    try:
        text = Path(path).read_text("utf-8-sig", errors="replace") if path else ""
    except OSError:
        # Whoever sets everything in the process's environment has no file.
        text = ""
    said = {name: value for name, value in variables.items() if value.strip()}
    return {**variables, **from_file(text, said), **said}


def from_file(text: str, outer: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a file in the usual form: ``KEY=value``, quotes, comments, ``${OTHER}``.

    ``outer`` is where other names are looked up first. Single quotes keep everything as it is.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            found[match["name"]] = _value(match, {**found, **outer})
    return found


def _value(line: re.Match[str], known: Mapping[str, str]) -> str:
    if line["single"] is not None:
        return line["single"]
    raw = line["bare"]
    if line["double"] is not None:
        raw = _ESCAPE.sub(lambda escaped: {"n": "\n", "t": "\t"}.get(escaped[1], escaped[1]), line["double"])
    return _OTHER.sub(lambda other: known.get(other[1], ""), raw)


def client(variables: Mapping[str, str] | None = None) -> tuple[str, Secret[str]]:
    """Return the server's URL and the token the command line uses as an API client."""
    source = os.environ if variables is None else variables
    return source.get("PATCHMON_URL", "http://127.0.0.1:3000"), Secret(source.get("PATCHMON_TOKEN", ""))


class _Reader:
    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self.complaints: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._source.get(name, default).strip()

    def get(self, name: str, default: Value, cast: Callable[[str], Value]) -> Value:
        raw = self._source.get(name)
        if raw is None or not raw.strip():
            return default
        try:
            return cast(raw.strip())
        except ValueError as error:
            self.complaints.append(f"config: {name}: {error}")
            return default

    def redis_url(self) -> str:
        url = self.text("REDIS_URL", "")
        host = self.text("REDIS_HOST", "")
        if url or not host:
            return url
        password = self.text("REDIS_PASSWORD", "")
        user = self.text("REDIS_USER", "")
        credentials = f"{user}:{password}@" if password else ""
        port = self.get("REDIS_PORT", 6379, _port)
        scheme = "rediss" if self.get("REDIS_TLS", default=False, cast=_truth) else "redis"
        database = self.get("REDIS_DB", 0, _natural)
        return f"{scheme}://{credentials}{host}:{port}/{database}"

    def demand_secrets(self, env: Env) -> None:
        if env.embedded:
            return
        if not env.database_url.reveal():
            self.complaints.append(
                "config: DATABASE_URL is required (or leave out REDIS_HOST too to run the embedded services)"
            )
        if not env.redis_url.reveal():
            self.complaints.append(
                "config: REDIS_HOST is required (or leave out DATABASE_URL too to run the embedded services)"
            )
        if not env.master_key.reveal():
            self.complaints.append("config: AI_ENCRYPTION_KEY or SESSION_SECRET is required")
        if not env.jwt_secret.reveal():
            self.complaints.append("config: JWT_SECRET is required")


def _truth(raw: str) -> bool:
    if raw.lower() in _TRUE:
        return True
    if raw.lower() in _FALSE:
        return False
    message = f"{raw!r} is neither true nor false"
    raise ValueError(message)


def _whole(raw: str) -> int:
    if not raw.removeprefix("-").isdecimal():
        message = "must be a whole number"
        raise ValueError(message)
    return int(raw)


def _natural(raw: str) -> int:
    number = _whole(raw)
    if number < 0:
        message = "must not be negative"
        raise ValueError(message)
    return number


def _positive(raw: str) -> int:
    number = _whole(raw)
    if number < 1:
        message = "must be at least 1"
        raise ValueError(message)
    return number


def _port(raw: str) -> int:
    number = _whole(raw)
    if not 0 < number < 65536:  # noqa: PLR2004 (the range of ports)
        message = "must be a port, 1 to 65535"
        raise ValueError(message)
    return number


def _level(raw: str) -> str:
    if raw not in {"debug", "info", "warn", "error"}:
        message = "must be debug, info, warn or error"
        raise ValueError(message)
    return raw


def _trust(raw: str) -> str:
    if raw.lower() in _TRUE | _FALSE:
        return raw
    try:
        for part in raw.split(","):
            ip_network(part.strip(), strict=False)
    except ValueError as error:
        message = "must be true, false or networks such as 10.0.0.0/8, comma-separated"
        raise ValueError(message) from error
    return raw


def _size(raw: str) -> int:
    digits = raw.lower().rstrip("kmgb")
    unit = raw.lower()[len(digits) :]
    if unit not in _UNITS or not digits.strip().isdigit():
        message = "must be a size such as 5mb"
        raise ValueError(message)
    return int(digits) * _UNITS[unit]
