"""What scanners report, read into what is stored: every name that agents use, and nothing that could hurt."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
import orjson

from agent.protocol import hashes
from server.compliance import rules
from server.compliance.errors import BadSubmission, NoScans
from server.compliance.models import DEFAULT_PROFILE, KINDS, SEVERITIES, Found, Kind, Rule, ScanStatus, Submission

_MOST_SCANS: Final = 20
_MOST_RULES: Final = 5000
_TITLE, _REF, _FINDING, _PROSE, _ERROR = 500, 300, 2000, 20_000, 4000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class RuleBody(msgspec.Struct, frozen=True, gc=False):
    """One rule, in every form that agents have for it."""

    rule_ref: str | None = None
    rule_id: str | None = None
    id: str | None = None
    title: str | None = None
    status: str | None = None
    result: str | None = None
    finding: str | None = None
    actual: str | None = None
    expected: str | None = None
    section: str | None = None
    description: str | None = None
    rationale: str | None = None
    severity: str | None = None
    remediation: str | None = None

    @property
    def ref(self) -> str:
        """Its reference."""
        return self.rule_ref or self.rule_id or self.id or ""


class ScanBody(msgspec.Struct, frozen=True):
    """One scan as agents send it; counts are only believed where no rule is told."""

    profile_name: str | None = None
    profile_type: str | None = None
    profile_id: str | None = None
    status: str | None = None
    score: float | None = None
    total_rules: int | float | None = None
    passed: int | float | None = None
    failed: int | float | None = None
    warnings: int | float | None = None
    skipped: int | float | None = None
    not_applicable: int | float | None = None
    errors: int | float | None = None
    started_at: str | None = None
    completed_at: str | None = None
    results: list[RuleBody] | None = None
    error: str | None = None
    remediation_applied: bool | None = None
    remediation_count: int | float | None = None


class SubmissionBody(ScanBody, frozen=True):
    """The whole body; the older form has a scan's fields at the top."""

    scans: list[ScanBody] | None = None
    scan_type: str | None = None
    compliance_hash: str | None = None


class ResultFile(SubmissionBody, frozen=True):
    """What a module of ours leaves behind: a body, with or without a cover."""

    result: SubmissionBody | None = None


_BODY: Final = msgspec.json.Decoder(SubmissionBody)
_FILE: Final = msgspec.json.Decoder(ResultFile)


def read(raw: bytes, now: datetime) -> Submission:
    """Return what a body of an agent says; raises ``BadSubmission`` or ``NoScans``."""
    try:
        body = _BODY.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSubmission from error
    return _submission(body, now)


def read_file(raw: bytes, now: datetime) -> Submission:
    """Return what a module's result file says; raises ``BadSubmission`` or ``NoScans``."""
    try:
        found = _FILE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSubmission from error
    return _submission(found.result or found, now)


def submission(value: object, now: datetime) -> Submission:
    """Return what a decoded body says; raises ``BadSubmission`` or ``NoScans``."""
    if not isinstance(value, dict):
        raise BadSubmission
    try:
        return _submission(msgspec.convert(value, SubmissionBody), now)
    except msgspec.ValidationError as error:
        raise BadSubmission from error


def _submission(body: SubmissionBody, now: datetime) -> Submission:
    told: Sequence[ScanBody] | None = body.scans
    if told is None:
        if not body.profile_name:
            raise NoScans
        told = (body,)
    try:
        own = section_hash(told)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadSubmission from error
    scans = tuple(_found(one, now) for one in told[:_MOST_SCANS])
    return Submission(scans, body.scan_type or "", (body.compliance_hash or "").lower(), own)


_MARKUP: Final = (
    (b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"),
)  # fmt: skip
_PIECE: Final = 50


def section_hash(scans: Sequence[ScanBody]) -> str:
    """Return ``agent.protocol.hashes.compliance_hash`` of scans, piece by piece: a scan holds hundreds of texts."""
    heads = [(hashes.compliance_head(_asking(one)), one.results or ()) for one in scans]
    heads.sort(key=lambda pair: (pair[0]["profileName"], pair[0]["profileType"]))
    sha = hashlib.sha256(b'{"scans":[')
    for number, (head, results) in enumerate(heads):
        opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
        sha.update(_marked((("," if number else "") + opening + ',"results":[').encode()))
        ordered = sorted(map(_asking, results), key=hashes.compliance_order)
        for start in range(0, len(ordered), _PIECE):
            piece = orjson.dumps([hashes.compliance_result(get) for get in ordered[start : start + _PIECE]])[1:-1]
            sha.update(_marked(b"," + piece if start else piece))
        sha.update(b"]}")
    sha.update(b"]}")
    return sha.hexdigest()


def _asking(body: msgspec.Struct) -> Callable[[str], Any]:
    """Return what ``get`` of a mapping would be."""
    return partial(getattr, body)


def _marked(text: bytes) -> bytes:
    for plain, escaped in _MARKUP:
        text = text.replace(plain, escaped)
    return text


def _found(body: ScanBody, now: datetime) -> Found:
    kind = _kind(body)
    states, told, findings = _results(body.results or [])
    letters = "".join(states[ref] for ref in told)
    known = tuple(told.values())
    counts = rules.counts(letters) if letters else _told_counts(body)
    status = _status(body)
    started_at, completed_at = (_moment(text, now) for text in (body.started_at, body.completed_at))
    failed_by = tuple(
        sum(1 for rule, state in zip(known, letters, strict=True) if state == "f" and rule.severity == severity)
        for severity in SEVERITIES
    )
    places = {ref: str(place) for place, ref in enumerate(told, 1)}
    return Found(
        kind=kind,
        status=status,
        profile_id=_cut(body.profile_id, 256),
        profile_name=_cut(body.profile_name, 256) or DEFAULT_PROFILE,
        error=_cut(body.error, _ERROR),
        started_at=started_at,
        completed_at=completed_at,
        rules=known,
        states=letters,
        findings={places[ref]: said for ref, said in findings.items()},
        counts=counts,
        failed_by=failed_by,
        score=_score(body.score, counts),
        remediation_applied=bool(body.remediation_applied),
        remediation_count=_number(body.remediation_count),
        digest=_digest(kind, *(part for rule in known for part in (rule.ref, rule.fingerprint))),
        received=_received(body, kind, letters),
    )


def _kind(body: ScanBody) -> Kind:
    told = (body.profile_type or "").strip().lower().replace("_", "-")
    for kind in KINDS:
        if told == kind:
            return kind
    return "docker-bench" if "docker" in (body.profile_name or "").lower() else "openscap"


def _status(body: ScanBody) -> ScanStatus:
    told = (body.status or "").strip().lower()
    if told == "cancelled":
        return ScanStatus.CANCELLED
    if told in {"failed", "error"} or (body.error and told != "completed"):
        return ScanStatus.FAILED
    # What an agent calls in progress and sends all the same is a part of a scan.
    return ScanStatus.CANCELLED if told == "in_progress" else ScanStatus.COMPLETED


def _results(results: list[RuleBody]) -> tuple[dict[str, str], dict[str, Rule], dict[str, list[str]]]:
    """Return letters, rules and findings by reference, in the order of the references."""
    states: dict[str, str] = {}
    best: dict[str, RuleBody] = {}
    for one in results[:_MOST_RULES]:
        ref, word = _cut(one.ref, _REF), one.status or one.result or ""
        if not ref or word.strip().lower() in rules.NOT_SELECTED:
            continue
        letter = rules.letter(word)
        if ref not in states or rules.worse(letter, states[ref]) != states[ref]:
            states[ref], best[ref] = letter, one
    told = {ref: _rule(ref, best[ref]) for ref in sorted(states)}
    findings = {
        ref: said
        for ref, one in best.items()
        if any(said := [_cut(text, _FINDING) for text in (one.finding, one.actual, one.expected)])
    }
    return states, told, findings


def _rule(ref: str, one: RuleBody) -> Rule:
    title = _cut(one.title, _TITLE) or ref
    severity, section = rules.severity(one.severity or ""), _cut(one.section, _REF)
    description, rationale, remediation = (
        _cut(text, _PROSE) for text in (one.description, one.rationale, one.remediation)
    )
    fingerprint = _digest(title, severity, section, description, rationale, remediation)
    return Rule(ref, title, severity, section, description, rationale, remediation, fingerprint)


def _cut(value: str | None, most: int) -> str:
    text = (value or "").strip()
    if not text.isascii() or "\0" in text:
        text = _UNSTORABLE.sub("\ufffd", text)
    return text[:most]


def _number(value: float | None) -> int:
    return int(value) if value is not None and 0 <= value < 2**31 else 0


def _told_counts(body: ScanBody) -> dict[str, int]:
    found = {
        "passed": _number(body.passed),
        "failed": _number(body.failed),
        "warned": _number(body.warnings),
        "skipped": _number(body.skipped),
        "not_applicable": _number(body.not_applicable),
        "errors": _number(body.errors),
    }
    return {"total": _number(body.total_rules) or min(sum(found.values()), 2**31 - 1), **found}


def _score(told: float | None, counts: Mapping[str, int]) -> float | None:
    if told is not None and 0 <= told <= 100:  # noqa: PLR2004 (percent)
        return told
    return rules.score(counts)


def _moment(text: str | None, now: datetime) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    # Go's zero time stands for none, and clocks of hosts run ahead.
    return None if found.year < 2000 else min(found, now)  # noqa: PLR2004 (nothing is older)


def _digest(*parts: str) -> str:
    # No text that is kept holds the character zero.
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()


def _received(body: ScanBody, kind: Kind, letters: str) -> str:
    # Without a time two equal scans cannot be told apart from one that came twice.
    if not body.completed_at:
        return ""
    return _digest(kind, body.profile_name or "", body.started_at or "", body.completed_at, body.status or "", letters)
