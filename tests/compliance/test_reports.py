"""What scanners report, read: every spelling, nothing that hurts, and the hash piece by piece."""

import json
import random
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agent.protocol import hashes
from server.compliance import reports, rules
from server.compliance.errors import BadSubmission, NoScans
from server.compliance.models import ScanStatus, Submission
from tests.factories.compliance import result, scan

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def read(*scans: dict[str, Any], **more: Any) -> Submission:
    return reports.submission({"scans": list(scans), **more}, NOW)


def test_the_hash_is_the_agents_own() -> None:
    dice = random.Random(1)
    texts = ["", " plain ", "<b>&amp;</b>", "\u2028 line \u2029", "tab\tand\x1f", '"quoted\\"', "\u00e9\u0301", "\x7f"]
    for count in (0, 1, 49, 50, 51, 120):
        results = [
            {name: dice.choice(texts) for name in ("rule_ref", "title", "status", "finding", "remediation", "section")}
            for _ in range(count)
        ]
        scans = [{"profile_name": dice.choice(texts), "score": dice.choice([None, 83.333333333, 100, 1e17]),
                  "results": results} for _ in range(3)]  # fmt: skip
        assert reports.section_hash(msgspec.convert(scans, list[reports.ScanBody])) == hashes.compliance_hash(scans)


@pytest.mark.proves("COMP-183")
def test_every_spelling_of_agents_is_read() -> None:
    told = [
        {"rule_id": "a", "status": "skip"},
        {"id": "b", "result": "notchecked"},
        {"rule_ref": "c", "status": "fixed"},
        {"rule_ref": "d", "status": "unknown"},
        {"rule_ref": "e", "status": "notselected"},
        {"rule_ref": "f", "status": "pass"},
        {"rule_ref": "f", "status": "fail", "severity": "HIGH"},
        {"rule_ref": "g", "status": "notapplicable"},
        {"rule_ref": "h", "status": "WARN"},
        {"status": "pass"},
    ]
    (found,) = read(scan(*told, score=None)).scans
    assert "".join(rule.ref for rule in found.rules) == "abcdfgh"
    assert found.states == "sspefnw"
    assert found.score == 25.0
    assert found.failed_by == (0, 1, 0, 0, 0)
    (old,) = reports.submission(
        {"profile_name": "level1_server", "results": [result("x")], "status": "failed"}, NOW
    ).scans
    assert (old.profile_name, old.status, len(old.rules)) == ("level1_server", ScanStatus.FAILED, 1)
    (ahead,) = read(scan(completed_at="2099-01-01T00:00:00Z", started_at="0001-01-01T00:00:00Z")).scans
    assert (ahead.completed_at, ahead.started_at, ahead.score) == (NOW, None, None)


@pytest.mark.parametrize(
    "value",
    [[], "x", {"scans": 7}, {"scans": [7]}, {"scans": [{"results": {}}]}, {"scans": [{"results": [{"title": 7}]}]},
     {"scans": [{"score": "high"}]}, {"scans": [{"total_rules": "many"}]}],
)  # fmt: skip
def test_what_is_no_submission_is_refused(value: Any) -> None:
    with pytest.raises(BadSubmission):
        reports.submission(value, NOW)
    with pytest.raises(NoScans):
        reports.submission({}, NOW)


def test_hostile_sizes_are_cut() -> None:
    huge = [
        result(f"{n:05}", "fail", title="x" * 5000, remediation="y" * 90_000, finding="\0\ud800z") for n in range(5100)
    ]
    (found,) = read(scan(*huge)).scans
    assert len(found.rules) == 5000
    assert max(len(rule.title) for rule in found.rules) == 500
    assert max(len(rule.remediation) for rule in found.rules) == 20_000
    assert found.findings["1"][0] == "\ufffd\ufffdz"
    assert len(read(*[scan()] * 50).scans) == 20


def test_a_large_file_needs_little_more_memory_than_its_size() -> None:
    raw = json.dumps({"scans": [scan(*(result(f"{n:05}", description="d" * 600) for n in range(4000)))]}).encode()
    tracemalloc.start()
    found = reports.read(raw, NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.scans[0].rules) == 4000
    assert peak <= 3 * len(raw)


@pytest.mark.proves("COMP-149", "COMP-110", "COMP-130")
def test_words_and_thresholds() -> None:
    assert rules.fix_sentence("chmod 600 /etc/ssh/x").startswith("This fix will update file permissions or ownership")
    assert rules.fix_sentence("sed -i s/a/b/ /etc/ssh/sshd_config") == "This fix will update SSH daemon configuration."
    assert rules.fix_sentence("dnf install aide") == "This fix will install or remove packages."
    assert rules.fix_sentence("something else")
    assert rules.fix_sentence("  ") == ""
    assert rules.why(["", "yes", "no"]) == "Current: yes \u2192 Required: no"
    assert rules.why(["said", "yes", "no"]) == "said"
    assert [rules.verdict(one) for one in (80.0, 79.999, 60.0, 59.99, None)] == [
        "compliant", "warning", "warning", "critical", "unscanned",
    ]  # fmt: skip
