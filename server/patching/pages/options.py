"""The options that a policy says for its runs, as fields of its form."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from server.patching.models import Reboot, RunOptions
from server.web.fields import Field

_SAID: Final = (("", "Not said here"), ("true", "Yes"), ("false", "No"))

FIELDS: Final = (
    Field("security_only", "Security updates only", "choice", "", _SAID, required=False),
    Field(
        "full_upgrade", "Full upgrade", "choice", "", _SAID, required=False, help="Updates too that remove packages."
    ),
    Field(
        "reboot",
        "Restart afterwards",
        "choice",
        "",
        (("", "Not said here"), ("never", "Never"), ("if_required", "If the updates need one"), ("always", "Always")),
        required=False,
    ),
    Field(
        "snapshot", "Snapshot before", "choice", "", _SAID, required=False, help="Keeps /etc and the package database."
    ),
    Field(
        "hold_patterns", "Hold packages back", required=False, placeholder="linux-*, mysql*", help="Patterns of names."
    ),
    Field("allow_patterns", "Only packages like", required=False, placeholder="openssl*", help="Patterns of names."),
    Field("pre_playbook", "Playbook before", required=False, help="A failure stops the run before anything changes."),
    Field("post_playbook", "Playbook after", required=False, help="A failure fails the run."),
)
_FLAGS: Final = ("security_only", "full_upgrade", "snapshot")
_PATTERNS: Final = ("hold_patterns", "allow_patterns")
NAMES: Final = frozenset(one.name for one in FIELDS)


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stored policy says, as the fields show it."""
    told: dict[str, Any] = {}
    for name in NAMES:
        value = found.get(name)
        if value is None:
            told[name] = ""
        elif isinstance(value, bool):
            told[name] = str(value).lower()
        else:
            told[name] = ", ".join(value) if isinstance(value, list | tuple) else str(value)
    return told


def read(typed: Mapping[str, Any]) -> RunOptions:
    """Return what a form says; an empty field says nothing."""
    reboot = _text(typed, "reboot")
    said: dict[str, Any] = {"reboot": reboot if reboot in get_args(Reboot) else None}
    said |= {name: {"true": True, "false": False}.get(_text(typed, name)) for name in _FLAGS}
    said |= {name: _patterns(_text(typed, name)) for name in _PATTERNS}
    said |= {name: _text(typed, name) or None for name in ("pre_playbook", "post_playbook")}
    return RunOptions(**said)


def _text(typed: Mapping[str, Any], name: str) -> str:
    return str(typed.get(name) or "").strip()


def _patterns(text: str) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(text.replace(",", " ").split())) or None
