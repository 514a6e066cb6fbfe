"""Says in one plain sentence what went wrong with apk, and what to do about it."""

from __future__ import annotations

from typing import Match

from .faults import AGAIN, Causes, first


def _down(match: Match[str]) -> str:
    return (
        f"A package source cannot be reached: {first(match)}; check the network and /etc/apk/repositories, "
        f"or {AGAIN} later. Nothing was changed."
    )


def _gone(match: Match[str]) -> str:
    return (
        f"{first(match)} is not, or no longer, in the package sources of this host: "
        "fetch the package lists, look at a new dry run and start again. Nothing was changed."
    )


def _unmet(match: Match[str]) -> str:
    reasons = "; ".join(" ".join(text.split()) for text in first(match).splitlines() if text.strip())
    return (
        f"Dependencies contradict each other: {reasons or 'see the output'}. Take the package out of the request, "
        "or release what /etc/apk/world holds at one version. Nothing was changed."
    )


CAUSES = Causes(
    (
        (
            r"Unable to lock database|Unable to open lock|temporarily unavailable",
            f"Another program changes packages on this host: wait for it to end and {AGAIN}. Nothing was changed.",
        ),
        (
            r"UNTRUSTED signature|BAD signature",
            (
                f"A package source is not signed with a key that this host trusts: install its key in /etc/apk/keys, "
                f"then {AGAIN}. Nothing was changed."
            ),
        ),
        (r"^ERROR: (\S+) \(no such package\)|^  (\S+) \(no such package\)", _gone),
        (r"^ERROR: (\S+-r\d+): (?:package mentioned in index not found|No such file)", _gone),
        (r"^(?:ERROR|WARNING): (?:Ignoring |fetching |opening |updating )?(https?://\S+?):? ", _down),
        (r"^ERROR: unable to select packages:\n((?:[ \t]+.*\n?)+)", _unmet),
        (
            r"^ERROR: (\S+)\.(?:pre|post)-\w+: script exited",
            lambda match: (
                f"A script of {first(match)} failed: mend the cause shown at the end of the output, "
                f"run 'apk fix {first(match)}' on the host, and {AGAIN}."
            ),
        ),
    )
)
