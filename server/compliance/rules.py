"""Pure decisions about compliance: states, scores, verdicts, profiles, words."""

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from server.compliance.models import (
    DEFAULT_PROFILE,
    FAIR,
    GOOD,
    SCANNERS,
    RemedyStatus,
    Scanner,
    ScanStatus,
    Severity,
    Target,
    TaskStatus,
    Waiver,
    WaiverState,
    Wanted,
)
from server.core.words import counted

#: A scan that runs for longer is ended; a Level 2 scan takes up to 45 minutes.
STALLED_AFTER: Final = timedelta(hours=3)
STALLED: Final = "Scan terminated automatically after running for more than 3 hours"
PROFILE: Final = re.compile(r"[a-zA-Z0-9_.-]{1,256}")
RULE: Final = PROFILE
_GZIP: Final = b"\x1f\x8b"
CONTENT: Final = re.compile(r"ssg-[a-z0-9]+-ds\.xml")

# ---------------------------------------------------------------- states of scans

OPEN: Final = frozenset({TaskStatus.WAITING, TaskStatus.ACTIVE})


def ended(told: ScanStatus, *, cancel_asked: bool) -> ScanStatus:
    """Return how a running scan ends by its host's report: what comes after a cancellation is partial."""
    return ScanStatus.CANCELLED if cancel_asked else told


# ---------------------------------------------------------------- states of rules

LETTERS: Final = {"pass": "p", "fail": "f", "warn": "w", "skipped": "s", "notapplicable": "n", "error": "e"}
WORDS: Final = {letter: word for word, letter in LETTERS.items()}
#: Of a rule that is reported twice the worst counts.
WORST: Final = "fwpsne"
#: Every word that scanners and agents use, and people in filters.
_STATES: Final = {
    "pass": "p", "passed": "p", "fixed": "p",
    "fail": "f", "failed": "f",
    "warn": "w", "warning": "w", "warnings": "w",
    "skip": "s", "skipped": "s", "notchecked": "s", "informational": "s", "info": "s", "note": "s",
    "notapplicable": "n", "not_applicable": "n", "na": "n", "n/a": "n",
    "error": "e", "unknown": "e",
}  # fmt: skip
#: What is not stored: the profile leaves it out.
NOT_SELECTED: Final = frozenset({"notselected", "not_selected"})
COUNTED: Final = {
    "p": "passed", "f": "failed", "w": "warned", "s": "skipped", "n": "not_applicable", "e": "errors",
}  # fmt: skip


def letter(word: str) -> str:
    """Return the letter of a state; what nobody knows is an error."""
    return _STATES.get(word.strip().lower(), "e")


def state_word(word: str) -> str:
    """Return the stored word for what a filter says, empty for nonsense."""
    found = _STATES.get(word.strip().lower(), "")
    return WORDS.get(found, "")


def worse(one: str, other: str) -> str:
    """Return the worse of two letters."""
    return one if WORST.index(one) <= WORST.index(other) else other


def severity(word: str) -> Severity:
    """Return a severity; what nobody knows is unknown."""
    text = word.strip().lower()
    return text if text in {"critical", "high", "medium", "low"} else "unknown"  # type: ignore[return-value]


def counts(states: str) -> dict[str, int]:
    """Return how many rules stand how, and how many there are."""
    return {"total": len(states), **{name: states.count(one) for one, name in COUNTED.items()}}


def score(found: Mapping[str, int]) -> float | None:
    """Return the share of passed rules in percent, of those that were decided; ``None`` without any."""
    decided = found["passed"] + found["failed"] + found["warned"] + found["errors"]
    return round(100 * found["passed"] / decided, 2) if decided else None


# ---------------------------------------------------------------- waivers

#: Letters that a waiver covers: Docker Bench warns where OpenSCAP fails.
WAIVABLE: Final = frozenset("fw")
#: How long a waiver may last at most: two years, with a leap day.
LONGEST_WAIVER: Final = timedelta(days=731)
#: From when on a waiver counts as expiring, and from when on its end is announced.
EXPIRING: Final = timedelta(days=30)
ANNOUNCED: Final = timedelta(days=7)


def waived_score(found: Mapping[str, Any]) -> float | None:
    """Return the score when waived rules do not count; never less than the plain one, which agents may have told."""
    value: float | None = found["score"]
    decided = found["passed"] + found["failed"] + found["warned"] + found["errors"] - found["waived"]
    if value is None or not found["waived"] or decided <= 0:
        return value
    return max(value, float(round(100 * found["passed"] / decided, 2)))


def waiver_state(one: Waiver, today: date) -> WaiverState:
    """Return how a waiver stands."""
    if one.revoked_at is not None:
        return "revoked"
    if one.ended_at is not None or one.expires_on < today:
        return "expired"
    return "expiring" if one.expires_on <= today + EXPIRING else "active"


def waiver_complaints(*, reason: str | None, owner: str | None, expires_on: date | None, today: date) -> dict[str, str]:
    """Return what is wrong with the words and the last day of a waiver, field by field; ``None`` is not looked at."""
    found = {}
    for name, text, most in (("reason", reason, 2000), ("owner", owner, 200)):
        if text is not None and not text:
            found[name] = {"reason": "Say why the rule may fail", "owner": "Say who answers for it"}[name]
        elif text is not None and len(text) > most:
            found[name] = f"{name} may have at most {most} characters"
    if expires_on is not None and not today <= expires_on <= today + LONGEST_WAIVER:
        found["expires_on"] = "The last day must be today or later, and at most two years ahead"
    return found


# ---------------------------------------------------------------- remediations

#: Where a remediation may go from where it is.
REMEDY_MOVES: Final[dict[RemedyStatus, frozenset[RemedyStatus]]] = {
    "draft": frozenset({"checking", "cancelled"}),
    "checking": frozenset({"checked", "failed"}),
    "checked": frozenset({"checking", "applying", "cancelled", "rejected"}),
    "applying": frozenset({"applied", "failed"}),
    "failed": frozenset({"checking"}),
    "applied": frozenset(),
    "cancelled": frozenset(),
    "rejected": frozenset(),
}
#: What a dry run said holds no longer than this.
CHECK_HOLDS: Final = timedelta(days=7)


def may_approve(rule: str, *, asked_id: str, asker: str) -> bool:
    """Tell whether somebody approves a remediation; ``second_person`` keeps out who asked for it."""
    return rule != "second_person" or not asked_id or asked_id != asker


def stale(checked_at: datetime | None, now: datetime, changed: int) -> str:
    """Return why a dry run says nothing any more, or nothing; ``changed`` rules stand differently since."""
    if changed:
        stand = "stands" if changed == 1 else "stand"
        return f"The host was scanned since, and {counted(changed, 'rule')} of it {stand} differently: try it again"
    if checked_at is not None and now - checked_at > CHECK_HOLDS:
        return f"The dry run is older than {CHECK_HOLDS.days} days: try it again"
    return ""


# ---------------------------------------------------------------- verdicts

Verdict = Literal["compliant", "warning", "critical", "unscanned"]


def verdict(value: float | None) -> Verdict:
    """Return how a host stands by its score, which is not rounded first."""
    if value is None:
        return "unscanned"
    return "compliant" if value >= GOOD else "warning" if value >= FAIR else "critical"


# ---------------------------------------------------------------- what is asked of hosts


def scanners_for(wanted: Wanted, target: Target) -> tuple[Scanner, ...]:
    """Return the scanners that run; none when what is asked for is switched off."""
    return tuple(one for one in SCANNERS if one in target.enabled and wanted.asked in {"all", one})


def profile_for(wanted: Wanted, target: Target) -> str:
    """Return the profile of a scan: the one asked for, else the host's own, else CIS Level 1."""
    for one in (wanted.profile_id, target.default_profile):
        if one and one != "docker-bench":
            return one
    return DEFAULT_PROFILE


def profile_type(scanners: Iterable[str]) -> str:
    """Return how agents call the choice of scanners."""
    chosen = list(scanners)
    return chosen[0] if len(chosen) == 1 else "all"


def command(scanners: Iterable[str], profile_id: str | None, *, remediate: bool) -> dict[str, object]:
    """Return the command by which an existing agent scans."""
    chosen = list(scanners)
    return {
        "type": "compliance_scan",
        "profile_type": profile_type(chosen),
        "profile_id": profile_id or DEFAULT_PROFILE,
        "enable_remediation": remediate,
        "fetch_remote_resources": False,
        "openscap_enabled": "openscap" in chosen,
        "docker_bench_enabled": "docker-bench" in chosen,
    }


# ---------------------------------------------------------------- words

_FIXES: Final = (
    (re.compile(r"/etc/ssh|sshd"), "This fix will update SSH daemon configuration."),
    (re.compile(r"\b(chmod|chown|chgrp)\b"), "This fix will update file permissions or ownership."),
    (
        re.compile(r"\b(apt(-get)?|dnf|yum|zypper)\b.*\b(install|remove|purge|erase)\b"),
        "This fix will install or remove packages.",
    ),
    (re.compile(r"\bsystemctl\b"), "This fix will enable, disable or restart system services."),
    (re.compile(r"sysctl"), "This fix will change kernel parameters."),
    (re.compile(r"audit(ctl|d)?\b|/etc/audit"), "This fix will update audit rules."),
    (re.compile(r"\bpam|/etc/pam\.d"), "This fix will update how people sign in (PAM)."),
    (re.compile(r"\bmount\b|/etc/fstab"), "This fix will change how file systems are mounted."),
)  # fmt: skip
_ANY_FIX: Final = "This fix will change the system's configuration as the script below says."


def fix_sentence(remediation: str) -> str:
    """Return in one line what a remediation does, by what stands in it; empty without one."""
    if not remediation.strip():
        return ""
    # Rights and owners first: files below /etc/ssh have them too.
    rights = _FIXES[1]
    if rights[0].search(remediation):
        return rights[1]
    return next((sentence for pattern, sentence in _FIXES if pattern.search(remediation)), _ANY_FIX)


def why(finding: Iterable[str]) -> str:
    """Return why a rule stands as it does on a host, from finding, actual and expected."""
    said, actual, expected = (*finding, "", "", "")[:3]
    if said:
        return said
    if actual and expected:
        return f"Current: {actual} → Required: {expected}"
    return f"Current: {actual}" if actual else f"Required: {expected}" if expected else ""


def title_of(host: str, failed: int) -> str:
    """Return the title of a message about a submission."""
    if failed == 0:
        return f"Compliance Scan - {host}"
    return f"Compliance Scan - {host} - {failed} Failed Rules"


def arf_of(content: bytes) -> bytes | None:
    """Return the packed result in a result file of a host; nothing where it is none."""
    try:
        told = orjson.loads(content)["result"]["arf"]
        packed = base64.b64decode(told, validate=True)
    except (ValueError, KeyError, TypeError):
        return None
    return packed if packed.startswith(_GZIP) else None
