"""config.yml and credentials.yml: every form that is read, what a save keeps, and what is refused."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent import config
from agent.config import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.yml"
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.mark.proves("AGENT-CFG-13", "AGENT-CFG-02", "AGENT-CFG-05", "AGENT-CFG-06", "AGENT-CFG-07", "AGENT-CFG-09")
def test_a_server_alone_is_a_valid_file(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, "patchmon_server: https://patchmon.example.org/\n"))
    assert found.patchmon_server == "https://patchmon.example.org"
    assert found.api_url == "https://patchmon.example.org/api/v1"
    assert (found.log_level, found.skip_ssl_verify, found.update_interval, found.report_offset) == (
        "info",
        False,
        60,
        0,
    )
    assert (found.automation, found.max_changing_jobs) == ("builtin", 1)
    assert found.integrations == config.Integrations()
    assert found.integrations.compliance == "on-demand"


@pytest.mark.proves("AGENT-RUN-07", "AGENT-CFG-03", "AGENT-CFG-04")
def test_a_missing_file_means_defaults(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "config.yml"
    found = config.load(file)
    assert found.patchmon_server == ""
    assert found.credentials_file == file.with_name("credentials.yml")
    assert found.log_file == file.parent / "logs" / "patchmon-agent.log"
    assert Path("/etc/patchmon/config.yml") == config.DEFAULT_FILE
    assert not file.parent.exists(), "reading leaves nothing behind"


@pytest.mark.proves("AGENT-RUN-02")
@pytest.mark.parametrize(
    ("server", "socket"),
    [
        ("https://a.example", "wss://a.example/api/v1/agents/ws"),
        ("http://a.example:3000/", "ws://a.example:3000/api/v1/agents/ws"),
        ("wss://a.example", "wss://a.example/api/v1/agents/ws"),
        ("ws://a.example", "ws://a.example/api/v1/agents/ws"),
        ("a.example", "wss://a.example/api/v1/agents/ws"),
    ],
)
def test_the_socket_address(tmp_path: Path, server: str, socket: str) -> None:
    assert config.load(written(tmp_path, f"patchmon_server: {server}")).websocket_url == socket


@pytest.mark.proves("AGENT-CFG-10", "COMP-32")
@pytest.mark.parametrize(
    ("text", "mode", "openscap", "bench"),
    [
        ("compliance: {enabled: false}", False, True, False),
        (
            "compliance: {enabled: on-demand, openscap_enabled: false, docker_bench_enabled: true}",
            "on-demand",
            False,
            True,
        ),
        ("compliance: {enabled: true}", True, True, False),
        ("compliance: false", False, True, False),
        ("compliance: true", True, True, False),
        ("compliance: on-demand", "on-demand", True, False),
        ("compliance: disabled", False, True, False),
        ("compliance: {enabled: false, on_demand_only: true}", "on-demand", True, False),
        ("compliance: on-demand\n  compliance_openscap_enabled: false", "on-demand", False, False),
        ("docker: true", "on-demand", True, False),
    ],
)
def test_every_form_of_compliance(tmp_path: Path, text: str, mode: object, openscap: bool, bench: bool) -> None:
    found = config.load(written(tmp_path, f"integrations:\n  {text}\n")).integrations
    assert (found.compliance, found.openscap, found.docker_bench) == (mode, openscap, bench)


@pytest.mark.parametrize(("word", "means"), [("any", "any"), ("builtin", "builtin"), ("off", "off"), ("'off'", "off")])
def test_automation(tmp_path: Path, word: str, means: str) -> None:
    assert config.load(written(tmp_path, f"automation: {word}")).automation == means


@pytest.mark.proves("AGENT-CFG-07")
@pytest.mark.parametrize("minutes", [0, -5])
def test_an_interval_that_is_none_means_an_hour(tmp_path: Path, minutes: int) -> None:
    assert config.load(written(tmp_path, f"update_interval: {minutes}")).update_interval == 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "failed to parse"),
        ("- a\n- b\n", "expected keys and values"),
        ("update_interval: soon", "update_interval must be a whole number"),
        ("update_interval: true", "update_interval must be a whole number"),
        ("skip_ssl_verify: 'yes'", "skip_ssl_verify must be true or false"),
        ("log_level: loud", "log_level must be one of debug, info, warn, error"),
        ("automation: everything", "automation must be one of any, builtin, off"),
        ("patchmon_server: 5", "patchmon_server must be a text"),
        ("integrations: yes", "integrations must be a map"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as refusal:
        config.load(file)
    assert str(file) in str(refusal.value)


def test_a_file_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "automation: any")
    file.chmod(0o606)
    with pytest.raises(ConfigError, match="can be written by everybody"):
        config.load(file)


def test_a_save_keeps_comments_with_what_they_are_about(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "# Ours: see the handbook.\n# Ask before editing.\npatchmon_server: http://x # the old one\n"
        "# Allowed on 3 May.\nautomation: any\nlog_file: '/tmp/a#b.log'\nintegrations:\n"
        "  # For the support.\n  ssh-proxy-enabled: true  # until June\n  docker: false\n# The end.\n",
    )
    config.save(file, {"update_interval": 30, "integrations": {"docker": True}})
    once = file.read_text()
    lines = once.splitlines()
    assert lines[:3] == [
        "# Ours: see the handbook.",
        "# Ask before editing.",
        "patchmon_server: http://x # the old one",
    ]
    assert lines[lines.index("automation: any") - 1] == "# Allowed on 3 May."
    assert lines[lines.index("  ssh-proxy-enabled: true  # until June") - 1] == "  # For the support."
    assert lines[-1] == "# The end."
    assert yaml.safe_load(once)["log_file"] == "/tmp/a#b.log"
    config.save(file, {"update_interval": 30})
    assert file.read_text() == once
    # A mark within a text is none, and what would change the meaning is left away.
    file.write_text('patchmon_server: http://x\nnote: |\n  # no comment\n  docker: "a" # b\nreboot_command: "a # b"\n')
    config.save(file, {"update_interval": 31})
    after = yaml.safe_load(file.read_text())
    assert (after["note"], after["reboot_command"]) == ('# no comment\ndocker: "a" # b\n', "a # b")


@pytest.mark.proves("AGENT-CFG-14", "AGENT-CFG-15")
def test_a_save_writes_everything_and_keeps_what_a_person_set(tmp_path: Path) -> None:
    before = {
        "patchmon_server": "https://x.example",
        "automation": "any",
        "max_changing_jobs": 3,
        "log_level": "debug",
        "log_file": "/tmp/other.log",
        "credentials_file": "/tmp/other.yml",
        "skip_ssl_verify": True,
        "from_a_later_release": {"a": [1]},
        "integrations": {
            "ssh-proxy-enabled": True,
            "rdp-proxy-enabled": True,
            "compliance": "on-demand",
            "podman": True,
        },
    }
    file = written(tmp_path, yaml.safe_dump(before))
    config.save(
        file, {"update_interval": 30, "integrations": {"docker": True, "compliance": {"openscap_enabled": False}}}
    )
    after: dict[str, Any] = yaml.safe_load(file.read_text())
    assert {key: after[key] for key in before if key != "integrations"} == {
        key: value for key, value in before.items() if key != "integrations"
    }
    assert after["update_interval"] == 30
    assert after["integrations"] == {
        "docker": True,
        "compliance": {
            "enabled": "on-demand", "openscap_enabled": False, "docker_bench_enabled": False, "scan_interval": 1440,
        },
        "ssh-proxy-enabled": True,
        "rdp-proxy-enabled": True,
        "podman": True,
    }  # fmt: skip
    assert {"api_version", "report_offset", "package_cache_refresh_mode"} <= set(after)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Saving what was saved changes nothing.
    text = file.read_text()
    config.save(file, {})
    assert file.read_text() == text


def test_a_save_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "a: [")
    with pytest.raises(ConfigError):
        config.save(file, {"update_interval": 5})
    assert file.read_text() == "a: ["


def test_the_key_does_not_print() -> None:
    assert "geheim" not in repr(config.Credentials("id", "geheim"))


@pytest.mark.proves("AGENT-RUN-11", "AGENT-RUN-12")
def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    found = config.read_environment()
    assert found.proxy_for("https://out.example/x") == "http://proxy.example:3128"
    assert found.proxy_for("wss://out.example/x") == "http://proxy.example:3128"
    assert found.proxy_for("https://inside.example/x") == ""
    assert found.proxy_for("http://out.example/x") == ""
    strict = config.load(written(tmp_path, "patchmon_server: https://x"))
    lax = config.load(written(tmp_path, "skip_ssl_verify: true"))
    assert found.verifies(strict)
    assert not found.verifies(lax)
    monkeypatch.setenv("PATCHMON_SKIP_SSL_VERIFY", "1")
    assert not config.read_environment().verifies(strict)
    monkeypatch.setenv("PATCHMON_ENV", "production")
    assert config.read_environment().verifies(lax)
