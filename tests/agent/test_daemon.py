"""The service: its start, its commands, its end, and what it survives."""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from agent import schedule
from agent.link.backoff import Backoff
from tests.agent.conftest import Agent
from tests.stand_ins.agent_server import API_ID, API_KEY, AgentServer, running


@pytest.mark.proves("AGENT-RUN-01", "AGENT-REP-04", "AGENT-LOG-08", "AGENT-RUN-16", "AGENT-CLI-03", "AGENT-INST-16")
async def test_the_start(agent: Agent, server: AgentServer) -> None:
    server.interval = 30
    server.integrations = {"docker": True, "compliance": False}
    await agent.serve()
    link = await server.link()
    report = (await server.until(lambda: server.seen("/hosts/update")))[0]
    paths = [request.path for request in server.requests]
    assert paths[:3] == ["/settings/update-interval", "/hosts/integrations", "/hosts/ping"]
    assert server.requests[2].body == b""
    assert link.headers["X-API-ID"] == API_ID
    assert link.headers["X-API-KEY"] == API_KEY
    assert link.received[0]["type"] == "hello"
    assert link.received[0]["automation"] == "builtin"
    assert "sections" not in report.json
    assert agent.config["update_interval"] == 30
    assert agent.config["report_offset"] == schedule_offset(30)
    assert agent.config["integrations"]["docker"] is True
    assert agent.config["integrations"]["compliance"]["enabled"] is False
    assert agent.log.count("WebSocket connected") == 1
    status = await server.until(lambda: server.seen("/hosts/integration-status"))
    assert status[0].json["integration"] == "docker"


def schedule_offset(minutes: int) -> int:
    number = 0xCBF29CE484222325
    for byte in API_ID.encode():
        number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return number % 60 * 60 if minutes >= 60 else number % (minutes * 60)


@pytest.mark.proves("AGENT-WS-01", "AGENT-WS-02", "AGENT-WS-09", "AGENT-REP-02")
async def test_commands(agent: Agent, server: AgentServer) -> None:
    await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/update"))
    await link.say({"type": "report_now"})
    await server.until(lambda: len(server.seen("/hosts/update")) == 2)
    await link.say(
        {
            "type": "settings_update",
            "update_interval": 15,
            "package_cache_refresh_mode": "if_stale",
            "package_cache_refresh_max_age": 1440,
        }
    )
    await server.until(lambda: agent.config["update_interval"] == 15)
    await server.until(lambda: agent.config["report_offset"] == 290)
    assert agent.config["package_cache_refresh_mode"] == "if_stale"
    assert agent.config["package_cache_refresh_max_age"] == 1440
    before = len(server.seen("/hosts/integration-status"))
    await link.say({"type": "refresh_integration_status"})
    await server.until(lambda: len(server.seen("/hosts/integration-status")) > before)
    await link.say({"type": "update_agent"})
    await server.until(lambda: "not started from its installed file" in agent.log)
    # Whatever else arrives, the connection stays.
    await link.socket.send_str("not json")
    await link.say({"type": "job_offer", "job": 7})
    await link.say({"type": "connected"})
    await link.say({"type": "run_patch", "patch_run_id": "x"})
    await server.until(lambda: "run_patch" in agent.log)
    assert not link.socket.closed


@pytest.mark.proves("AGENT-CFG-11", "AGENT-CFG-12", "AGENT-CFG-15", "AGENT-WS-03")
async def test_what_the_server_may_not_change(agent: Agent, server: AgentServer) -> None:
    agent.configure(server.url, automation="any", integrations={"ssh-proxy-enabled": True})
    await agent.serve()
    link = await server.link()
    server.integrations["docker"] = True
    pushed = {"docker": True, "ssh-proxy-enabled": False, "rdp-proxy-enabled": True, "automation": "off"}
    await link.say({"type": "apply_config", "config": {**pushed, "compliance": {"enabled": "on-demand"}}})
    await server.until(lambda: agent.config["integrations"]["docker"] is True)
    assert agent.config["integrations"]["ssh-proxy-enabled"] is True
    assert agent.config["integrations"]["rdp-proxy-enabled"] is False
    assert agent.config["automation"] == "any"
    assert agent.config["integrations"]["compliance"]["enabled"] == "on-demand"


@pytest.mark.proves("INV-91")
async def test_what_was_pushed_is_confirmed(agent: Agent, server: AgentServer) -> None:
    await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/update"))
    before = len(server.seen("/hosts/integrations"))
    await link.say({"type": "apply_config", "config": {"docker": True}})
    await server.until(lambda: len(server.seen("/hosts/integrations")) > before)
    assert not link.socket.closed


async def test_sigterm_ends_it_within_two_seconds(agent: Agent, server: AgentServer) -> None:
    process = await agent.serve()
    await server.link()
    assert await agent.stop(process) < 2
    assert process.returncode == 0


@pytest.mark.proves("AGENT-RUN-14")
async def test_only_one_runs_on_a_host(agent: Agent, server: AgentServer) -> None:
    await agent.serve()
    await server.link()
    second = await agent.run("serve")
    assert second.code == 1
    assert "already running" in second.err


@pytest.mark.proves("AGENT-RUN-06", "AGENT-EXIT-03")
async def test_refused_credentials_end_it_at_the_start(agent: Agent, server: AgentServer) -> None:
    agent.configure(server.url, api_key="b2" * 32)
    done = await agent.run("serve")
    assert done.code == 1
    assert "invalid API credentials" in agent.log


@pytest.mark.proves("AGENT-RUN-06", "AGENT-EXIT-03")
async def test_an_unreadable_configuration_ends_it(agent: Agent) -> None:
    agent.file.write_text("patchmon_server: [")
    done = await agent.run("serve")
    assert done.code == 1
    assert "failed to parse" in done.err


@pytest.mark.proves("AGENT-RUN-08")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "credentials file not found"),
        ("api_id: [", "failed to load credentials"),
        ("api_id: x", "API credentials are missing"),
    ],
)
async def test_missing_credentials_are_named(agent: Agent, content: str | None, words: str) -> None:
    file = agent.folder / "credentials.yml"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    done = await agent.run("serve")
    assert done.code == 1
    assert words in done.err
    assert words in agent.log


@pytest.mark.proves("AGENT-RUN-04", "AGENT-RUN-05", "AGENT-RUN-13")
async def test_it_waits_for_the_server_and_returns_to_it(agent: Agent, server: AgentServer) -> None:
    other = AgentServer()
    async with running(other):
        port = int(other.url.rpartition(":")[2])
    agent.configure(other.url)
    process = await agent.serve()
    await server.until(lambda: "connection refused" in agent.log)
    assert process.returncode is None
    async with running(other, port):
        await other.link()
        # The report that could not be sent at the start is made up for.
        await other.until(lambda: other.seen("/hosts/update"))
        await other.links[0].socket.close()
        await other.link(2)
    assert process.returncode is None


@pytest.mark.proves("AGENT-RUN-13")
async def test_a_refused_upgrade_is_named(agent: Agent, server: AgentServer) -> None:
    server.link_status = 401
    await agent.serve()
    await server.until(lambda: "bad handshake: server returned 401" in agent.log)


async def test_a_killed_agent_leaves_the_lock_to_the_next(agent: Agent, server: AgentServer) -> None:
    first = await agent.serve()
    await server.link()
    await agent.stop(first, signal.SIGKILL)
    await agent.serve()
    await server.link(2)


@pytest.mark.parametrize(
    ("now", "minutes", "offset", "due"),
    [(0, 60, 1860, 1860), (1860, 60, 1860, 5460), (1859, 60, 1860, 1860), (100000, 15, 290, 100190)],
)
def test_check_ins_are_due_at_the_offset_of_each_interval(now: float, minutes: int, offset: int, due: float) -> None:
    assert schedule.next_at(now, minutes, offset) == due


def test_every_24th_check_in_is_full() -> None:
    assert [tick for tick in range(1, 73) if schedule.is_full(tick)] == [24, 48, 72]


async def test_nothing_is_left_running(agent: Agent, server: AgentServer) -> None:
    process = await agent.serve()
    await server.until(lambda: server.seen("/hosts/ping"))
    await asyncio.sleep(0.1)
    # In the middle of the first report: its process ends with the service.
    assert await agent.stop(process) < 2


async def test_a_message_that_breaks_a_conversation_does_not_end_all_of_them(agent: Agent, server: AgentServer) -> None:
    await agent.serve()
    link = await server.link()
    await link.socket.send_str("[" * 60_000)
    await server.link(2)
    assert agent.log.count("WebSocket connected") == 2


async def test_something_strange_among_the_jobs_does_not_keep_the_agent_from_its_server(
    agent: Agent, server: AgentServer
) -> None:
    jobs = agent.state / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "3b0e7a36-6d2e-4c39-9a3f-0f2f8c1d6a11").write_text("not a folder")
    await agent.serve()
    link = await server.link()
    assert link.received[0]["jobs"] == []


@pytest.mark.proves("AGENT-WS-07", "AGENT-INT-03", "AGENT-INT-04")
@pytest.mark.parametrize(("kind", "name"), [("ssh", "SSH"), ("rdp", "RDP")])
async def test_only_the_local_file_lets_anybody_in(agent: Agent, server: AgentServer, kind: str, name: str) -> None:
    await agent.serve()
    link = await server.link()
    await link.say({"type": f"{kind}_proxy"})
    await link.say({"type": "apply_config", "config": {f"{kind}-proxy-enabled": True}})
    await link.say({"type": f"{kind}_proxy", "session_id": "a" * 32, "host": "localhost"})

    def answers() -> list[dict[str, str]]:
        return [body for body in link.received if body.get("type") == f"{kind}_proxy_error"]

    (told,) = await server.until(answers)
    begun = f"{name} proxy is not enabled. To enable {name} proxy, edit the file {agent.file}"
    assert told["message"].startswith(begun)
    assert f"{kind}-proxy-enabled: true" in told["message"]
    assert (told["data"], told["session_id"]) == (told["message"], "a" * 32)
    assert agent.config["integrations"][f"{kind}-proxy-enabled"] is False


@pytest.mark.proves("AGENT-LOG-06")
async def test_nothing_of_a_session_is_logged_even_at_debug(agent: Agent, server: AgentServer) -> None:
    agent.configure(server.url, integrations={"ssh-proxy-enabled": True, "rdp-proxy-enabled": True})
    process = await agent.serve("--log-level", "debug")
    link = await server.link()
    session = {"session_id": "a" * 32, "host": "localhost", "username": "root", "cols": 80, "rows": 24}
    for kind in ("ssh", "rdp"):
        keys = {"password": "hunter2-word", "private_key": "hunter2-key", "passphrase": "hunter2-phrase"}
        await link.say({"type": f"{kind}_proxy", **session, **keys})
        await link.say({"type": f"{kind}_proxy_input", **session, "data": "hunter2-typed"})
        await link.say({"type": f"{kind}_proxy_resize", **session})
        await link.say({"type": f"{kind}_proxy_disconnect", **session, "data": "hunter2-last"})
    await link.say({"type": "refresh_integration_status"})
    await server.until(lambda: "refresh_integration_status" in agent.log)
    await agent.stop(process)
    assert process.stdout is not None
    assert "level=debug" in agent.log
    assert "ssh_proxy" in agent.log
    assert "hunter2" not in agent.log


@pytest.mark.proves("AGENT-CFG-17", "AGENT-CFG-18", "AGENT-CFG-01")
async def test_what_is_edited_by_hand(agent: Agent, server: AgentServer) -> None:
    agent.configure(f"{server.url}/")
    process = await agent.serve()
    await server.link()
    await server.until(lambda: server.seen("/hosts/update"))
    content = {**agent.config, "update_interval": 7, "log_level": "debug", "patchmon_server": "http://127.0.0.1:9"}
    content["integrations"] = {**content["integrations"], "docker": True, "ssh-proxy-enabled": True}
    agent.file.write_text(yaml.safe_dump(content))
    # The server's word on the interval and Docker counts at the next sync, and nothing has to be started anew for it.
    await server.links[0].say({"type": "settings_update", "update_interval": 20})
    await server.until(lambda: agent.config["update_interval"] == 20)
    await server.links[0].say({"type": "apply_config", "config": {"docker": False}})
    await server.until(lambda: agent.config["integrations"]["docker"] is False)
    assert agent.config["integrations"]["ssh-proxy-enabled"] is True
    assert agent.config["log_level"] == "debug"
    assert agent.config["patchmon_server"] == "http://127.0.0.1:9"
    assert len(server.links) == 1
    assert "level=debug" not in agent.log
    # The rest is read when the service begins.
    await agent.stop(process)
    agent.file.write_text(agent.file.read_text().replace("http://127.0.0.1:9", server.url))
    server.interval = 45
    await agent.serve()
    await server.link(2)
    await server.until(lambda: agent.config["update_interval"] == 45)
    assert "level=debug" in agent.log


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_a_day_of_errors_costs_neither_memory_nor_disk_and_is_caught_up(
    agent: Agent, server: AgentServer
) -> None:
    paths = ("/settings/update-interval", "/hosts/integrations", "/hosts/ping", "/hosts/update")
    server.statuses = dict.fromkeys(paths, 500)
    server.link_status = 503
    process = await agent.serve()
    await server.until(lambda: server.seen("/hosts/update") and "WebSocket connection failed" in agent.log)

    def resident() -> int:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    # As many ticks as a day has, for what keeps the time of the connection and of the reports.
    waits = Backoff()
    day = [waits.next_seconds() for _ in range(3000)]
    assert sum(day) > 20 * 3600, "one attempt in half a minute and no more"
    assert max(day) < 40
    assert len({round(wait, 2) for wait in day[-100:]}) > 50, "a fleet does not come at one moment"
    before, asked = resident(), len(server.requests)
    for _ in range(50):
        process.send_signal(0)
        await asyncio.sleep(0.05)
    assert resident() - before < 2048
    assert len(server.requests) - asked < 8, "what a server cannot take is not sent again at once"
    kept = [file for file in agent.state.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in kept) < 1024 * 1024
    server.statuses.clear()
    server.link_status = 101
    await server.link()
    before_back = len(server.seen("/hosts/ping"))
    asked_for = await server.until(lambda: server.seen("/hosts/ping")[before_back:], 40)
    assert asked_for[-1].json["hashes"]


async def test_a_configuration_that_cannot_be_written_is_no_reason_to_stop(agent: Agent, server: AgentServer) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs namespaces of mounts")
    server.interval = 30
    # A file that something is mounted on cannot be replaced.
    read_only = f'mount --bind -o ro {agent.file} {agent.file} && exec "$@"'
    agent.command = ["unshare", "--mount", "sh", "-c", read_only, "sh", *agent.command]
    await agent.serve()
    await server.link()
    await server.until(lambda: "Configuration cannot be saved" in agent.log)
    await server.until(lambda: server.seen("/hosts/update"))
    assert "update_interval" not in agent.config
    assert [path.name for path in agent.folder.glob(".config*")] == []
