"""Passwords, activity, where to go next, and what the built-in roles hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.identity import rules
from server.identity.models import Profile
from server.identity.permissions import BUILT_IN, KEYS, held
from server.settings.rules import effective

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFAULTS = effective({}, {}).settings


@pytest.mark.parametrize(
    ("password", "broken"),
    [
        ("Correct-Horse-7", []),
        ("abcdefgh", ["One upper-case letter", "One digit", "One special character"]),
        ("Aa1!", ["At least 8 characters"]),
        ("AAAA-1111", ["One lower-case letter"]),
        ("Aa1! " + "x" * 80, ["At most 72 bytes"]),
        ("Aa1!Aa1!\x00", ["At most 72 bytes"]),
        ("Ünïcödé-7", []),
    ],
)
def test_a_password_breaks_these_rules(password: str, broken: list[str]) -> None:
    assert rules.broken(password, DEFAULTS) == broken


def test_rules_that_are_switched_off_are_neither_shown_nor_enforced() -> None:
    lax = effective({"PASSWORD_REQUIRE_UPPERCASE": "false", "PASSWORD_REQUIRE_NUMBER": "false"}, {}).settings
    assert [name for name, _ in rules.policy(lax)] == ["min_length", "require_lowercase", "require_special"]
    assert rules.broken("abcdef-gh", lax) == []


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        (Profile("ada", "ada@example.com", "Ada", "Lovelace"), set()),
        (Profile("a", "ada@example.com", "Ada", "Lovelace"), {"username"}),
        (Profile("ada@home", "ada@example.com", "Ada", "Lovelace"), {"username"}),
        (Profile("a da", "ada", "", ""), {"username", "email", "first_name", "last_name"}),
        (Profile("ada", "ada@example.com", "A\nda", "Lovelace"), {"first_name"}),
    ],
)
def test_complaints_name_every_field(profile: Profile, fields: set[str]) -> None:
    assert set(rules.complaints(profile, names_required=True)) == fields


def test_a_lock_counts_down_to_nothing() -> None:
    assert rules.locked_seconds(NOW + timedelta(minutes=15), NOW) == 901
    assert rules.locked_seconds(NOW, NOW) == 0
    assert rules.locked_seconds(None, NOW) == 0


@pytest.mark.parametrize(
    ("method", "path", "headers", "active"),
    [
        ("GET", "/hosts", {}, True),
        ("GET", "/hosts", {"Sec-Fetch-Dest": "document"}, True),
        ("GET", "/hosts", {"Sec-Fetch-Dest": "empty"}, False),
        ("GET", "/hosts", {"HX-Request": "true"}, False),
        ("POST", "/hosts", {"HX-Request": "true"}, True),
        ("GET", "/api/v1/jobs/1/stream", {}, False),
        ("GET", "/api/v1/hosts", {"X-User-Activity": "1"}, True),
    ],
)
def test_only_what_a_person_does_is_activity(method: str, path: str, headers: dict[str, str], active: bool) -> None:
    assert rules.is_activity(method, path, headers) is active


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/jobs?a=1&b=2", "/jobs?a=1&b=2"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/login?next=/", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(target: str, goes_to: str) -> None:
    assert rules.safe_next(target) == goes_to


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ("python-requests/2.32", "python-requests"),
        ("", "Unknown program"),
    ],
)
def test_a_session_is_named_after_its_program(user_agent: str, device: str) -> None:
    assert rules.device(user_agent) == device


def test_there_are_twenty_permissions() -> None:
    assert len(KEYS) == 20


@pytest.mark.parametrize(
    ("role", "total", "has", "lacks"),
    [
        ("superadmin", 20, "can_manage_superusers", ""),
        ("admin", 19, "can_manage_settings", "can_manage_superusers"),
        ("host_manager", 13, "can_use_remote_access", "can_export_data"),
        ("user", 6, "can_export_data", "can_manage_hosts"),
        ("readonly", 5, "can_view_reports", "can_export_data"),
    ],
)
def test_the_built_in_roles_hold_what_they_should(role: str, total: int, has: str, lacks: str) -> None:
    assert len(BUILT_IN[role]) == total
    assert has in BUILT_IN[role]
    assert lacks not in BUILT_IN[role]


def test_the_table_starts_with_the_same_permissions() -> None:
    text = (Path(__file__).resolve().parents[2] / "server/migrations/0003_identity.sql").read_text()
    for role, keys in BUILT_IN.items():
        line = next(line for line in text.splitlines() if f"('{role}', '{{" in line)
        assert set(line.split("{")[1].split("}")[0].split(",")) == keys


@pytest.mark.proves("ROLE-03")
def test_some_roles_are_fixed_whatever_the_table_says() -> None:
    assert held("superadmin", []) == KEYS
    assert held("admin", None) == KEYS - {"can_manage_superusers"}
    assert held("user", ["can_manage_users"]) == BUILT_IN["user"]
    assert held("readonly", ["can_view_hosts", "not_a_permission"]) == frozenset({"can_view_hosts"})
    assert held("gone", None) is None
