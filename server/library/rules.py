"""Pure decisions of the library: who may do what, which names and addresses are good, what a survey may ask."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from server.core.call import Actor
from server.library.models import LEVELS, CredentialKind, Grant, Level, NewCredential, NewProject

MANAGE: Final = "can_manage_automation"
SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
PLAYBOOK_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml")
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: These decide where and how a play runs, not what it does.
RESERVED: Final = ("ansible_", "patchmon_")
_OWN_ENVIRONMENT: Final = ("ANSIBLE_", "PATCHMON_", "PYTHON", "LD_", "AWX_", "PATH", "HOME", "TMPDIR", "MAX_EVENT_RES")
_BRANCH: Final = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$))[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}(?<![./])")
_SCP: Final = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^:/-][^:]*)"
)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
INTERVALS: Final = (
    (0, "Never"),
    (15, "Every 15 minutes"),
    (60, "Every hour"),
    (360, "Every 6 hours"),
    (1440, "Every day"),
)
#: What each kind of credential holds; kinds that are not here hold whatever names people choose.
FIELDS: Final[Mapping[CredentialKind, tuple[tuple[str, bool], ...]]] = {
    "vault": (("password", True), ("vault_id", False)),
    "become": (("password", True), ("user", False)),
    "git_token": (("username", False), ("token", True)),
    "git_key": (("private_key", True), ("known_hosts", False)),
}
KINDS: Final[Mapping[CredentialKind, str]] = {
    "vault": "Vault password",
    "become": "Become password",
    "environment": "Environment variables",
    "variables": "Secret variables",
    "git_token": "Git token",
    "git_key": "SSH key for git",
}
#: What a job can be given; the others open repositories and vaults on the server.
FOR_JOBS: Final = frozenset({"vault", "become", "environment", "variables"})
FOR_GIT: Final = frozenset({"git_token", "git_key"})


# ---------------------------------------------------------------- who may do what


def level_of(actor: Actor, default: Level, grants: Iterable[Grant], file: str = "") -> Level:
    """Return how far an actor may go with a project, or with one of its playbooks.

    The most specific word counts: about the playbook before the project, about the person before the role. Nobody can
    lock out those who manage the whole server. Who does not manage automation has only what was granted by name, and
    at most may launch; a token that holds only some permissions of its owner has no grants of the owner.
    """
    if actor.kind == "system" or (actor.may(MANAGE) and actor.may("can_manage_settings")):
        return "edit"
    manages = actor.may(MANAGE)
    if not manages and (actor.partial or not actor.may("can_view_hosts")):
        return "none"
    found = {(one.file, one.subject_kind): one.level for one in grants if _is_for(one, actor, file)}
    order = ((file, "person"), (file, "role"), ("", "person"), ("", "role"))
    said = next((found[key] for key in order if key in found), None)
    if said is None:
        return default if manages else "none"
    return said if manages or said != "edit" else "launch"


def _is_for(grant: Grant, actor: Actor, file: str) -> bool:
    if grant.file not in {"", file}:
        return False
    return grant.subject == (actor.role if grant.subject_kind == "role" else actor.id)


def reaches(held: Level, needed: Level) -> bool:
    """Tell whether a level is enough."""
    return LEVELS.index(held) >= LEVELS.index(needed)


def may_use(actor: Actor, *, shared: bool, users: Sequence[str]) -> bool:
    """Tell whether an actor may use a credential; ``users`` are ``role:…`` and ``person:…``."""
    if actor.kind == "system" or shared or (actor.may(MANAGE) and actor.may("can_manage_settings")):
        return True
    return f"role:{actor.role}" in users or f"person:{actor.id}" in users


# ---------------------------------------------------------------- addresses


def complaint_of_url(url: str, *, files: bool) -> str:  # noqa: PLR0911 (one line per refusal)
    """Say why nothing is fetched from an address; empty when it may be tried.

    Only https, http and ssh, and ``file`` where the server allows it: git's helpers (``ext::``, ``fd::``) would run
    programs, and what begins like an option would be taken for one.
    """
    if not url or len(url) > 500 or any(one.isspace() or not one.isprintable() for one in url):  # noqa: PLR2004 (long)
        return "Say where the repository is, as an address without spaces"
    if _SCP.fullmatch(url):
        return ""
    if "::" in url.partition("/")[0] or url.startswith("-"):
        return "This kind of address is not fetched: it could run a program"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is no address"
    if parts.scheme == "file":
        return "" if files else "Repositories on this server's own disk are not opened (LIBRARY_ALLOW_FILE_URLS)"
    if parts.scheme not in {"https", "http", "ssh"}:
        return "Only https, http and ssh addresses are fetched"
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        return "Name and password belong into a credential, not into the address"
    if not _HOST.fullmatch(
        parts.netloc.rpartition("@")[2].rpartition(":")[0] if port else parts.netloc.rpartition("@")[2]
    ):
        return "The address has no host"
    if parts.username is not None and not _USER.fullmatch(parts.username):
        return "The user in the address is none"
    return ""


def host_of(url: str) -> tuple[str, int]:
    """Return host and port of an address that was accepted; an empty host is this machine's disk."""
    if found := _SCP.fullmatch(url):
        return found["host"], 22
    parts = urlsplit(url)
    return (parts.hostname or "").strip("[]"), parts.port or {"https": 443, "http": 80}.get(parts.scheme, 22)


def scheme_of(url: str) -> str:
    """Return https, http, ssh or file."""
    return "ssh" if _SCP.fullmatch(url) else urlsplit(url).scheme


def complaints_of_project(wanted: NewProject, *, files: bool) -> dict[str, str]:
    """Return what is wrong with a project, by field."""
    wrong: dict[str, str] = {}
    if not SLUG.fullmatch(wanted.slug):
        wrong["slug"] = "Up to 40 small letters, digits, - and _, beginning with a letter or digit"
    if not wanted.title.strip() or len(wanted.title) > 100:  # noqa: PLR2004 (a title)
        wrong["title"] = "Give it a name of at most 100 characters"
    if wanted.kind == "git":
        if complaint := complaint_of_url(wanted.url, files=files):
            wrong["url"] = complaint
        if wanted.branch and not _BRANCH.fullmatch(wanted.branch):
            wrong["branch"] = "This is no name of a branch or tag"
    if wanted.every_minutes not in dict(INTERVALS):
        wrong["every_minutes"] = "Choose one of the intervals"
    if wanted.default_level not in LEVELS:
        wrong["default_level"] = "Choose one of the rights"
    return wrong


# ---------------------------------------------------------------- credentials


def complaints_of_credential(wanted: NewCredential, *, new: bool) -> dict[str, str]:
    """Return what is wrong with a credential, by field; never a value."""
    wrong: dict[str, str] = {}
    if not wanted.name.strip() or len(wanted.name) > 100:  # noqa: PLR2004 (a name)
        wrong["name"] = "Give it a name of at most 100 characters"
    if wanted.kind not in KINDS:
        return wrong | {"kind": "Choose what it is"}
    if not wanted.values:
        return wrong | ({"values": "It has no value yet"} if new else {})
    for name, needed in FIELDS.get(wanted.kind, ()):
        if needed and not wanted.values.get(name):
            wrong[name] = "Is needed"
    for name in wanted.values if wanted.kind not in FIELDS else ():
        if complaint := _complaint_of_name(wanted.kind, name):
            wrong["values"] = f"{name[:40]} {complaint}"
    if any("\0" in value for value in wanted.values.values()):
        wrong["values"] = "A value must not contain U+0000"
    if sum(map(len, wanted.values.values())) > 64 * 1024:
        wrong["values"] = "Together they are larger than 64 KiB"
    return wrong


def _complaint_of_name(kind: CredentialKind, name: str) -> str:
    if not VARIABLE.fullmatch(name):
        return "is not a name a variable may have"
    if kind == "environment" and name.startswith(_OWN_ENVIRONMENT):
        return "decides how a play runs and cannot be set"
    if kind == "variables" and name.startswith(RESERVED):
        return "decides how a play reaches its host and cannot be set"
    return ""
