"""Why runs fail, in few words, so that many failures read as one, and what to do about each."""

import re
from typing import Final

#: The first that fits; causes stand before their consequences.
_KNOWN: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), text, hint)
    for pattern, text, hint in (
        (r"disk of the host is full|no space left|not enough (?:free )?(?:disk )?space|disk (?:is )?full|disk quota",
         "Disk full", "Free space on the host, then run it again"),
        (r"read-only", "File system read-only", "See why the host can no longer write there"),
        (r"holds /var/|could not get lock|gave up after|is locked|lock-frontend|another process",
         "Package manager locked", "Wait until the other program is done, or end it, then run it again"),
        (r"half[- ](?:installed|configured)|could not be set up|dpkg was interrupted|--configure|\w+ script returned",
         "Package could not be set up", "The next run repairs it; if a script keeps failing, see its output"),
        (r"dependencies contradict|unmet depend|lack what they depend on|held broken|nothing provides|conflict",
         "Dependency conflict", "See the output of the run; holding back one package often helps"),
        (r"not signed|authenticated|no_pubkey", "Package source not trusted", "Give the host the key of the source"),
        (r"no longer, in the package sources|unable to locate|not installed|no match for|no installation|has no inst",
         "Package gone", "Refresh the report of the host and choose again"),
        ((r"source cannot be reached|failed to fetch|could not resolve|failure resolving|some index files|"
         r"connection refused"), "Package source unreachable", "See the package sources and the way to them"),
        (r"snapshot", "Snapshot failed", "Nothing was changed; see the output of the run"),
        (r"\b(?:pre|drain)\b.*(?:hook|playbook)|before (?:the )?patching", "Playbook before patching failed",
         "Nothing was changed"),
        (r"\b(?:post|verify)\b.*(?:hook|playbook)|after (?:the )?patching", "Playbook after patching failed",
         "The packages are updated; see whether the service is well"),
        (r"did not (?:come back|return)|same boot|boot id|reboot|restart of the host", "Reboot failed",
         "See whether the host is up"),
        (r"refused by|policy of the (?:host|agent)|not (?:allowed|permitted)|permission denied|must be root",
         "Refused by the host", "See what its agent may do"),
        (r"timed out|time-?out|took longer than|did not end within", "Took too long",
         "See what holds it up, then run it again"),
        (r"disconnected|agent (?:was|is) (?:gone|lost)|no longer knows|unreachable|offline", "Agent disconnected",
         "See whether the agent of the host runs"),
    )
)  # fmt: skip


def known(error: str) -> tuple[str, str]:
    """Return a cause and what to do about it; both empty when nothing general can be said."""
    return next(((text, hint) for pattern, text, hint in _KNOWN if pattern.search(error)), ("", ""))
