"""Why hosts failed, in plain words: what they said is sorted into a few causes, so that many read as one."""

import re
from collections.abc import Iterable
from typing import Final

from server.campaigns.models import Cause

#: The first that fits names the cause; what to do about it stands beside it.
_KNOWN: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), text, hint)
    for pattern, text, hint in (
        (r"offline during its window|did not come back in time|host (is|was) away",
         "The host was offline", "Bring it back online, then relaunch on failed hosts"),
        (r"stopped by|skipped: ", "Somebody stopped the run", ""),
        (r"\block\b.*(held|frontend|could not get|timed? ?out)|could not get lock|another process|is locked",
         "Another package manager held the lock", "Wait until it is done or end it on the host, then relaunch"),
        (r"no space left|not enough (free )?(disk )?space|disk (is )?full",
         "The disk is full", "Free space on the host, then relaunch"),
        (r"unmet depend|broken packages|depends:|conflict|dependency|nothing provides",
         "Packages depend on or exclude each other", "Look at the run's output; holding back one package often helps"),
        (r"temporary failure resolving|could not resolve|failed to fetch|repository|connection refused|404 +not found",
         "A repository could not be reached", "Check the host's repositories and its way to them, then relaunch"),
        (r"unable to locate package|no (such )?package|not found in|no match for argument|no installation candidate",
         "A package is not there any more", "Refresh the host's report and choose again"),
        (r"dpkg.*(interrupted|--configure)|half-(configured|installed)|post-installation script|subprocess .*script",
         "The package manager was left half-way", "The next run repairs it; if a script keeps failing, see its output"),
        (r"drain|pre[- ](hook|playbook)", "What runs before the update failed", "Nothing was changed on these hosts"),
        (r"verif(y|ication)|post[- ](hook|playbook)",
         "The check after the update failed", "The packages are updated; see whether the service is well"),
        (r"reboot|restart|boot id", "The restart did not go as it should", "See whether the host is up"),
        (r"longer than it may|timed out|time-?out", "The run took too long", "See what holds it up, then relaunch"),
        (r"agent disconnected|no longer knows|lost", "The agent was lost during the run", "See if its service runs"),
        (r"permission denied|must be root|not permitted|policy of the host|refused",
         "The host does not allow it", "See what its agent may do"),
    )
)  # fmt: skip
_UNKNOWN: Final = "The run failed without a reason"
_MOST_LETTERS: Final = 120
#: What differs from host to host in otherwise equal sentences.
_VARYING: Final = re.compile(r"\b(?:[0-9a-f]{8,}|\d+)\b|'[^']*'|\"[^\"]*\"|/[\w./-]+")


def cause_of(reason: str) -> tuple[str, str]:
    """Return a cause and what to do about it; what nobody foresaw stands for itself in its first line."""
    for pattern, text, hint in _KNOWN:
        if pattern.search(reason):
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
