"""Says in one plain sentence what went wrong with pkg or freebsd-update, and what to do about it."""

from __future__ import annotations

from typing import Match

from .faults import AGAIN, Causes, first


def _down(match: Match[str]) -> str:
    what = first(match)
    return (
        f"A package source cannot be reached{': ' + what if what else ''}; check the network and the sources "
        f"of the host, or {AGAIN} later. Nothing was changed."
    )


def _gone(match: Match[str]) -> str:
    return (
        f"{first(match) or 'A package'} is not, or no longer, in the package sources of this host: "
        "fetch the package lists, look at a new dry run and start again. Nothing was changed."
    )


CAUSES = Causes(
    (
        (
            r"Cannot get an? (?:exclusive|advisory|read) lock|database is locked|currently in use by another process",
            f"Another program changes packages on this host: wait for it to end and {AGAIN}. Nothing was changed.",
        ),
        (
            r"Unable to update repository (\S+)|No active remote repositories|pkg: (http\S+): ",
            _down,
        ),
        (
            r"Newer FreeBSD version for package|wrong ABI",
            (
                "The packages of this source are for another release of the "
                f"system: update the base system first, then {AGAIN}. Nothing was changed."
            ),
        ),
        (
            r"No trusted public keys found|Invalid signature|Error opening the trusted directory",
            (
                "A package source is "
                f"not signed with a key that this host trusts: install its key, then {AGAIN}. Nothing was changed."
            ),
        ),
        (
            r"No packages available to (?:install|upgrade) matching '([^\s']+)'",
            _gone,
        ),
    )
)
