"""Says in one plain sentence what went wrong with pacman, and what to do about it."""

from __future__ import annotations

from typing import Match

from .faults import AGAIN, Causes, first


def _down(match: Match[str]) -> str:
    what = first(match)
    return (
        f"A package source cannot be reached{': ' + what if what else ''}; check the network and the mirrors "
        f"of the host, or {AGAIN} later. Nothing was changed."
    )


def _gone(match: Match[str]) -> str:
    return (
        f"{first(match) or 'A package'} is not, or no longer, in the package sources of this host: "
        "fetch the package lists, look at a new dry run and start again. Nothing was changed."
    )


def _unmet(match: Match[str]) -> str:
    return (
        f"Dependencies contradict each other: {' '.join(first(match).split())}. Take the package out of the request, "
        "release what is ignored, or update everything together. Nothing was changed."
    )


def _files(match: Match[str]) -> str:
    return (
        f"Files of a new package are already on the disk and belong to no package ({first(match)}): move them away, "
        f"then {AGAIN}. Nothing was changed."
    )


CAUSES = Causes(
    (
        (
            r"could not open file \S+/local/\S+|failed to initialize alpm library",
            (
                f"The package database of this host is damaged: 'pacman -Dk' names what is wrong; mend it, "
                f"then {AGAIN}. Nothing was changed."
            ),
        ),
        (
            r"unable to lock database",
            (
                "The package database is locked: wait for the other program to end; when none runs, remove the file "
                f"'db.lck' that an interrupted one left in /var/lib/pacman, then {AGAIN}. Nothing was changed."
            ),
        ),
        (
            (
                r"(?:signature from .+ is (?:unknown trust|invalid)|invalid or corrupted (?:package|database) "
                r"\(PGP signature\)|required key missing from keyring|key \S+ could not be looked up)"
            ),
            (
                f"A package is not signed with a key that this host trusts: update its keyring first, then {AGAIN}. "
                "Nothing was changed."
            ),
        ),
        (r"^:: (.+ are in conflict)", _unmet),
        (r"^:: (?:unable to satisfy dependency|installing) (.+)", _unmet),
        (r"exists in filesystem", _files),
        (r"^error: target not found: (\S+)", _gone),
        (r"failed retrieving file '([^']+\.pkg\.tar[^']*)'", _gone),
        (r"failed (?:retrieving file|to (?:synchronize|update)) '?([^'\n]*)", _down),
        (r"database file for '([^']+)' does not exist", _down),
    )
)
