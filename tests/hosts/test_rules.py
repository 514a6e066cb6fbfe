"""Decisions about hosts, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from server.hosts import rules
from server.hosts.errors import BadSystem

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("2.0.0-rc.4", "2.0.0"),
        ("2.0.0-rc.4", "2.0.0-rc.10"),
        ("2.0.0-alpha", "2.0.0-beta"),
        ("2.0.0-1", "2.0.0-alpha"),
        ("2.0", "2.0.1"),
        ("v2.0.0", "2.0.1"),
        ("", "0.0.1"),
    ],
)
def test_versions_are_ordered(older: str, newer: str) -> None:
    assert rules.version_key(older) < rules.version_key(newer)


def test_build_metadata_does_not_count() -> None:
    assert rules.version_key("2.0.0+a") == rules.version_key("v2.0.0+b")


@pytest.mark.parametrize(
    ("status", "seen_minutes_ago", "online", "word"),
    [
        ("pending", None, False, "Pending"),
        ("pending", None, True, "Connecting"),
        ("active", 1, True, "Connected"),
        ("active", 179, False, "Offline"),
        ("active", 181, False, "Inactive"),
        ("active", 500, True, "Connected"),
    ],
)
def test_the_word_for_a_host(status: str, seen_minutes_ago: int | None, online: bool, word: str) -> None:
    seen = None if seen_minutes_ago is None else NOW - timedelta(minutes=seen_minutes_ago)
    assert rules.state_of(status, seen, NOW, 60, online=online)[0] == word


@pytest.mark.parametrize(
    ("asked", "expected", "reported", "system"),
    [
        ("freebsd", "linux", "", "freebsd"),
        ("", "windows", "Debian", "windows"),
        ("", "", "FreeBSD", "freebsd"),
        ("", "", "Microsoft Windows 11", "windows"),
        ("", "", "Debian GNU/Linux", "linux"),
        ("", "", "", "linux"),
    ],
)
def test_which_system_a_file_is_for(asked: str, expected: str, reported: str, system: str) -> None:
    assert rules.system_of(asked, expected, reported) == system


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(BadSystem):
        rules.system_of("plan9", "linux", "")


@pytest.mark.proves("AGENT-CMD-01", "AGENT-CMD-02")
def test_the_install_commands() -> None:
    headers = '-H "X-API-ID: i" -H "X-API-KEY: k"'
    url = "https://patch.example.com"
    assert rules.install_command(url, "linux", "i", "k") == f'curl -s "{url}/api/v1/hosts/install" {headers} | sudo sh'
    assert rules.install_command(url, "linux", "i", "k", insecure=True).startswith("curl -sk ")
    freebsd = rules.install_command(url, "freebsd", "i", "k")
    assert freebsd == f'curl -s "{url}/api/v1/hosts/install?os=freebsd" {headers} | sh'
