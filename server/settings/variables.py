"""The catalogue of environment variables, as the page shows them; operator settings among them can be edited there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.core import env_values
from server.settings.models import Effective, Source, Variable
from server.settings.rules import BY_NAME, CATALOGUE, given, take_number, take_truth

CATEGORIES: Final = (
    "Database",
    "Server",
    "Logging",
    "Jobs",
    "Authentication",
    "Password policy",
    "Single sign-on",
    "Server performance",
    "Rate limits",
    "Redis",
    "Encryption",
    "Deployment",
)
MASK: Final = "••••••••"
_SIZING: Final = (
    "1 to 10 hosts need 15, 10 to 50 need 30, more need 50 or more with a pool timeout of 30, 1000 and more need 60 to "
    "100. Estimate: 2 per host, 2 per person at work at the same time, and 5. Keep 20 to 30 % in reserve and raise in "
    "steps of 10. All server processes together need less than PostgreSQL's max_connections."
)
_SOURCES: Final[dict[bool, Source]] = {True: "env", False: "default"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one variable.

    Attributes:
        default: as text; only shown, for what is read at the start.
        setting: the operator setting that it decides.
        storable: it is read at the start, and a stored value counts from the next one on.
        advice: more than fits into a list, for the page where it is edited.
    """

    key: str
    category: str
    description: str
    default: str = ""
    setting: str = ""
    sensitive: bool = False
    storable: bool = False
    advice: str = ""


def _set(category: str, name: str, description: str) -> Known:
    return Known(BY_NAME[name].variable, category, description, setting=name)


#: Changed under Settings → OIDC / SSO; this page only shows them.
_SIGN_ON: Final = (
    _set("Single sign-on", "oidc_enabled", "People may sign in with an OpenID provider"),
    _set("Single sign-on", "oidc_issuer_url", "The provider, where its discovery document is"),
    _set("Single sign-on", "oidc_client_id", "As whom the provider knows this server"),
    Known("OIDC_CLIENT_SECRET", "Single sign-on", "How this server proves that to the provider", sensitive=True),
    _set("Single sign-on", "oidc_redirect_uri", "Where the provider sends people back to"),
    _set("Single sign-on", "oidc_scopes", "What is asked of the provider"),
    _set("Single sign-on", "oidc_enforce_https", "Neither the provider nor the sign-in may use plain http"),
    _set("Single sign-on", "oidc_auto_create_users", "Unknown people get an account when they first sign in"),
    _set("Single sign-on", "oidc_default_role", "Their role when no group says another"),
    _set("Single sign-on", "oidc_disable_local_auth", "No passwords, for as long as the provider can be reached"),
    _set("Single sign-on", "oidc_button_text", "What the sign-in page offers"),
    _set("Single sign-on", "oidc_post_logout_uri", "Where people arrive after signing out"),
    _set("Single sign-on", "oidc_session_ttl", "Seconds between leaving for the provider and coming back"),
    _set("Single sign-on", "oidc_sync_roles", "Groups decide the role at every sign-in"),
    _set("Single sign-on", "oidc_superadmin_group", "Whose members are superadmin"),
    _set("Single sign-on", "oidc_admin_group", "Whose members are admin"),
    _set("Single sign-on", "oidc_host_manager_group", "Whose members are host manager"),
    _set("Single sign-on", "oidc_user_group", "Whose members are user"),
    _set("Single sign-on", "oidc_readonly_group", "Whose members are readonly"),
    Known("DISCORD_API_URL", "Single sign-on", "Where Discord is", "https://discord.com/api"),
    Known("DISCORD_CDN_URL", "Single sign-on", "Where its pictures are", "https://cdn.discordapp.com"),
    Known("MICROSOFT_GRAPH_URL", "Single sign-on", "Where Entra's photos are", "https://graph.microsoft.com/v1.0"),
)


def _boot(category: str, key: str, description: str, advice: str = "") -> Known:
    return Known(key, category, description, env_values.default_of(key), storable=True, advice=advice)


VARIABLES: Final = (
    Known(
        "DATABASE_URL", "Database", "Where PostgreSQL is; embedded when neither it nor Redis is named", sensitive=True
    ),
    Known("PM_DB_CONN_MAX_ATTEMPTS", "Database", "How often the start tries to connect", "30"),
    Known("PM_DB_CONN_WAIT_INTERVAL", "Database", "Seconds between two tries", "2"),
    _boot("Database", "DB_CONNECTION_LIMIT", "Connections per server process", _SIZING),
    _boot("Database", "DB_POOL_TIMEOUT", "Seconds to wait for a free connection; 30 with 50 hosts and more"),
    _boot("Database", "DB_CONNECT_TIMEOUT", "Seconds to open a connection"),
    _boot("Database", "DB_IDLE_TIMEOUT", "Seconds after which a connection that nobody uses is closed; 0 is never"),
    _boot("Database", "DB_MAX_LIFETIME", "Seconds after which a connection is replaced, however busy; 0 is never"),
    Known("HOST", "Server", "Address to listen on", "0.0.0.0"),  # noqa: S104 (shown, not bound)
    Known("PORT", "Server", "Port to listen on", "3000"),
    _set("Server", "cors_origin", "Origins whose pages may use the API; the first names of the server too"),
    Known("APP_ENV", "Server", "Mode: production or development; NODE_ENV is its older name", "production"),
    _boot("Server", "ENABLE_HSTS", "Tells browsers to use https only"),
    _boot("Server", "TRUST_PROXY", "Whose forwarded headers are believed: true, or networks"),
    Known("FRONTEND_URL", "Server", "Where people are led after signing out at their provider"),
    Known("OUTBOUND_ALLOW_PRIVATE", "Server", "Private networks that URLs given by people may lead to"),
    Known("METRICS_TOKEN", "Logging", "Lets monitoring read /metrics; without it there is none", sensitive=True),
    _set("Logging", "enable_logging", "More than warnings, errors and the start is written"),
    _set("Logging", "log_level", "The least important lines that are written: debug, info, warn or error"),
    Known("LOG_FORMAT", "Logging", "Shape of the lines: logfmt or json", "logfmt"),
    _boot("Logging", "ENABLE_PPROF", "Administrators may profile the server under /debug/pprof"),
    _boot("Logging", "MEMSTATS_INTERVAL_SEC", "Seconds between two lines about memory, while profiling is on"),
    _set("Logging", "audit_retention_days", "Days that entries of the audit log are kept; 0 is for ever"),
    _set("Jobs", "job_event_retention_days", "Days that output and events of jobs are kept, in months; 0 is for ever"),
    _set("Jobs", "job_retention_days", "Days that jobs are kept, never fewer than their events; 0 is for ever"),
    _boot("Jobs", "PATCH_RUN_STALL_TIMEOUT_MIN", "Silent minutes that end an existing agent's patch run"),
    _set("Jobs", "patch_stale_days", "Days after which a host that was not patched counts as stale"),
    Known("JWT_SECRET", "Authentication", "Signs sign-ins; another one signs everybody out", sensitive=True),
    Known("JWT_EXPIRES_IN", "Authentication", "How long an access token is good before it has to be renewed", "1h"),
    _set("Authentication", "session_days", "Days after which a session ends, however busy"),
    _set("Authentication", "browser_session_cookies", "Sign-ins end with the browser"),
    _set("Authentication", "max_login_attempts", "Wrong passwords in a row that lock an account"),
    _set("Authentication", "lockout_duration_minutes", "Minutes that an account stays locked"),
    _boot("Authentication", "SESSION_INACTIVITY_TIMEOUT_MINUTES", "Minutes without doing anything that end a session"),
    _set("Authentication", "max_tfa_attempts", "Wrong codes in a row that close the second step"),
    _set("Authentication", "tfa_lockout_duration_minutes", "Minutes that the second step stays closed"),
    _set("Authentication", "tfa_suspicious_threshold", "Wrong codes in a row that the log warns of"),
    _set("Authentication", "tfa_remember_days", "Days that a trusted browser needs no code"),
    _set("Authentication", "tfa_max_remember_sessions", "Trusted browsers per person"),
    _set("Authentication", "two_factor_required", "Who has to have a second factor: nobody, roles or everyone"),
    _set("Authentication", "two_factor_roles", "Roles that have to, when it is roles"),
    _set("Authentication", "two_factor_grace_days", "Days they may go on without one"),
    _set("Authentication", "default_user_role", "Role of new people when none is chosen"),
    _set("Password policy", "password_min_length", "Characters that a password needs at least"),
    _set("Password policy", "password_require_uppercase", "A password needs a capital letter"),
    _set("Password policy", "password_require_lowercase", "A password needs a small letter"),
    _set("Password policy", "password_require_number", "A password needs a digit"),
    _set("Password policy", "password_require_special", "A password needs a special character"),
    *_SIGN_ON,
    _boot("Server performance", "JSON_BODY_LIMIT", "Requests with a larger body are refused"),
    _boot("Server performance", "AGENT_UPDATE_BODY_LIMIT", "The same for reports of hosts"),
    _boot("Server performance", "AGENT_PING_BODY_LIMIT", "The same for check-ins of hosts"),
    _boot("Server performance", "DB_TRANSACTION_MAX_WAIT", "Milliseconds to wait for a transaction and each lock"),
    _boot("Server performance", "DB_TRANSACTION_TIMEOUT", "Milliseconds that a transaction may take"),
    _boot("Server performance", "DB_TRANSACTION_LONG_TIMEOUT", "Milliseconds for storing whole inventories"),
    _set("Rate limits", "rate_limit_window_ms", "Window of people and their tokens, in milliseconds"),
    _set("Rate limits", "rate_limit_max", "Requests of people and their tokens from one address within the window"),
    _set("Rate limits", "auth_rate_limit_window_ms", "Window of sign-ins, in milliseconds"),
    _set("Rate limits", "auth_rate_limit_max", "Sign-ins from one address within the window"),
    _set("Rate limits", "agent_rate_limit_window_ms", "Window of hosts, in milliseconds"),
    _set("Rate limits", "agent_rate_limit_max", "Check-ins and reports from one address within the window"),
    _set("Rate limits", "password_rate_limit_window_ms", "Window of password changes, in milliseconds"),
    _set("Rate limits", "password_rate_limit_max", "Password changes from one address within the window"),
    Known("REDIS_URL", "Redis", "Where Redis is, as one URL", sensitive=True),
    Known("REDIS_HOST", "Redis", "Where Redis is, when there is no URL"),
    Known("REDIS_PORT", "Redis", "Its port", "6379"),
    Known("REDIS_USER", "Redis", "Its user; empty for the password alone"),
    Known("REDIS_PASSWORD", "Redis", "Its password", sensitive=True),
    Known("REDIS_DB", "Redis", "Its database", "0"),
    Known("REDIS_TLS", "Redis", "Whether the connection is encrypted", "false"),
    Known("REDIS_TLS_VERIFY", "Redis", "Whether its certificate is checked", "true"),
    Known("REDIS_TLS_CA", "Redis", "File of the authority that signed it, when that is not a public one"),
    _boot("Redis", "REDIS_CONNECT_TIMEOUT_MS", "Milliseconds to connect"),
    _boot("Redis", "REDIS_COMMAND_TIMEOUT_MS", "Milliseconds for each command"),
    Known("AI_ENCRYPTION_KEY", "Encryption", "Seals what is stored as a secret", sensitive=True),
    Known("SECRET_ENCRYPTION_KEY", "Encryption", "Does so when AI_ENCRYPTION_KEY is not set", sensitive=True),
    Known("SESSION_SECRET", "Encryption", "Does so when neither is set", sensitive=True),
    _set("Deployment", "timezone", "Zone of the schedules and of log lines; the database and the API stay in UTC"),
    Known("AGENT_BINARIES_DIR", "Deployment", "Agent files offered to hosts", "dist"),
    Known("AGENTS_DIR", "Deployment", "The older name of AGENT_BINARIES_DIR"),
    Known("SSG_CONTENT_DIR", "Deployment", "Compliance content for hosts", "ssg-content"),
    Known("GUACD_PATH", "Deployment", "Program of the gateway to remote desktops; empty looks for it"),
    Known("GUACD_ADDRESS", "Deployment", "Where that gateway runs", "127.0.0.1:4822"),
    Known("METRICS_API_URL", "Deployment", "Where usage figures would go; this server sends none"),
    Known("NODE_EXTRA_CA_CERTS", "Deployment", "File of further authorities that outgoing connections believe"),
    Known("PATCHMON_DATA_DIR", "Deployment", "Data of the embedded services", "data"),
    Known("LIBRARY_ALLOW_FILE_URLS", "Deployment", "Projects may come from this server's own disk", "false"),
    Known("PATCHMON_WORKER_INSIDE", "Deployment", "Whether the server does background work itself", "true"),
    Known("PATCHMON_DEVELOPMENT", "Deployment", "Pages for developers", "false"),
    _set("Deployment", "newsletter_url", "Takes who asks for the newsletter at the set-up; empty: none is offered"),
    _set("Deployment", "disabled_modules", "Capability modules that are switched off"),
)
BY_KEY: Final = {known.key: known for known in VARIABLES}


def described(known: Known, variables: Mapping[str, str], effective: Effective, stored: Mapping[str, Any]) -> Variable:
    """Return one variable with what is in force; nothing of a secret but whether it is set."""
    if known.setting:
        return _of_setting(known, variables, effective, stored)
    if known.storable:
        return _of_start(known, variables, stored)
    text = variables.get(known.key, "").strip()
    shown = (MASK if text else None) if known.sensitive else (text or known.default or None)
    return Variable(
        key=known.key,
        category=known.category,
        description=known.description,
        effective_value=shown,
        source=_SOURCES[bool(text)],
        default=known.default or None,
        database_value=None,
        conflict=False,
        editable=False,
        sensitive=known.sensitive,
        requires_restart=True,
        type="text",
    )


def _of_setting(
    known: Known, variables: Mapping[str, str], effective: Effective, stored: Mapping[str, Any]
) -> Variable:
    setting = BY_NAME[known.setting]
    is_stored = known.setting in stored
    take = setting.take
    return Variable(
        key=known.key,
        category=known.category,
        description=known.description,
        effective_value=as_text(getattr(effective.settings, known.setting)),
        source=effective.sources[known.setting],
        default=as_text(setting.default),
        database_value=as_text(stored[known.setting]) if is_stored else None,
        conflict=is_stored and bool(given(setting, variables)),
        editable=not setting.apart,
        sensitive=False,
        requires_restart=False,
        type="number" if isinstance(take, take_number) else "boolean" if take is take_truth else "text",
        allowed=("true", "false") if take is take_truth else (),
        min=take.least if isinstance(take, take_number) else None,
        max=take.most if isinstance(take, take_number) else None,
    )


def _of_start(known: Known, variables: Mapping[str, str], stored: Mapping[str, Any]) -> Variable:
    said = variables.get(known.key, "").strip()
    kept = str(stored[known.key]) if known.key in stored else None
    source: Source = "env" if said else "database" if kept is not None else "default"
    limits = env_values.NUMBERS.get(known.key)
    is_truth = known.key in env_values.TRUTHS
    return Variable(
        key=known.key,
        category=known.category,
        description=known.description,
        effective_value=said or (known.default if kept is None else kept),
        source=source,
        default=known.default,
        database_value=kept,
        conflict=bool(said) and kept is not None,
        editable=True,
        sensitive=False,
        requires_restart=True,
        type="number" if limits else "boolean" if is_truth else "text",
        allowed=("true", "false") if is_truth else (),
        min=limits.least if limits else None,
        max=limits.most if limits else None,
        advice=known.advice,
    )


def as_text(value: object) -> str:
    """Return a value as it would stand in the environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def uncatalogued() -> set[str]:
    """Return the variables of settings that the catalogue forgot; those of the server URL have a page of their own."""
    return {one.variable for one in CATALOGUE if one.variable and not one.initial} - BY_KEY.keys()
