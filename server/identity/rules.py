"""Pure decisions about passwords, names, sessions and where to go after signing in."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from server.core.passwords import PASSWORD_BYTES
from server.identity.models import Profile
from server.settings.models import Settings

_EMAIL: Final = re.compile(r"^[^\s@\"'<>,;]+@[^\s@\"'<>,;]+\.[^\s@\"'<>,;]+$")
_USERNAME: Final = re.compile(r"^[^\s@/\x00-\x1f\x7f]+$")
_USERNAME_LEAST: Final = 2
_LONGEST: Final = 200
_ACTIVITY_MARK: Final = timedelta(seconds=60)
_TOKEN_MARK: Final = timedelta(minutes=5)
# In the order of precedence: most browsers claim to be several others too.
_PROGRAMS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
_PLATFORMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Failures in a row are forgotten after this long without another one.
FAILURES_FADE: Final = timedelta(minutes=15)


def policy(settings: Settings) -> list[tuple[str, str]]:
    """Return the rules a password must keep, as pairs of name and sentence."""
    rules = [("min_length", f"At least {settings.password_min_length} characters")]
    if settings.password_require_uppercase:
        rules.append(("require_uppercase", "One upper-case letter"))
    if settings.password_require_lowercase:
        rules.append(("require_lowercase", "One lower-case letter"))
    if settings.password_require_number:
        rules.append(("require_number", "One digit"))
    if settings.password_require_special:
        rules.append(("require_special", "One special character"))
    return rules


def broken(password: str, settings: Settings) -> list[str]:
    """Return the sentence of every rule that ``password`` breaks."""
    keeps = {
        "min_length": len(password) >= settings.password_min_length,
        "require_uppercase": any(char.isupper() for char in password),
        "require_lowercase": any(char.islower() for char in password),
        "require_number": any(char.isdigit() for char in password),
        "require_special": any(not char.isalnum() and not char.isspace() for char in password),
    }
    found = [sentence for name, sentence in policy(settings) if not keeps[name]]
    if len(password.encode()) > PASSWORD_BYTES or "\x00" in password:
        found.append(f"At most {PASSWORD_BYTES} bytes")
    return found


def complaints(person: Profile, *, names_required: bool) -> dict[str, str]:
    """Return one sentence for each field that is not usable."""
    found: dict[str, str] = {}
    if not _USERNAME_LEAST <= len(person.username) <= _LONGEST or not _USERNAME.match(person.username):
        found["username"] = "must have at least 2 characters and no blank, @ or /"
    if len(person.email) > _LONGEST or not _EMAIL.match(person.email):
        found["email"] = "must be an email address"
    for field, value in (("first_name", person.first_name), ("last_name", person.last_name)):
        if (names_required and not value) or len(value) > _LONGEST or not value.isprintable():
            found[field] = "is required" if not value else "must be a name"
    return found


def locked_seconds(locked_until: datetime | None, now: datetime) -> int:
    """Return for how long an account is still locked, 0 when it is not; a part of a second counts as one."""
    if locked_until is None or locked_until <= now:
        return 0
    return int((locked_until - now).total_seconds()) + 1


def is_idle(last_active_at: datetime, now: datetime, idle_minutes: int) -> bool:
    """Tell whether nobody did anything for longer than allowed."""
    return now - last_active_at > timedelta(minutes=idle_minutes)


def is_activity(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a person did something: opened a page, sent a form, or a program says that one did.

    What pages fetch by themselves (live streams, refreshed fragments) keeps no session alive.
    """
    if headers.get("X-User-Activity") == "1" or method not in _SAFE:
        return True
    if path.startswith("/api/") or headers.get("HX-Request") == "true":
        return False
    return headers.get("Sec-Fetch-Dest", "document") == "document"


def worth_marking(last_active_at: datetime, now: datetime, idle_minutes: int) -> bool:
    """Tell whether activity is to be written down: not at every click, but well within the idle limit."""
    return now - last_active_at >= min(_ACTIVITY_MARK, timedelta(minutes=idle_minutes) / 10)


def token_use_worth_marking(last_used_at: datetime | None, now: datetime) -> bool:
    """Tell whether the use of a token is to be written down."""
    return last_used_at is None or now - last_used_at >= _TOKEN_MARK


def safe_next(target: str) -> str:
    """Return where to go after signing in: a path of this server, never another site."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return "/"
    return "/" if target.startswith(("/login", "/logout", "/setup")) else target


def device(user_agent: str) -> str:
    """Return a short name for the program and system that a user agent text claims."""
    program = next((name for mark, name in _PROGRAMS if mark in user_agent), "")
    platform = next((name for mark, name in _PLATFORMS if mark in user_agent), "")
    if program and platform:
        return f"{program} on {platform}"
    return program or platform or user_agent.split("/", 1)[0].strip()[:40] or "Unknown program"
