"""Scans with the real OpenSCAP over a small guide of our own, by the playbooks as agents run them."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible.conftest import COLLECTIONS, Play, PlayStarter, Watcher
from tests.factories.openscap import RULE, guide, needs_oscap

sys.path.insert(0, str(COLLECTIONS))
from ansible_collections.patchmon.fleet.plugins.module_utils import (
    _bench,
    _oscap,
    _xccdf,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return guide(tmp_path / "guide", tmp_path / "watched")


def variables(role: str, **more: object) -> str:
    return yaml.safe_dump({f"{role}_{name}": value for name, value in more.items()})


def scan(play: Play) -> dict[str, Any]:
    (found,) = play.result("oscap_scan")["scans"]
    return dict(found)


def states(found: dict[str, Any]) -> dict[str, str]:
    return {one["rule_ref"].removeprefix(RULE): one["status"] for one in found["results"]}


@needs_oscap
@pytest.mark.proves("COMP-11", "COMP-12")
def test_a_scan_hands_in_every_rule_with_its_words(play: PlayStarter, watcher: Watcher, tiny: Path) -> None:
    run = play("compliance_scan", variables=variables("compliance_scan", content=str(tiny)))
    assert run.code == 0, run.output
    found = scan(run)
    assert states(found) == {"passes": "pass", "fixable": "fail", "unfixable": "fail", "unchecked": "skipped"}
    assert (found["status"], found["profile_type"], found["profile_name"]) == ("completed", "openscap", "level1_server")
    assert found["profile_id"] == "xccdf_org.example_profile_cis_level1_server"
    assert found["started_at"] <= found["completed_at"]
    fixable = next(one for one in found["results"] if one["rule_ref"].endswith("fixable"))
    assert {name: fixable[name] for name in ("title", "severity", "section", "rationale")} == {
        "title": "The missing file is there", "severity": "high", "section": "1.1.2", "rationale": "It is missed.",
    }  # fmt: skip
    assert fixable["remediation"] == f'install -m 0600 /dev/null "{tiny.parent.parent / "watched"}/missing"'
    assert run.last["scans"][0] == {
        "profile_type": "openscap", "status": "completed", "error": "",
        "passed": 1, "failed": 2, "warnings": 0, "errors": 0,
    }  # fmt: skip
    assert f"{RULE}fixable:fail" in watcher.lines


@needs_oscap
@pytest.mark.proves("COMP-171", "COMP-173")
def test_what_can_be_fixed_is_fixed_and_check_mode_only_looks(play: PlayStarter, tiny: Path) -> None:
    missing = tiny.parent.parent / "watched" / "missing"
    told = variables("compliance_remediate", content=str(tiny), rules=[f"{RULE}fixable"])
    looked = play("compliance_remediate", "--check", variables=told)
    assert looked.code == 0, looked.output
    assert not missing.exists()
    assert scan(looked)["remediation_applied"] is False
    for file in looked.results_folder.iterdir():
        file.unlink()
    run = play("compliance_remediate", variables=told)
    assert run.code == 0, run.output
    assert missing.stat().st_mode & 0o777 == 0o600
    found = scan(run)
    assert states(found) == {"fixable": "pass"}
    assert (found["remediation_applied"], found["remediation_count"]) == (True, 1)
    assert run.last["changed"] is True


@needs_oscap
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"profile": "stig"}, "There is no profile stig in ssg-tiny-ds.xml; there are: xccdf_org.example_profile_cis"),
        ({"content": "/nowhere/ssg.xml"}, "There is no file /nowhere/ssg.xml on this host"),
        ({"scanners": ["docker-bench"]}, "Docker Bench for Security is not installed on this host"),
    ],
)
def test_a_scan_that_cannot_be_made_says_why(play: PlayStarter, tiny: Path, more: dict[str, object], why: str) -> None:
    run = play("compliance_scan", variables=variables("compliance_scan", **{"content": str(tiny), **more}))
    assert run.code != 0
    assert run.last["msg"].startswith(why)
    found = scan(run)
    assert found["status"] == "failed"
    assert found["error"].startswith(why)


@needs_oscap
def test_a_guide_that_is_none_is_named(play: PlayStarter, tiny: Path) -> None:
    tiny.write_text("<broken", encoding="utf-8")
    run = play("compliance_scan", variables=variables("compliance_scan", content=str(tiny)))
    assert f"{tiny} cannot be read by oscap" in run.last["msg"]


@pytest.mark.proves("COMP-14")
def test_each_system_has_its_guide_and_some_have_none() -> None:
    assert _oscap.content_names("debian", "12") == ["ssg-debian12-ds.xml"]
    assert _oscap.content_names("ubuntu", "22.04") == ["ssg-ubuntu2204-ds.xml"]
    assert _oscap.content_names("rocky", "9.4")[-1] == "ssg-rhel9-ds.xml"
    assert _oscap.content_names("alpine", "3.20") == []


def test_a_result_of_many_rules_is_read_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc  # noqa: PLC0415 (for this test alone)

    rules = "".join(
        f'<Rule id="r{n}" severity="low"><title>T{n}</title><description>{"word " * 200}</description></Rule>'
        for n in range(4000)
    )
    told = "".join(f'<rule-result idref="r{n}"><result>pass</result></rule-result>' for n in range(4000))
    file = tmp_path / "results.xml"
    file.write_text(
        f'<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2">{rules}<TestResult>{told}</TestResult></Benchmark>',
        encoding="utf-8",
    )
    tracemalloc.start()
    found, _ = _xccdf.results(str(file))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 4000
    assert most < 3 * file.stat().st_size


@pytest.mark.proves("COMP-16", "COMP-17")
def test_docker_bench_is_read_line_by_line() -> None:
    lines = """\x1b[1;34m[INFO]\x1b[0m 1 - Host Configuration
\x1b[1;32m[PASS]\x1b[0m 1.1.1 - Ensure a separate partition for containers has been created (Automated)
\x1b[1;31m[WARN]\x1b[0m 4.5 - Ensure Content trust for Docker is Enabled (Automated)
\x1b[1;31m[WARN]\x1b[0m      * No container
[NOTE] 5.9 - Ensure it is looked at (Manual)
""".splitlines()
    assert [(one["rule_ref"], one["status"], one["section"], one["finding"]) for one in _bench.results(lines)] == [
        ("1.1.1", "pass", "Host Configuration", ""),
        ("4.5", "warn", "Container Images and Build File", "No container"),
        ("5.9", "skipped", "Container Runtime", ""),
    ]


def test_without_an_agent_nothing_is_fetched(play: PlayStarter) -> None:
    run = play("compliance_scanner", variables=variables("compliance_scanner", action="upgrade"))
    assert "Only PatchMon's agent can fetch" in run.last["msg"] or "There is no security guide" in run.last["msg"]
