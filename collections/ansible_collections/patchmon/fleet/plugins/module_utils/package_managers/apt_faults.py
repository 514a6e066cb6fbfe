"""Says in one plain sentence what went wrong with apt or dpkg, and what to do about it."""

from __future__ import annotations

import contextlib
import re
from typing import Callable, Iterator, Match, Sequence

from .base import PackageManagerError

_FETCH = re.compile(r"(?:W|E): Failed to fetch (\S+)\s+(.+)")
_AGAIN = "start this again"


def explained(problem: PackageManagerError) -> PackageManagerError:
    """The same failure, its sentence first and the program's own words after it; unchanged when it is a new one."""
    sentence = explain(problem.tail)
    if not sentence:
        return problem
    return PackageManagerError(f"{sentence} ({problem.text})", problem.tail, problem.done)


def explain(output: str) -> str:
    """The sentence for the first cause that fits, causes before their consequences; empty for none."""
    found = ((pattern.search(output), sentence) for pattern, sentence in _CAUSES)
    return next((sentence(match) for match, sentence in found if match), "")


@contextlib.contextmanager
def finishing(unfinished: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Say what to do where the repair itself fails: no later run gets past it by itself."""
    try:
        yield
    except PackageManagerError as problem:
        text = (
            f"What an earlier run left half done cannot be finished ({', '.join(unfinished())}). Until it is, apt "
            "changes nothing on this host: mend the cause and run 'dpkg --configure -a' there, or take the package out "
            f"with 'dpkg --remove --force-remove-reinstreq'. {problem.text}"
        )
        raise PackageManagerError(text, problem.tail, problem.done) from problem


def unreachable(output: str) -> tuple[str, ...]:
    """Sentences on the sources that an otherwise successful refresh could not reach."""
    return tuple(dict.fromkeys(_not_reached(match) for match in _FETCH.finditer(output)))


def _not_reached(match: Match[str]) -> str:
    return f"A package source could not be reached, its old list is used: {match.group(1)} ({match.group(2).strip()})"


def _full(_match: Match[str]) -> str:
    return (
        f"The disk of the host is full: free some space ('apt-get clean' empties the package cache) and {_AGAIN}; "
        "what was left half done is finished first then."
    )


def _read_only(_match: Match[str]) -> str:
    return f"A file system of the host is read-only: mount it writable and {_AGAIN}."


def _broken_before(_match: Match[str]) -> str:
    return (
        "Packages on this host already lack what they depend on: "
        f"run 'apt-get --fix-broken install' on the host, then {_AGAIN}. Nothing was changed."
    )


def _no_archive(match: Match[str]) -> str:
    return (
        f"{match.group(1)} was left half installed and no package source has it any more: "
        f"add a source that has it, or remove it with 'dpkg --remove --force-remove-reinstreq', then {_AGAIN}."
    )


def _gone(match: Match[str]) -> str:
    what = next((group for group in match.groups() if group), "A package")
    return (
        f"{what} is not, or no longer, in the package sources of this host: "
        "fetch the package lists, look at a new dry run and start again. Nothing was changed."
    )


def _down(match: Match[str]) -> str:
    what = next((group for group in match.groups() if group), "")
    return (
        f"A package source cannot be reached{': ' + what.strip() if what else ''}; check the network and the sources "
        f"of the host, or {_AGAIN} later. Nothing was changed."
    )


def _untrusted(_match: Match[str]) -> str:
    return (
        f"A package source is not signed with a key that this host trusts: install its key, then {_AGAIN}. "
        "Nothing was changed."
    )


def _script(match: Match[str]) -> str:
    return (
        f"{match.group(1)} could not be set up ({match.group(2).strip()}): mend the cause shown at the end of the "
        f"output and {_AGAIN}; packages left half configured are finished first then."
    )


def _unmet(match: Match[str]) -> str:
    reasons = "; ".join(" ".join(text.split()) for text in match.group(1).splitlines() if text.strip())
    return (
        f"Dependencies contradict each other: {reasons or 'see the output'}. Take the package out of the request, "
        "release what is on hold, or update what it depends on with it. Nothing was changed."
    )


_CAUSES: tuple[tuple[re.Pattern[str], Callable[[Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), sentence)
    for pattern, sentence in (
        (r"No space left on device|Disk quota exceeded|enough free space in", _full),
        (r"Read-only file system", _read_only),
        (r"fix-broken install'|apt-get -f install", _broken_before),
        (r"The package (\S+) needs to be reinstalled, but", _no_archive),
        (r"^E: Version '[^']*' for '([^']*)' was not found", _gone),
        (r"^E: (?:Unable to locate package|Package) '?([^\s']+)'?(?:$| has no installation candidate)", _gone),
        (r"^E: Failed to fetch (\S+\.deb)\s+(?:404|File not found|File has unexpected size|Hash Sum mismatch)", _gone),
        (r"cannot be authenticated|is not signed|NO_PUBKEY|EXPKEYSIG|couldn't be verified", _untrusted),
        (r"^E: (?:Failed to fetch (.+)|The repository '(.+)' (?:does not have|no longer has) a Release file)", _down),
        (r"^(?:E: Unable to fetch some archives|E: Some index files failed to download)", _down),
        (r"^dpkg: error processing (?:package|archive) (\S+) \(--[a-z-]+\):\n(.+)", _script),
        (r"^The following packages have unmet dependencies:\n((?:[ \t]+.*\n)+)", _unmet),
        (r"(held broken packages|Unable to correct problems)", _unmet),
    )
)
