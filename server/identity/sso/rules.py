"""Pure decisions about what other services say: roles of groups, names, addresses, pictures."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from server.identity.sso.models import MAPPED, Claims, Config

_EMAIL: Final = re.compile(r"^[^\s@\"'<>,;]+@[^\s@\"'<>,;]+\.[^\s@\"'<>,;]+$")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LEAST: Final = 3
_NAME_MOST: Final = 60
_LONGEST: Final = 200
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_FAILURES: Final = {
    "Session Expired": "It took too long, was finished already, or was begun in another browser. Start again.",
    "User Not Found": "There is no account for you here. Ask an administrator of this server for one.",
    "Email not verified by identity provider": "An account here has your address, but your provider does not say that "
    "the address is yours. Verify it there, or ask an administrator of this server to link the account.",
    "Link your account first": "Somebody registered an account with your address, and nobody else has confirmed that "
    "it is yours. If it was you: sign in with its password and link it under Profile. Otherwise ask an administrator.",
    "The identity provider sent no email address": "Without one there is neither an account to find nor a name for a "
    "new one.",
    "Already linked": "Your account here belongs to another person at that service.",
    "Single sign-on is not available right now": "The identity provider does not answer. Try again in a moment.",
    "Single sign-on is not enabled": "Sign in with your username and password.",
    "Discord is not fully configured": "Sign in another way, and tell an administrator of this server.",
    "Local authentication is disabled": "Sign in with single sign-on.",
}
_FAILED: Final = (
    "Authentication Failed",
    "You could not be signed in. Try again, or ask an administrator of this server.",
)
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
#: Microsoft Graph gives a photo to who asked for this.
PHOTO_SCOPE: Final = "user.read"


def text(claims: Claims, name: str) -> str:
    """Return a claim that is a text of one line, else nothing."""
    value = claims.get(name)
    return value.strip()[:_LONGEST] if isinstance(value, str) and value.isprintable() else ""


def email(claims: Claims) -> str:
    """Return the person's address; a user name that is an address will do."""
    found = (text(claims, "email"), text(claims, "preferred_username"))
    return next((one for one in found if _EMAIL.match(one)), "")


def email_is_verified(claims: Claims) -> bool:
    """Tell whether the provider says that the address is the person's; saying nothing is saying no.

    Entra does not know ``email_verified``; it says the same with ``xms_edov``. An address that stands in for a missing
    one was verified by nobody.
    """
    if not _EMAIL.match(text(claims, "email")):
        return False
    return any(claims.get(name) in (True, "true", 1, "1") for name in ("email_verified", "xms_edov"))


def groups(claims: Claims) -> list[str] | None:
    """Return the groups that the provider names, ``None`` when it names none at all."""
    for name in ("groups", "ak_groups"):
        value = claims.get(name)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list):
            return [one for one in value if isinstance(one, str)]
    return None


def has_overage(claims: Claims) -> bool:
    """Tell whether the groups were too many for the token, so that it only says where to ask for them."""
    elsewhere = claims.get("_claim_names")
    return isinstance(elsewhere, dict) and "groups" in elsewhere


def mapped_role(found: Collection[str], mapping: Mapping[str, str]) -> str | None:
    """Return the role that the groups give, the most important first; ``None`` when none does."""
    held = {one.strip().casefold() for one in found}
    return next((role for role in MAPPED if (mapping.get(role) or "").strip().casefold() in held - {""}), None)


def new_role(config: Config, found: Sequence[str] | None) -> str:
    """Return the role of somebody who comes for the first time, or whose role follows the groups."""
    return mapped_role(found or (), config.groups) or config.default_role


def synced_role(config: Config, before: str, found: Sequence[str] | None) -> str:
    """Return the role after this sign-in; nobody loses superadmin while no group gives it."""
    if not config.sync_roles or (before == "superadmin" and not config.groups.get("superadmin")):
        return before
    return new_role(config, found)


def safe_name(wanted: str) -> str:
    """Return a username made of this; without letters and digits in it nothing is left but a word of ours."""
    name = _UNSAFE.sub("", wanted.partition("@")[0]).strip("._-")[:_NAME_MOST]
    return name if len(name) >= _NAME_LEAST else (name + "user")[:_NAME_MOST]


def free_name(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, with the first number behind it that makes it free."""
    number = 2
    name = wanted
    while is_taken(name.lower()):
        name = f"{wanted}{number}"
        number += 1
    return name


def asks_for_photo(scopes: str) -> bool:
    """Tell whether the scopes let us read the photo from Microsoft Graph."""
    return any(one.rpartition("/")[2].lower() == PHOTO_SCOPE for one in scopes.split())


def image_type(content: bytes) -> str:
    """Return the kind of picture that these bytes begin like; empty for anything that is none we show."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), "")


def insecure(config: Config) -> str:
    """Return what travels in the open although it must not; empty when nothing does."""
    if not config.enforce_https:
        return ""
    if urlsplit(config.issuer).scheme != "https":
        return "The issuer URL must begin with https:// while Enforce HTTPS is on"
    parts = urlsplit(config.redirect_uri)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        return "The redirect URI must begin with https:// (but for localhost) while Enforce HTTPS is on"
    return ""


def same_issuer(configured: str, named: Any) -> bool:
    """Tell whether a discovery document is that of the issuer; a slash at the end makes no difference."""
    return isinstance(named, str) and named.rstrip("/") == configured.rstrip("/")


def failure(said: str) -> tuple[str, str] | None:
    """Return heading and sentence for what the sign-in page is told went wrong; nothing foreign is ever shown."""
    if not said:
        return None
    found = next((one for one in _FAILURES.items() if one[0].casefold() == said.strip().casefold()), None)
    return found or _FAILED
