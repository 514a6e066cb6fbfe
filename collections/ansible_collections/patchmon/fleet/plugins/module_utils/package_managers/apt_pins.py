"""Writes preferences that keep apt's hands off packages, for one call and without touching the host's own settings."""

from __future__ import annotations

from typing import Iterable, Mapping

from .base import Limits

_KEEP = 1001
_NEVER = -1


def pins(installed: Mapping[str, str], upgradable: Iterable[str], limits: Limits) -> str:
    """Preferences for these limits; `installed` maps names to versions. Empty when nothing is limited.

    Apt takes the first stanza that fits, so versions on the disk come before patterns that forbid every version.
    """
    waiting = set(upgradable)
    kept = [name for name in installed if limits.holds(name) or (name in waiting and limits.leaves(name))]
    stanzas = [_stanza(name, installed[name], _KEEP) for name in kept]
    stanzas += [_stanza(pattern, "*", _NEVER) for pattern in limits.hold]
    return "".join(stanzas)


def _stanza(package: str, version: str, priority: int) -> str:
    return f"Package: {package}\nPin: version {version}\nPin-Priority: {priority}\n\n"
