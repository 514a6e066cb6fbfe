"""Why hosts failed, in plain words: what they said is sorted into a few causes, so that many read as one."""

import re
from collections.abc import Iterable
from typing import Final

from server.campaigns.models import Cause
from server.patching import service as patching

#: What only happens to campaigns.
_OURS: Final = (
    (re.compile(r"offline during its window", re.IGNORECASE), "Host offline", "Bring it back, then relaunch on failed"),
    (re.compile(r"^stopped by|skipped: ", re.IGNORECASE), "Stopped by somebody", ""),
)
_UNKNOWN: Final = "The run failed without a reason"
_MOST_LETTERS: Final = 120
#: What differs from host to host in otherwise equal sentences.
_VARYING: Final = re.compile(r"\b(?:[0-9a-f]{8,}|\d+)\b|'[^']*'|\"[^\"]*\"|/[\w./-]+")


def cause_of(reason: str) -> tuple[str, str]:
    """Return a cause and what to do about it; what nobody foresaw stands for itself in its first line."""
    text, hint = next(((text, hint) for one, text, hint in _OURS if one.search(reason)), patching.why(reason))
    if text:
        return text, hint
    first = next((line.strip() for line in reason.splitlines() if line.strip()), "")
    return (first[:_MOST_LETTERS] if first else _UNKNOWN), ""


def grouped(failures: Iterable[tuple[str, str, str]]) -> list[Cause]:
    """Return (host id, host name, reason) by cause, the most frequent first.

    Reasons that no cause covers are one group when they differ only in numbers, paths and quoted names.
    """
    found: dict[str, tuple[str, str, list[tuple[str, str]], str]] = {}
    for host, name, reason in failures:
        text, hint = cause_of(reason)
        key = text if hint else _VARYING.sub("…", text)
        found.setdefault(key, (text, hint, [], reason))[2].append((host, name))
    causes = [Cause(text, hint, tuple(hosts), sample) for text, hint, hosts, sample in found.values()]
    return sorted(causes, key=lambda cause: (-len(cause.hosts), cause.text))
