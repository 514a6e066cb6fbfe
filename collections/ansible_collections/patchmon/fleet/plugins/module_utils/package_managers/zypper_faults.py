"""Says in one plain sentence what went wrong with zypper, and what to do about it."""

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


def _script(match: Match[str]) -> str:
    return (
        f"A script of {first(match) or 'a package'} failed: mend the cause shown at the end of the output, "
        f"run 'zypper verify' on the host, and {AGAIN}."
    )


def _unmet(match: Match[str]) -> str:
    return (
        f"Dependencies contradict each other: {' '.join(first(match).split())}. Take the package out of the request, "
        "release what is locked ('zypper removelock'), or allow a full upgrade. Nothing was changed."
    )


CAUSES = Causes(
    (
        (
            r"Target initialization failed|rpmdb open failed|Failed to initialize the RPM database",
            (
                f"The package database of this host is damaged: run 'rpm --rebuilddb' on it, then {AGAIN}. "
                "Nothing was changed."
            ),
        ),
        (
            r"Signature verification failed|is not signed|signed with an unknown key|NOKEY|Digest verification failed",
            (
                f"A package source is not signed with a key that this host trusts: import its key, then {AGAIN}. "
                "Nothing was changed."
            ),
        ),
        (
            r"(?:Failed to provide Package|Can't provide file|File) '?(\S+?)'?(?: not found| from repository|$)",
            _gone,
        ),
        (r"(?:No provider of|Package) '([^']+)' (?:not )?found|'([^']+)' not found in package names", _gone),
        (
            (
                r"(?:Repository '([^']+)' is invalid|Skipping repository '([^']+)'|"
                r"Valid metadata not found at specified URL|Could not resolve host:? ?(\S*)|error for '([^']+)')"
            ),
            _down,
        ),
        (r"^(?:warning: )?%\w+\((\S+)\) scriptlet failed|scriptlet failed", _script),
        (r"^Problem:(?: \d+:)? (.+)", _unmet),
    )
)
