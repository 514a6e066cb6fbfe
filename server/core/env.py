"""The only reader of the environment: every variable at once into a frozen object, or every complaint at once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from server.core import env_values as values
from server.core.env_file import from_file, with_file
from server.core.secretbox import Secret

__all__ = [
    "BadEnvironment",
    "DatabaseLimits",
    "Env",
    "RedisLink",
    "client",
    "from_file",
    "read",
    "refusal",
    "with_stored",
]

Value = TypeVar("Value")

_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 (agents reach the server from everywhere; TLS ends at the proxy)


class BadEnvironment(Exception):
    """Variables that cannot be used; ``complaints`` has one sentence for each."""

    def __init__(self, complaints: list[str]) -> None:
        self.complaints = complaints
        super().__init__("; ".join(complaints))


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """How often and how long to try PostgreSQL.

    Attributes:
        tries, pause_seconds: at the start.
        pool_seconds: how long to wait for a free connection.
        idle_seconds, lifetime_seconds: connections that are older are closed when nobody uses them; 0 is never.
        wait_ms: how long a transaction waits for its connection and for each lock; 0 waits for ever.
        transaction_ms, long_transaction_ms: how long a transaction may take; long ones store whole inventories.
        statements: each one is logged at the level debug, without its values.
    """

    tries: int = 30
    pause_seconds: float = 2
    pool_seconds: float = 20
    connect_seconds: float = 10
    idle_seconds: float = 300
    lifetime_seconds: float = 1800
    wait_ms: int = 10_000
    transaction_ms: int = 30_000
    long_transaction_ms: int = 60_000
    statements: bool = False


@dataclass(frozen=True, slots=True)
class RedisLink:
    """How to reach Redis besides its URL."""

    verify: bool = True
    authority: Path | None = None
    connect_ms: int = 60_000
    command_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Env:
    """What the operator decided before the start.

    Attributes:
        database_url: libpq URL or DSN; empty means embedded.
        redis_url: URL of Redis or Valkey; empty means embedded.
        master_key: seals stored secrets and peppers machine keys; generated in the embedded mode.
        derived_key: the master key had to be made of the database's URL, because there was none.
        metrics_token: lets monitoring read ``/metrics``; without one there is no such page.
        data_dir: where the embedded services keep their data.
        logging: whether more than warnings, errors and the start is written; the settings may decide otherwise later.
        zone: time zone of log lines.
        body_limit_bytes, update_body_limit_bytes, ping_body_limit_bytes: bodies above are answered with 413.
        access_seconds: how long an access token is good before the refresh token has to renew it.
        session_seconds: how long a session may live; 0: as long as the settings say.
        outbound_allow_private: networks that URLs given by people may lead to although they are not public.
        frontend_url: where people are led after signing out elsewhere; empty when nobody said.
        discord_api_url, discord_images_url, graph_url: where Discord and Microsoft Graph are; another place is for
            trying out.
        profiling: administrators may look into the process, which says every ``memory_seconds`` what it needs.
        library_files: projects of playbooks may come from repositories on the server's own disk.
        worker_inside: whether ``serve`` also starts a worker (all in one).
        given: every variable as it was found, for the operator settings that the environment overrides.
        stored: the variables among them that only count because they were stored by a page.
    """

    database_url: Secret[str] = field(default_factory=lambda: Secret(""))
    redis_url: Secret[str] = field(default_factory=lambda: Secret(""))
    master_key: Secret[str] = field(default_factory=lambda: Secret(""))
    jwt_secret: Secret[str] = field(default_factory=lambda: Secret(""))
    metrics_token: Secret[str] = field(default_factory=lambda: Secret(""))
    derived_key: bool = False
    data_dir: Path = Path("data")
    host: str = _EVERYWHERE
    port: int = 3000
    log_level: str = "info"
    log_format: str = "logfmt"
    logging: bool = False
    zone: str = values.UTC
    database_pool: int = 30
    database: DatabaseLimits = DatabaseLimits()
    redis: RedisLink = RedisLink()
    body_limit_bytes: int = 5 * 1024**2
    update_body_limit_bytes: int = 5 * 1024**2
    ping_body_limit_bytes: int = 8 * 1024
    trust_proxy: str = ""
    hsts: bool = False
    session_idle_minutes: int = 30
    access_seconds: int = 3600
    session_seconds: int = 0
    frontend_url: str = ""
    outbound_allow_private: str = ""
    discord_api_url: str = "https://discord.com/api"
    discord_images_url: str = "https://cdn.discordapp.com"
    graph_url: str = "https://graph.microsoft.com/v1.0"
    agents_dir: Path = Path("dist")
    content_dir: Path = Path("ssg-content")
    guacd_path: Path | None = None
    guacd_address: str = "127.0.0.1:4822"
    telemetry_url: str = ""
    authorities: Path | None = None
    profiling: bool = False
    memory_seconds: int = 60
    patch_stall_minutes: int = 30
    worker_inside: bool = True
    library_files: bool = False
    development: bool = False
    given: Secret[Mapping[str, str]] = field(default_factory=lambda: Secret({}))
    stored: Mapping[str, str] = field(default_factory=dict)

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
    given = with_file({"ENV_FILE": ".env", **os.environ} if variables is None else variables)
    reader = _Reader({**(defaults or {}), **given})
    env = replace(_read(reader), given=Secret(given))
    reader.demand_secrets(env)
    reader.complaints += also(given)
    if reader.complaints:
        raise BadEnvironment(list(dict.fromkeys(reader.complaints)))
    return env


def with_stored(env: Env, stored: Mapping[str, str]) -> Env:
    """Return the environment with what pages stored for it; it counts where the operator said nothing.

    Only how the server behaves can be stored, not where its services and secrets are. Raises ``BadEnvironment``.
    """
    said = {name for name, value in env.given.reveal().items() if value.strip()}
    counting = {name: value for name, value in stored.items() if name not in said and name in values.STORABLE}
    if not counting:
        return env
    reader = _Reader({**counting, **{name: text for name, text in env.given.reveal().items() if text.strip()}})
    found = _read(reader)
    if reader.complaints:
        raise BadEnvironment(reader.complaints)
    changed = {name: getattr(found, name) for name in _FROM_STORED}
    return replace(env, **changed, stored=counting)


#: What a stored variable may change.
_FROM_STORED: Final = (
    "database_pool", "database", "body_limit_bytes", "update_body_limit_bytes", "ping_body_limit_bytes",
    "trust_proxy", "hsts", "session_idle_minutes", "profiling", "memory_seconds", "redis",
    "patch_stall_minutes",
)  # fmt: skip


def refusal(name: str, value: str) -> str:
    """Return the sentence against a value of a variable that can be stored, or an empty text when it can be used."""
    reader = _Reader({name: value})
    _read(reader)
    return next((text.removeprefix(f"config: {name}: ") for text in reader.complaints), "")


def client(variables: Mapping[str, str] | None = None) -> tuple[str, Secret[str], str]:
    """Return the server's URL, the token and the name of a token's file, for the command line as an API client."""
    source = os.environ if variables is None else variables
    token = Secret(source.get("PATCHMON_TOKEN", ""))
    return source.get("PATCHMON_URL", "http://127.0.0.1:3000"), token, source.get("PATCHMON_TOKEN_FILE", "")


def _read(reader: "_Reader") -> Env:
    env = Env(
        database_url=Secret(reader.text("DATABASE_URL", "")),
        redis_url=Secret(reader.redis_url()),
        jwt_secret=Secret(reader.text("JWT_SECRET", "")),
        metrics_token=Secret(reader.text("METRICS_TOKEN", "")),
        data_dir=Path(reader.text("PATCHMON_DATA_DIR", "/var/lib/patchmon" if os.geteuid() == 0 else "data")),
        host=reader.text("HOST", _EVERYWHERE),
        port=reader.number("PORT"),
        database_pool=reader.number("DB_CONNECTION_LIMIT"),
        database=_database(reader),
        redis=_redis(reader),
        body_limit_bytes=reader.size("JSON_BODY_LIMIT"),
        update_body_limit_bytes=reader.size("AGENT_UPDATE_BODY_LIMIT"),
        ping_body_limit_bytes=reader.size("AGENT_PING_BODY_LIMIT"),
        trust_proxy=reader.get("TRUST_PROXY", "", values.trust),
        hsts=reader.truth("ENABLE_HSTS"),
        session_idle_minutes=reader.number("SESSION_INACTIVITY_TIMEOUT_MINUTES"),
        access_seconds=reader.get("JWT_EXPIRES_IN", 3600, values.duration_seconds),
        session_seconds=reader.get("JWT_REFRESH_EXPIRES_IN", 0, values.duration_or_days_seconds),
        frontend_url=reader.get("FRONTEND_URL", "", values.url),
        outbound_allow_private=reader.get("OUTBOUND_ALLOW_PRIVATE", "", values.networks),
        discord_api_url=reader.get("DISCORD_API_URL", "https://discord.com/api", values.url),
        discord_images_url=reader.get("DISCORD_CDN_URL", "https://cdn.discordapp.com", values.url),
        graph_url=reader.get("MICROSOFT_GRAPH_URL", "https://graph.microsoft.com/v1.0", values.url),
        agents_dir=Path(reader.text("AGENT_BINARIES_DIR", "") or reader.text("AGENTS_DIR", "dist")),
        content_dir=Path(reader.text("SSG_CONTENT_DIR", "ssg-content")),
        guacd_path=reader.get("GUACD_PATH", None, values.absolute),
        guacd_address=reader.get("GUACD_ADDRESS", "127.0.0.1:4822", values.address),
        telemetry_url=reader.get("METRICS_API_URL", "", values.url),
        profiling=reader.truth("ENABLE_PPROF"),
        memory_seconds=reader.number("MEMSTATS_INTERVAL_SEC"),
        patch_stall_minutes=reader.number("PATCH_RUN_STALL_TIMEOUT_MIN"),
        worker_inside=reader.truth("PATCHMON_WORKER_INSIDE"),
        library_files=reader.truth("LIBRARY_ALLOW_FILE_URLS"),
    )
    return _with_logging(reader, _with_mode(reader, _with_key(reader, env)))


def _database(reader: "_Reader") -> DatabaseLimits:
    return DatabaseLimits(
        tries=reader.number("PM_DB_CONN_MAX_ATTEMPTS"),
        pause_seconds=reader.number("PM_DB_CONN_WAIT_INTERVAL"),
        pool_seconds=reader.number("DB_POOL_TIMEOUT"),
        connect_seconds=reader.number("DB_CONNECT_TIMEOUT"),
        idle_seconds=reader.number("DB_IDLE_TIMEOUT"),
        lifetime_seconds=reader.number("DB_MAX_LIFETIME"),
        wait_ms=reader.number("DB_TRANSACTION_MAX_WAIT"),
        transaction_ms=reader.number("DB_TRANSACTION_TIMEOUT"),
        long_transaction_ms=reader.number("DB_TRANSACTION_LONG_TIMEOUT"),
        statements=reader.get("PRISMA_LOG_QUERIES", default=False, cast=lambda raw: raw == "true"),
    )


def _redis(reader: "_Reader") -> RedisLink:
    return RedisLink(
        verify=reader.truth("REDIS_TLS_VERIFY"),
        authority=reader.get("REDIS_TLS_CA", None, values.readable) if reader.truth("REDIS_TLS") else None,
        connect_ms=reader.number("REDIS_CONNECT_TIMEOUT_MS"),
        command_ms=reader.number("REDIS_COMMAND_TIMEOUT_MS"),
    )


def _with_key(reader: "_Reader", env: Env) -> Env:
    """The first of these that is set; with a database of the operator's and no key, one that is made of its URL."""
    for name in ("AI_ENCRYPTION_KEY", "SECRET_ENCRYPTION_KEY", "SESSION_SECRET"):
        if key := reader.text(name, ""):
            return replace(env, master_key=Secret(key))
    if url := env.database_url.reveal():
        return replace(env, master_key=Secret(f"database:{url}"), derived_key=True)
    return env


def _with_mode(reader: "_Reader", env: Env) -> Env:
    # The older name stops no start, whatever it says.
    older = reader.text("NODE_ENV", "")
    mode = reader.get("APP_ENV", "development" if older == "development" else "production", values.mode)
    return replace(env, development=reader.truth("PATCHMON_DEVELOPMENT") or mode == "development")


def _with_logging(reader: "_Reader", env: Env) -> Env:
    return replace(
        env,
        logging=reader.get("ENABLE_LOGGING", default=False, cast=values.truth),
        log_level=reader.get("LOG_LEVEL", "info", values.level),
        log_format=reader.get("LOG_FORMAT", "logfmt", values.log_format),
        zone=reader.get("TZ", reader.get("TIMEZONE", values.UTC, values.zone), values.zone),
        authorities=reader.get("NODE_EXTRA_CA_CERTS", None, values.readable_or_none),
    )


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

    def number(self, name: str) -> int:
        wanted = values.NUMBERS[name]
        return self.get(name, wanted.default, wanted)

    def truth(self, name: str) -> bool:
        return self.get(name, values.TRUTHS[name], values.truth)

    def size(self, name: str) -> int:
        return self.get(name, values.size(values.SIZES[name]), values.size)

    def redis_url(self) -> str:
        url = self.text("REDIS_URL", "")
        port, database = self.number("REDIS_PORT"), self.number("REDIS_DB")
        # Where PostgreSQL is the operator's, Redis is too: on this machine when nobody says where.
        host = self.text("REDIS_HOST", "localhost" if self.text("DATABASE_URL", "") else "")
        if url or not host:
            return url
        password = quote(self.text("REDIS_PASSWORD", ""), safe="")
        user = quote(self.text("REDIS_USER", ""), safe="")
        credentials = f"{user}:{password}@" if password else ""
        scheme = "rediss" if self.truth("REDIS_TLS") else "redis"
        return f"{scheme}://{credentials}{host}:{port}/{database}"

    def demand_secrets(self, env: Env) -> None:
        if env.embedded:
            return
        if not env.database_url.reveal():
            self.complaints.append(
                "config: DATABASE_URL is required (or leave out REDIS_HOST too to run the embedded services)"
            )
        if not env.jwt_secret.reveal():
            self.complaints.append("config: JWT_SECRET is required")
