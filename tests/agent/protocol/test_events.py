"""Runner events recorded from real plays become items of the spool."""

import json
from pathlib import Path

import pytest

from agent.protocol.events import Item, failure_message, moment, to_item
from agent.supervise.outcome import Outcome

RECORDED = Path(__file__).parents[2] / "fixtures" / "runner"


def items(name: str) -> list[Item]:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    return [item for item in map(to_item, recorded["events"]) if item]


def reason(name: str) -> str:
    outcome = Outcome()
    for item in items(name):
        outcome.see(item)
    return outcome.reason(json.loads((RECORDED / f"{name}.json").read_text())["rc"])


def test_a_task_that_changed_something_carries_its_place_duration_and_result() -> None:
    (ok,) = [item for item in items("success") if item["event"] == "runner_on_ok" and item["task"] == "Say"]
    assert ok["play"] == "Greet"
    assert ok["action"] == "ansible.builtin.command"
    assert ok["host"] == "web-01"
    assert ok["changed"] is True
    assert isinstance(ok["duration"], float)
    assert ok["at"] == moment(ok["at"])
    assert isinstance(ok["result"], dict)
    assert ok["result"]["stdout"] == "hello"
    assert ok["stdout"] == "\x1b[0;33mchanged: [web-01]\x1b[0m"


def test_every_item_is_a_child_of_an_earlier_one() -> None:
    known: set[object] = set()
    for item in items("success"):
        assert item.get("parent") in known | {None}
        known.add(item["uuid"])


def test_the_statistics_of_the_end_become_counters() -> None:
    outcome = Outcome()
    for item in items("failure"):
        outcome.see(item)
    assert outcome.counters == {
        "ok": 2,
        "changed": 1,
        "failed": 1,
        "skipped": 0,
        "unreachable": 0,
        "ignored": 1,
        "rescued": 1,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("failure", "Real: non-zero return code: ls: cannot access '/nowhere': No such file or directory"),
        ("hidden", "Hidden failure: failed; the output is hidden (no_log)"),
        ("unknown_module", "[ERROR]: couldn't resolve module/action 'nonsense_module_of_nobody'."),
        ("syntax_error", "[ERROR]: YAML parsing failed"),
    ],
)
def test_the_reason_names_the_failure_that_counted(name: str, expected: str) -> None:
    assert reason(name).startswith(expected)


def test_the_place_of_a_syntax_error_is_in_its_reason() -> None:
    assert "play.yml:6:1" in reason("syntax_error")


def test_ignored_and_rescued_failures_are_marked_or_mended() -> None:
    failures = [item for item in items("failure") if item["event"] == "runner_on_failed"]
    assert [(item["task"], item["ignored"]) for item in failures] == [
        ("Ignored", True),
        ("Breaks", False),
        ("Real", False),
    ]


def test_hidden_results_and_the_playbook_lines_around_them_stay_hidden() -> None:
    assert "canary" in (RECORDED / "hidden.json").read_text()
    assert "canary" not in json.dumps(items("hidden"))


def test_a_hidden_change_is_still_a_change() -> None:
    (hidden,) = [item for item in items("hidden") if item["event"] == "runner_on_ok" and item["task"] == "Hidden"]
    assert hidden["changed"] is True
    assert hidden["result"] == {"censored": "the output is hidden (no_log)"}


def test_a_shown_command_line_with_the_environment_of_its_task_is_dropped() -> None:
    assert "CANARY_TASK=visible" in (RECORDED / "verbose.json").read_text()
    assert "CANARY_TASK" not in json.dumps(items("verbose"))


@pytest.mark.parametrize(
    "event",
    [
        {"event": "verbose", "stdout": ""},
        {"event": "verbose", "stdout": "\x1b[0;31m\x1b[0m"},
        {"event": "starting", "env": {"PATH": "/bin"}},
        {"status": "starting", "command": ["ansible-playbook"]},
        {"event": "verbose", "stdout": "text", "command": ["x"]},
    ],
)
def test_events_that_say_nothing_or_carry_the_environment_are_dropped(event: dict[str, object]) -> None:
    assert to_item(event) is None


def test_times_are_utc_with_milliseconds() -> None:
    assert moment("2026-02-12T10:30:00.123456+02:00") == "2026-02-12T08:30:00.123Z"
    assert moment("2026-02-12T10:30:00") == "2026-02-12T10:30:00.000Z"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "no such package"}, "no such package"),
        ({"msg": "non-zero return code", "rc": 3}, "ended with 3"),
        ({"msg": "", "module_stderr": "Traceback\nValueError: x\n"}, "ValueError: x"),
        ({"msg": ["a", "list"]}, "failed"),
        ({}, "failed"),
    ],
)
def test_a_failure_message_is_one_line(result: dict[str, object], expected: str) -> None:
    assert failure_message(result) == expected


def test_a_very_long_failure_message_is_cut() -> None:
    assert len(failure_message({"msg": "x" * 5000})) == 500
