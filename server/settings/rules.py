"""The catalogue of settings, and how environment, stored value and default make the effective one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from server.core import env_values
from server.settings import colours
from server.settings.models import Effective, Settings, Source

_HOST: Final = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$|^[0-9a-fA-F:]*:[0-9a-fA-F:.]+$")
_ROLE: Final = re.compile(r"^[a-z][a-z0-9_]{1,49}$")
_DURATION: Final = re.compile(r"^(\d{1,6})([smhd])$")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAY_SECONDS: Final = 86400
_TEXT_MOST: Final = 200
_URL_MOST: Final = 2000
_STANDARD_PORTS: Final = {"http": 80, "https": 443}
_WINDOW_MS: Final = (1000, 86_400_000)
_MOST: Final = (1, 10_000_000)
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: its field in ``Settings``, its key in the table and in JSON.
        default: its value when nobody decided.
        take: turns JSON or text into the value; raises ``ValueError`` with a sentence.
        variable: the environment variable that decides over the stored value; empty when there is none.
        initial: the variable is only the value before anyone stored one.
        older: an older name of the variable; it still decides where it is set.
        fallback: another name, for where neither of these is set.
        apart: it is changed on a page of its own, which checks more than the value.
    """

    name: str
    default: Any
    take: Callable[[Any], Any]
    variable: str = ""
    initial: bool = False
    older: str = ""
    fallback: str = ""
    apart: bool = False


def take_truth(value: Any) -> bool:
    """Take true or false, or a word for it."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    message = "must be true or false"
    raise ValueError(message)


@dataclass(frozen=True, slots=True)
class take_number:  # noqa: N801 (a function that says its limits)
    """Take a whole number within its limits."""

    least: int
    most: int

    def __call__(self, value: Any) -> int:
        """Return the number."""
        text = str(value).strip()
        if isinstance(value, bool) or not text.isdecimal() or not self.least <= int(text) <= self.most:
            message = f"must be a whole number from {self.least} to {self.most}"
            raise ValueError(message)
        return int(text)


def one_of(*words: str) -> Callable[[Any], str]:
    """Take one of a few words."""

    def take(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in words:
            message = f"must be one of {', '.join(words)}"
            raise ValueError(message)
        return text

    return take


def host(value: Any) -> str:
    """Take a DNS name or an IP address, with or without the brackets of IPv6."""
    text = str(value).strip().removeprefix("[").removesuffix("]")
    if not _HOST.match(text):
        message = "must be a host name or an IP address"
        raise ValueError(message)
    return text


def role(value: Any) -> str:
    """Take the key of a role; the name older versions had for readonly is still understood."""
    text = str(value).strip()
    if not _ROLE.match(text):
        message = "must be the key of a role"
        raise ValueError(message)
    return "readonly" if text == "viewer" else text


def days(value: Any) -> int:
    """Take a duration such as 7d or 36h, or a number of days; parts of a day count as one."""
    text = str(value).strip()
    match = _DURATION.match(text if text[-1:].isalpha() else f"{text}d")
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else 0
    if not 0 < seconds <= 3650 * _DAY_SECONDS:
        message = "must be a duration such as 7d or 36h"
        raise ValueError(message)
    return -(-seconds // _DAY_SECONDS)


def words(value: Any) -> tuple[str, ...]:
    """Take a list of words, or one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) and part.isprintable() for part in parts):
        message = "must be a list of words"
        raise ValueError(message)
    return tuple(part.strip() for part in parts if part.strip())


def origins(value: Any) -> tuple[str, ...]:
    """Take origins such as https://a.example:8443, with commas or as a list; "*" means any."""
    return tuple(_origin(part) for part in words(value))


def _origin(given: str) -> str:
    if given == "*":
        return given
    try:
        parts = urlsplit(given.rstrip("/"))
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    fine = parts.scheme in _STANDARD_PORTS and parts.hostname and _HOST.match(parts.hostname)
    if not fine or parts.path or parts.query or parts.fragment or parts.username is not None:
        message = "must be origins such as https://patchmon.example.com, comma-separated"
        raise ValueError(message)
    name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    # As browsers write it: small letters, and no port that goes without saying.
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in {None, _STANDARD_PORTS[parts.scheme]} else "")


def text(value: Any) -> str:
    """Take one line of text."""
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value.strip()) <= _TEXT_MOST:
        message = f"must be one line of at most {_TEXT_MOST} characters"
        raise ValueError(message)
    return value.strip()


def optional(take: Callable[[Any], str]) -> Callable[[Any], str]:
    """Take nothing at all, or what ``take`` takes."""
    return lambda value: take(value) if str(value).strip() else ""


def web_address(value: Any) -> str:
    """Take an http or https URL with any path."""
    given = str(value).strip()
    try:
        parts = urlsplit(given)
        fine = parts.scheme in _STANDARD_PORTS and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        fine = False
    if not fine or parts.fragment or not given.isprintable() or " " in given or len(given) > _URL_MOST:
        message = "must be a URL such as https://login.example.com"
        raise ValueError(message)
    return given


def scopes(value: Any) -> str:
    """Take OpenID scopes with blanks between them."""
    found = str(value).split()
    if "openid" not in found or not all(word.isascii() and word.isprintable() for word in found):
        message = "must be scopes with blanks between them, openid among them"
        raise ValueError(message)
    return " ".join(found)


def built_in_role(value: Any) -> str:
    """Take one of the built-in roles; the name older versions had for readonly is still understood."""
    return one_of("superadmin", "admin", "host_manager", "user", "readonly")(role(value))


def _oidc(name: str, default: Any, take: Callable[[Any], Any]) -> Setting:
    return Setting(f"oidc_{name}", default, take, f"OIDC_{name.upper()}", apart=True)


#: Single sign-on. The secrets are not here: they are stored sealed, by the room that uses them.
SIGN_ON: Final = (
    _oidc("enabled", default=False, take=take_truth),
    _oidc("issuer_url", "", optional(web_address)),
    _oidc("client_id", "", optional(text)),
    _oidc("redirect_uri", "", optional(web_address)),
    _oidc("scopes", "openid email profile groups", scopes),
    _oidc("enforce_https", default=True, take=take_truth),
    _oidc("auto_create_users", default=False, take=take_truth),
    _oidc("default_role", "user", built_in_role),
    _oidc("disable_local_auth", default=False, take=take_truth),
    _oidc("button_text", "Login with SSO", text),
    _oidc("post_logout_uri", "", optional(web_address)),
    _oidc("session_ttl", 600, take_number(30, 86_400)),
    _oidc("sync_roles", default=False, take=take_truth),
    _oidc("superadmin_group", "", optional(text)),
    _oidc("admin_group", "", optional(text)),
    _oidc("host_manager_group", "", optional(text)),
    _oidc("user_group", "", optional(text)),
    _oidc("readonly_group", "", optional(text)),
    Setting("discord_oauth_enabled", default=False, take=take_truth, apart=True),
    Setting("discord_client_id", "", optional(text), apart=True),
    Setting("discord_redirect_uri", "", optional(web_address), apart=True),
    Setting("discord_button_text", "Login with Discord", text, apart=True),
)


def address(value: Any) -> str:
    """Take an http or https address, or nothing."""
    text = str(value).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if text and (parts.scheme not in _STANDARD_PORTS or not parts.hostname or not text.isprintable()):
        message = "must be an address that begins with http:// or https://"
        raise ValueError(message)
    return text


def zone(value: Any) -> str:
    """Take the name of a time zone."""
    return env_values.zone(text(value))


def accent(value: Any) -> str:
    """Take a colour that can be read, or nothing for ours."""
    return colours.taken(str(value)) if str(value).strip() else ""


def log_level(value: Any) -> str:
    """Take the name of a level, exactly as it is written."""
    return env_values.level(str(value).strip())


CATALOGUE: Final = (
    Setting("server_protocol", "http", one_of("http", "https"), "SERVER_PROTOCOL", initial=True),
    Setting("server_host", "localhost", host, "SERVER_HOST", initial=True),
    Setting("server_port", 3000, take_number(1, 65535), "SERVER_PORT", initial=True),
    Setting("update_interval", 60, take_number(5, 1440)),
    Setting("ignore_ssl_self_signed", default=False, take=take_truth),
    Setting("auto_update", default=False, take=take_truth),
    Setting("signup_enabled", default=False, take=take_truth),
    Setting("default_user_role", "user", role, "DEFAULT_USER_ROLE"),
    Setting("show_github_version_on_login", default=True, take=take_truth),
    Setting("timezone", "UTC", zone, "TZ", fallback="TIMEZONE"),
    Setting("session_days", 7, days, "JWT_REFRESH_EXPIRES_IN"),
    Setting("browser_session_cookies", default=False, take=take_truth, variable="AUTH_BROWSER_SESSION_COOKIES"),
    Setting("max_login_attempts", 5, take_number(1, 1000), "MAX_LOGIN_ATTEMPTS"),
    Setting("lockout_duration_minutes", 15, take_number(1, 525600), "LOCKOUT_DURATION_MINUTES"),
    Setting("max_tfa_attempts", 5, take_number(1, 1000), "MAX_TFA_ATTEMPTS"),
    Setting("tfa_lockout_duration_minutes", 30, take_number(1, 525600), "TFA_LOCKOUT_DURATION_MINUTES"),
    Setting("tfa_suspicious_threshold", 3, take_number(1, 1000), "TFA_SUSPICIOUS_ACTIVITY_THRESHOLD"),
    Setting("tfa_remember_days", 30, days, "TFA_REMEMBER_ME_EXPIRES_IN"),
    Setting("tfa_max_remember_sessions", 5, take_number(1, 100), "TFA_MAX_REMEMBER_SESSIONS"),
    Setting("two_factor_required", "nobody", one_of("nobody", "roles", "everyone"), "TFA_REQUIRED"),
    Setting("two_factor_roles", (), words, "TFA_REQUIRED_ROLES"),
    Setting("two_factor_grace_days", 7, take_number(0, 365), "TFA_GRACE_DAYS"),
    Setting("password_min_length", 8, take_number(1, 72), "PASSWORD_MIN_LENGTH"),
    Setting("password_require_uppercase", default=True, take=take_truth, variable="PASSWORD_REQUIRE_UPPERCASE"),
    Setting("password_require_lowercase", default=True, take=take_truth, variable="PASSWORD_REQUIRE_LOWERCASE"),
    Setting("password_require_number", default=True, take=take_truth, variable="PASSWORD_REQUIRE_NUMBER"),
    Setting("password_require_special", default=True, take=take_truth, variable="PASSWORD_REQUIRE_SPECIAL"),
    Setting("disabled_modules", (), words, "PATCHMON_DISABLED_MODULES"),
    Setting("cors_origin", ("http://localhost:3000",), origins, "CORS_ORIGIN", older="CORS_ORIGINS"),
    Setting("rate_limit_window_ms", 900_000, take_number(*_WINDOW_MS), "RATE_LIMIT_WINDOW_MS"),
    Setting("rate_limit_max", 5000, take_number(*_MOST), "RATE_LIMIT_MAX"),
    Setting("auth_rate_limit_window_ms", 600_000, take_number(*_WINDOW_MS), "AUTH_RATE_LIMIT_WINDOW_MS"),
    Setting("auth_rate_limit_max", 500, take_number(*_MOST), "AUTH_RATE_LIMIT_MAX"),
    Setting("agent_rate_limit_window_ms", 60_000, take_number(*_WINDOW_MS), "AGENT_RATE_LIMIT_WINDOW_MS"),
    Setting("agent_rate_limit_max", 1000, take_number(*_MOST), "AGENT_RATE_LIMIT_MAX"),
    Setting("password_rate_limit_window_ms", 900_000, take_number(*_WINDOW_MS), "PASSWORD_RATE_LIMIT_WINDOW_MS"),
    Setting("password_rate_limit_max", 5, take_number(*_MOST), "PASSWORD_RATE_LIMIT_MAX"),
    Setting("newsletter_url", "", address, "NEWSLETTER_URL"),
    Setting("audit_retention_days", 365, take_number(0, 36_500), "AUDIT_RETENTION_DAYS"),
    Setting("job_event_retention_days", 90, take_number(0, 36_500), "JOB_EVENT_RETENTION_DAYS"),
    Setting("job_retention_days", 400, take_number(0, 36_500), "JOB_RETENTION_DAYS"),
    Setting("patch_stale_days", 30, take_number(1, 3650), "PATCH_STALE_DAYS"),
    Setting("default_compliance_mode", "disabled", one_of("disabled", "on-demand", "enabled")),
    Setting("compliance_scan_interval", 1440, take_number(60, 10_080)),
    Setting("compliance_remediation_approval", "anyone", one_of("anyone", "second_person")),
    Setting("enable_logging", default=False, take=take_truth, variable="ENABLE_LOGGING"),
    Setting("log_level", "info", log_level, "LOG_LEVEL"),
    Setting("brand_name", "PatchMon", text),
    Setting("brand_accent", "", accent),
    *SIGN_ON,
)

BY_NAME: Final = {setting.name: setting for setting in CATALOGUE}
APART: Final = frozenset(setting.name for setting in CATALOGUE if setting.apart)


def effective(variables: Mapping[str, str], stored: Mapping[str, Any]) -> Effective:
    """Return what is in force: the environment decides over what is stored, that over the default."""
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for setting in CATALOGUE:
        values[setting.name], sources[setting.name] = _decide(setting, variables, stored)
    return Effective(Settings(**values), sources)


def _decide(setting: Setting, variables: Mapping[str, str], stored: Mapping[str, Any]) -> tuple[Any, Source]:
    text = given(setting, variables)
    if text and not (setting.initial and setting.name in stored):
        return setting.take(text), "env"
    if setting.name in stored:
        return setting.take(stored[setting.name]), "database"
    return setting.default, "default"


def given(setting: Setting, variables: Mapping[str, str]) -> str:
    """Return what the environment says about a setting; empty when nothing."""
    names = [name for name in (setting.older, setting.variable, setting.fallback) if name]
    return next((text for name in names if (text := variables.get(name, "").strip())), "")


def complaints(variables: Mapping[str, str]) -> list[str]:
    """Return one sentence for each variable whose value its setting does not take."""
    found = []
    for setting in CATALOGUE:
        try:
            setting.take(given(setting, variables) or setting.default)
        except ValueError as error:
            found.append(f"config: {setting.variable}: {error}")
    return found


def checked(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that can be stored and a complaint for each that cannot; unknown names are left out."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in changes.items():
        if name not in BY_NAME:
            continue
        try:
            values[name] = BY_NAME[name].take(value)
        except ValueError as error:
            wrong[name] = str(error)
    return values, wrong


def url_parts(url: str) -> dict[str, Any]:
    """Return the three settings that a URL such as ``https://patch.example.com:8443`` stands for.

    Raises ``ValueError`` with a sentence when it is not such a URL.
    """
    try:
        parts = urlsplit(url.strip() if "://" in url else f"http://{url.strip()}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        message = "must be a URL such as https://patchmon.example.com, without a path"
        raise ValueError(message)
    return {
        "server_protocol": parts.scheme,
        "server_host": host(parts.hostname),
        "server_port": port or (443 if parts.scheme == "https" else 80),
    }
