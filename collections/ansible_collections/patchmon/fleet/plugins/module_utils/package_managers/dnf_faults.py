"""Says in one plain sentence what went wrong with dnf, yum or rpm, and what to do about it."""

from __future__ import annotations

from typing import Match

from .faults import AGAIN, Causes, first


def _gone(match: Match[str]) -> str:
    what = first(match) or "A package"
    return (
        f"{what} is not, or no longer, in the package sources of this host: "
        "fetch the package lists, look at a new dry run and start again. Nothing was changed."
    )


def _down(match: Match[str]) -> str:
    what = first(match)
    return (
        f"A package source cannot be reached{': ' + what if what else ''}; check the network and the sources "
        f"of the host, or {AGAIN} later. Nothing was changed."
    )


def _script(match: Match[str]) -> str:
    return (
        f"A script of {first(match)} failed: mend the cause shown at the end of the output, "
        f"then run 'rpm -V {first(match)}' to see whether the package is whole, and {AGAIN}."
    )


def _unmet(match: Match[str]) -> str:
    reasons = "; ".join(" ".join(text.strip(" -").split()) for text in match.group(1).splitlines() if text.strip())
    return (
        f"Dependencies contradict each other: {reasons or 'see the output'}. Take the package out of the request, "
        "release what is on hold, or allow a full upgrade. Nothing was changed."
    )


CAUSES = Causes(
    (
        (
            r"rpmdb open failed|Rpmdb checksum is invalid|cannot open Packages|DB_RUNRECOVERY|disk image is malformed",
            (
                f"The package database of this host is damaged: run 'rpm --rebuilddb' on it, then {AGAIN}. "
                "Nothing was changed."
            ),
        ),
        (
            r"at least (\S+) more space needed on the (\S+) filesystem",
            (
                "The disk of the host is full: free some space "
                f"('dnf clean packages' empties the package cache) and {AGAIN}."
            ),
        ),
        (
            r"GPG check FAILED|is not signed|Public key for \S+ is not installed|Bad GPG signature|gpgcheck is set",
            (
                f"A package is not signed with a key that this host trusts: import its key, then {AGAIN}. "
                "Nothing was changed."
            ),
        ),
        (
            (
                r"(?:Failed to synchronize cache for repo|Failed to download metadata for repo|"
                r"Cannot find a valid baseurl for repo:?|Cannot prepare internal mirrorlist:?) '?([^'\s]*)"
            ),
            _down,
        ),
        (
            r"Cannot download (\S+\.rpm)|Error opening (\S+\.rpm)|\[MIRROR\] (\S+\.rpm)",
            _gone,
        ),
        (r"(?:No match for argument|No package|Unable to find a match):? (\S+?)(?: available\.?)?$", _gone),
        (
            (
                r"(?:[Ss]criptlet failed|scriptlet of|Error in (?:PRE|POST)(?:IN|UN)\S* scriptlet in rpm package) ?"
                r"(?:in package |for )?(\S+)"
            ),
            _script,
        ),
        (r"^(?:Error: ?|Failed to resolve the transaction:)?\n? *Problem(?: \d+)?: (.+(?:\n +- .+)*)", _unmet),
        (r"^Error: Package: (.+(?:\n +.+)*)", _unmet),
        (
            r"would result in removing the following protected packages|protected package",
            (
                "The update would remove a package that the system needs to work and that is protected. "
                "Nothing was changed; take it out of the request."
            ),
        ),
    )
)
