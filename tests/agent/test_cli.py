"""The commands, run as a person or the installer runs them, with the exact lines that scripts look for."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from agent import __version__
from agent.protocol.hashes import section_hashes
from tests.agent.conftest import ROOT, Agent
from tests.stand_ins.agent_server import API_ID, API_KEY, AgentServer

UNIT = """
Description=PatchMon Agent Service
After=network.target
Wants=network.target
Type=simple
User=root
ExecStart=/usr/local/bin/patchmon-agent serve
Restart=always
RestartSec=10
WorkingDirectory=/etc/patchmon
StandardOutput=journal
StandardError=journal
SyslogIdentifier=patchmon-agent
WantedBy=multi-user.target
KillMode=process
"""
FREE_PORT = "http://127.0.0.1:9"


@pytest.mark.proves("AGENT-CLI-12")
@pytest.mark.parametrize("word", ["version", "--version"])
async def test_version(agent: Agent, word: str) -> None:
    done = await agent.run(word)
    assert (done.code, done.out) == (0, f"PatchMon Agent v{__version__}\n")
    assert re.fullmatch(r"PatchMon Agent v\d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.proves("AGENT-CLI-06", "AGENT-EXIT-01")
async def test_ping(agent: Agent, server: AgentServer) -> None:
    done = await agent.run("ping")
    assert done.code == 0
    assert done.out.splitlines() == ["✅ API credentials are valid", "✅ Connectivity test successful"]
    assert server.requests[0].body == b""
    assert server.requests[0].headers["X-API-ID"] == API_ID


@pytest.mark.proves("AGENT-CLI-06", "AGENT-EXIT-01", "AGENT-RUN-13")
@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        (None, 401, "server returned 401"),
        (None, 503, "server returned 503"),
        (None, 204, "server returned 204"),
        (FREE_PORT, 0, "connection refused"),
        ("http://no-such-host.invalid", 0, "DNS: lookup no-such-host.invalid"),
    ],
)
async def test_ping_that_fails(agent: Agent, server: AgentServer, url: str | None, status: int, words: str) -> None:
    if url:
        agent.configure(url)
    elif status:
        server.statuses["/hosts/ping"] = status
    done = await agent.run("ping")
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("Error: connectivity test failed: ")
    assert words in done.err
    if status == 401:
        assert done.err == "Error: connectivity test failed: server returned 401\n"


@pytest.mark.proves("AGENT-CLI-05")
async def test_report_json(agent: Agent, server: AgentServer) -> None:
    (agent.folder / "credentials.yml").unlink()
    done = await agent.run("report", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert server.requests == []
    assert {"hostname", "osType", "osVersion", "packages", "repositories", "networkInterfaces"} <= set(report)
    first = report["packages"][0]
    assert {"name", "currentVersion", "needsUpdate", "isSecurityUpdate"} <= set(first)
    names = report["packages"], report["repositories"], report["networkInterfaces"], report["hostname"]
    assert report["hashes"] == section_hashes(*names)
    assert {row["name"].partition(":")[0] for row in report["packages"]} >= installed_packages()


def installed_packages() -> set[str]:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith(("ii", "hi"))}


@pytest.mark.proves("AGENT-CLI-04", "AGENT-REP-06", "AGENT-LOG-03", "AGENT-LOG-07")
async def test_report(agent: Agent, server: AgentServer) -> None:
    done = await agent.run("report")
    assert (done.code, done.out, done.err) == (0, "", "")
    body = server.seen("/hosts/update")[0].json
    assert "sections" not in body
    trail = [
        "Detecting operating system...",
        "Detected OS",
        "Found packages",
        "Sending report to PatchMon server...",
        "Report sent successfully",
        "Processed packages",
        "Agent is up to date",
    ]
    lines = [line for line in agent.log.splitlines() if "level=info" in line]
    found = [re.search(r'msg="([^"]+)"', line) for line in lines]
    assert [match.group(1) for match in found if match] == trail
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d level=info msg="Detecting operating system\.\.\."$', lines[0])
    assert f"count={len(body['packages'])}" in agent.log
    loud = await agent.run("--log-level", "debug", "report")
    assert "Report sent successfully" in loud.err


@pytest.mark.proves("AGENT-EXIT-05")
@pytest.mark.parametrize("status", [413, 500])
async def test_a_refused_report_fails_the_command(agent: Agent, server: AgentServer, status: int) -> None:
    server.statuses["/hosts/update"] = status
    done = await agent.run("report")
    assert done.code == 1
    assert f"server returned {status}" in done.err
    # Whatever the status, it is final.
    assert len(server.seen("/hosts/update")) == 1


@pytest.mark.proves("AGENT-CLI-09", "AGENT-CFG-16", "AGENT-CFG-19", "AGENT-CRED-01", "AGENT-CRED-02")
async def test_set_api(agent: Agent, server: AgentServer) -> None:
    agent.configure("http://old.example", automation="any", log_level="debug", integrations={"ssh-proxy-enabled": True})
    done = await agent.run("config", "set-api", API_ID, API_KEY, server.url + "/")
    assert done.code == 0
    assert "✅ Connectivity test successful" in done.out
    assert agent.config["patchmon_server"] == server.url
    assert agent.config["automation"] == "any"
    assert agent.config["integrations"]["ssh-proxy-enabled"] is True
    for name in ("config.yml", "credentials.yml"):
        assert stat.S_IMODE((agent.folder / name).stat().st_mode) == 0o600
    assert (agent.folder / "credentials.yml").read_text() == f"api_id: {API_ID}\napi_key: {API_KEY}\n"
    assert not list(agent.folder.glob(".*"))


@pytest.mark.proves("AGENT-CLI-09")
@pytest.mark.parametrize(
    "arguments",
    [("", API_KEY, "http://x"), (API_ID, " ", "http://x"), (API_ID, API_KEY, ""), (API_ID, API_KEY, "ftp://x"),
     *((API_ID, API_KEY, url) for url in ("example.org", "https://", "http://a b", "http://x:port"))],
)  # fmt: skip
async def test_set_api_refuses(agent: Agent, arguments: tuple[str, ...]) -> None:
    before = agent.file.read_bytes()
    done = await agent.run("config", "set-api", *arguments)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert agent.file.read_bytes() == before


async def test_set_api_makes_a_file_that_was_missing(agent: Agent) -> None:
    agent.file.unlink()
    done = await agent.run("config", "set-api", API_ID, API_KEY, FREE_PORT)
    assert done.code == 1  # saved, but nobody is there
    assert "connection refused" in done.err
    assert agent.config["patchmon_server"] == FREE_PORT
    assert agent.config["automation"] == "builtin"


@pytest.mark.proves("AGENT-CLI-08")
async def test_config_show(agent: Agent, server: AgentServer) -> None:
    done = await agent.run("config", "show")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "Configuration:"
    assert lines[1] == f"  Server: {server.url}"
    assert [line.split(":")[0].strip() for line in lines[1:7]] == [
        "Server", "Agent Version", "Config File", "Credentials File", "Log File", "Log Level",
    ]  # fmt: skip
    assert "\n\nCredentials:\n" in done.out
    assert f"  API ID: {API_ID}" in done.out
    assert "  API Key: Set ✅" in done.out
    assert API_KEY not in done.out
    assert any("interval" in line.lower() for line in lines)


@pytest.mark.proves("AGENT-CLI-07", "AGENT-DIAG-01", "AGENT-DIAG-02", "AGENT-DIAG-03")
@pytest.mark.proves("AGENT-DIAG-04", "AGENT-DIAG-05", "AGENT-DIAG-06", "AGENT-CRED-04")
async def test_diagnostics(agent: Agent) -> None:
    await agent.run("report")
    done = await agent.run("diagnostics")
    assert done.code == 0
    assert done.out.startswith(f"PatchMon Agent Diagnostics v{__version__}\n")
    titles = [line for line in done.out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "System Information:",
        "Agent Information:",
        "Configuration Status:",
        "Network Connectivity & API Credentials:",
        "Last 10 log entries:",
    ]
    for words in (
        "OS: ", "Architecture: ", "Kernel: ", "Hostname: ", "Machine ID: ", f"Version: {__version__}", "Config File: ",
        "Credentials File: ", "Log File: ", "Log Level: info", "✅ Config file exists", "✅ Credentials file exists",
        "Server URL: http://127", "✅ Server is reachable", "✅ API is reachable and credentials are valid",
    ):  # fmt: skip
        assert f"  {words}" in done.out
    assert 'msg="Report sent successfully"' in done.out
    # It is made to be sent to others.
    assert API_KEY not in done.out
    assert API_ID not in done.out


@pytest.mark.proves("AGENT-DIFF-04")
async def test_debug_tells_of_requests_and_not_what_is_in_them(agent: Agent, server: AgentServer) -> None:
    done = await agent.run("--log-level", "debug", "report")
    assert done.code == 0
    for log in (agent.log, done.err):
        assert re.search(
            r'level=debug msg=Request.* method=POST path=/hosts/update status=200 bytes=\d+|msg="Request"', log
        )
        assert "status=200" in log
        assert API_KEY not in log
        assert API_ID not in log
        assert server.seen("/hosts/update")[0].json["packages"][0]["name"] + '"' not in log


@pytest.mark.proves("AGENT-DIAG-04", "AGENT-DIAG-05", "AGENT-DIAG-07")
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("config", "❌ Config file cannot be used: failed to parse"),
        ("credentials", "❌ Credentials file not found"),
        ("key", "❌ API is not reachable or credentials are not valid: server returned 401"),
        ("network", "❌ Server is not reachable: connection refused"),
        ("missing", "❌ Config file not found"),
        ("log", "❌"),
    ],
)
async def test_diagnostics_survive_everything(agent: Agent, server: AgentServer, broken: str, words: str) -> None:
    if broken in ("config", "missing"):
        agent.file.unlink()
    if broken == "config":
        agent.file.write_text("a: [")
    if broken == "credentials":
        (agent.folder / "credentials.yml").unlink()
    if broken == "key":
        agent.configure(server.url, api_key="wrong")
    if broken == "network":
        agent.configure(FREE_PORT)
    if broken == "log":
        (agent.folder / "logs" / "patchmon-agent.log").mkdir(parents=True)
    done = await agent.run("diagnostics")
    assert done.code == 0
    assert words in done.out
    assert "Last 10 log entries:" in done.out


@pytest.mark.proves("AGENT-CLI-01", "AGENT-LOG-05")
async def test_global_flags_stand_before_or_after(agent: Agent) -> None:
    for arguments in (("--log-level", "warn", "config", "show"), ("config", "show", "--log-level", "warn")):
        assert "  Log Level: warn" in (await agent.run(*arguments)).out
    assert str(agent.file) in (await agent.run("config", "show", "--config", str(agent.file))).out
    assert (await agent.run("--help")).out.startswith("usage: patchmon-agent")
    assert (await agent.run("ping", "--help")).code == 0
    assert (await agent.run("--log-level", "loud", "ping")).code == 2
    assert "log_level" not in agent.config


@pytest.mark.proves("AGENT-CLI-02", "AGENT-EXIT-02")
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root can")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["ping"], 1), (["serve"], 1), (["report", "--json"], 1), (["version"], 0), (["config", "show"], 0)],
)
def test_other_users_may_only_look(arguments: list[str], code: int) -> None:
    become = (
        "import os, sys, agent.diagnostics, agent.config; from agent.cli import main;"
        f"os.setgid(65534); os.setuid(65534); sys.exit(main({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", become], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == code
    assert ("permission denied" in done.stderr) == (code == 1)
    assert "Traceback" not in done.stderr


@pytest.mark.proves("AGENT-CLI-10", "AGENT-VER-01", "AGENT-VER-02", "AGENT-VER-03")
async def test_check_version(agent: Agent, server: AgentServer) -> None:
    server.latest_version = {"latestVersion": __version__, "hasUpdate": False}
    assert (await agent.run("check-version")).out == f"Agent is up to date (version {__version__})\n"
    server.latest_version = {"latestVersion": "99.0.0", "hasUpdate": True}
    assert (await agent.run("check-version")).out == (
        f"Agent update available!\n  Current version: {__version__}\n  Latest version: 99.0.0\n\n"
        "To update, run: patchmon-agent update-agent\n"
    )
    server.latest_version = {"latestVersion": "99.0.0", "hasUpdate": False, "autoUpdateDisabled": True}
    assert (await agent.run("check-version")).out == (
        f"Current version: {__version__}\nLatest version: 99.0.0\n"
        "Status: Auto-update disabled by server administrator\n\n"
        "To update manually, run: patchmon-agent update-agent\n"
    )


@pytest.mark.proves("AGENT-CLI-13")
async def test_there_is_no_uninstall(agent: Agent) -> None:
    assert (await agent.run("uninstall")).code == 2


@pytest.mark.proves("AGENT-SVC-01")
def test_the_unit_says_what_it_must() -> None:
    lines = (ROOT / "deploy/systemd/patchmon-agent.service").read_text().splitlines()
    for line in UNIT.strip().splitlines():
        assert line in lines
