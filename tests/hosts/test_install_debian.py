"""The command of the wizard on a fresh Debian: with cron, and under OpenRC; then the removal, which leaves nothing."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.loop import in_thread
from server.hosts import rules
from tests.factories.debian_root import Machine, NoRoot, debian, machine
from tests.factories.hosts import Agent, Browser, enrolled

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agents")
    command = [sys.executable, "tools/build_agent.py", "--output", str(folder / "patchmon-agent.pyz")]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder


@pytest.fixture
def env(env: Env, agents: Path) -> Env:
    return replace(env, agents_dir=agents)


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    try:
        original = debian(request.config.cache)
    except NoRoot as error:
        pytest.skip(str(error))
    with machine(original, tmp_path / "root") as running:
        yield running


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.2)


async def installed(client: Browser, call: Call, fresh: Machine, manager: str) -> Agent:
    """Run the line the wizard shows, and wait until the host has reported."""
    agent = await enrolled(call, client, docker_enabled=True)
    url = f"http://127.0.0.1:{client.port}"
    line = rules.install_command(url, "linux", agent.api_id, agent.api_key).replace("sudo ", "")
    done = await in_thread(fresh.run, line)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.rstrip().splitlines()
    assert lines[-1].endswith("PatchMon Agent installation completed successfully")
    assert lines[-1].startswith("SUCCESS: Your system is now being monitored by PatchMon!")
    said = [lines.index(line) for line in (
        "SUCCESS: PatchMon Agent service started successfully", "INFO: WebSocket connection established",
        "SUCCESS: PatchMon Agent installation completed successfully!", "Installation Summary", "Management Commands",
    )]  # fmt: skip
    assert said == sorted(said)
    summary = {line.strip().partition(": ")[0]: line.partition(": ")[2] for line in lines[said[3] : said[4]]}
    assert summary["Configuration directory"] == "/etc/patchmon"
    assert summary["Agent binary"] == "/usr/local/bin/patchmon-agent"
    assert summary["Dependencies installed"] in {"none", "curl"}
    assert summary["Service running"] == f"yes, started by {manager}"
    assert (summary["API credentials tested"], summary["WebSocket connection"]) == ("yes", "established")
    assert summary["Logs"] == "/etc/patchmon/logs"
    commands = "\n".join(lines[said[4] :])
    for command in ("patchmon-agent ping", "patchmon-agent report", "patchmon-agent diagnostics"):
        assert command in commands
    await until(lambda: call.db.value("select last_full_report_at is not null and status = 'active' from hosts"))
    packages = await call.db.value("select count(*) from host_packages")
    assert packages == int(
        (await in_thread(fresh.run, "dpkg-query -W -f '${db:Status-Status}\\n' | grep -c '^installed'")).stdout
    )
    await until(lambda: call.db.value("select last_connected_at is not null from hosts"))
    # What was ticked in the wizard holds from the first connection on.
    config = (await in_thread(fresh.run, "cat /etc/patchmon/config.yml")).stdout
    assert "  docker: true\n" in config
    assert "report_offset: " in config
    return agent


async def removed(client: Browser, fresh: Machine, before: set[str]) -> None:
    line = f"curl -s http://127.0.0.1:{client.port}/api/v1/hosts/remove | sh"
    done = await in_thread(fresh.run, line)
    assert done.returncode == 0, done.stderr
    assert "Removal Summary" in done.stdout
    # The lists of packages are the machine's own; whoever reports looks whether they are fresh.
    left = {
        one for one in await in_thread(fresh.files) - before if not one.startswith(("/var/lib/apt/", "/var/cache/"))
    }
    assert left <= {"/var/spool/cron/crontabs/root"}
    assert "patchmon" not in (await in_thread(fresh.run, "crontab -l")).stdout
    running = await in_thread(fresh.run, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "patchmon-agent" not in running.stdout.replace("cat /proc", "")
    again = await in_thread(fresh.run, line)
    assert again.returncode == 0
    assert "nothing was left to remove" in again.stdout


@pytest.mark.proves(
    "AGENT-INST-12",
    "AGENT-SVC-03",
    "AGENT-PLAT-11",
    "AGENT-PATH-05",
    "AGENT-RM-02",
    "AGENT-LOG-01",
    "AGENT-PATH-13",
    "AGENT-INST-16",
    "AGENT-CFG-08",
    "INV-49b",
)
async def test_where_no_service_manager_runs_cron_starts_it(client: Browser, call: Call, fresh: Machine) -> None:
    await in_thread(fresh.run, "rm /usr/sbin/rc-update /usr/sbin/rc-service; echo '5 4 * * * true' | crontab -")
    before = await in_thread(fresh.files)
    agent = await installed(client, call, fresh, "cron")
    table = (await in_thread(fresh.run, "crontab -l")).stdout.splitlines()
    assert table == ["5 4 * * * true", "@reboot /usr/local/bin/patchmon-agent serve >/dev/null 2>&1"]
    for file, mode in (
        ("config.yml", "600"),
        ("credentials.yml", "600"),
        ("logs", "700"),
        ("logs/patchmon-agent.log", "600"),
    ):
        shown = await in_thread(fresh.run, f"stat -c '%a %U' /etc/patchmon/{file}")
        assert shown.stdout == f"{mode} root\n", file
    owner = await in_thread(fresh.run, "stat -c %U /proc/$(cat /var/lib/patchmon-agent/agent.lock)")
    assert owner.stdout == "root\n"
    told = (await in_thread(fresh.run, "patchmon-agent ping && patchmon-agent diagnostics")).stdout
    assert "✅ API credentials are valid" in told
    assert "WebSocket connected" in (await in_thread(fresh.run, "cat /etc/patchmon/logs/patchmon-agent.log")).stdout
    assert agent.api_key not in told
    # Again: nothing changes, one line stays one line.
    sums = "cat /etc/patchmon/*.yml /usr/local/bin/patchmon-agent | sha256sum; crontab -l"
    state = (await in_thread(fresh.run, sums)).stdout
    line = rules.install_command(f"http://127.0.0.1:{client.port}", "linux", agent.api_id, agent.api_key)
    done = await in_thread(fresh.run, line.replace("sudo ", ""))
    assert "Agent is already configured and ping successful" in done.stdout
    assert (await in_thread(fresh.run, sums)).stdout == state
    # What an older installer may have left goes too.
    await in_thread(fresh.run, "touch /etc/cron.d/patchmon-agent /var/log/patchmon-agent.log")
    await removed(client, fresh, before)


@pytest.mark.proves("AGENT-INST-12", "AGENT-SVC-02", "AGENT-SVC-06", "AGENT-PATH-07", "AGENT-RM-02")
async def test_under_openrc_it_is_a_service(client: Browser, call: Call, fresh: Machine) -> None:
    # What a machine that OpenRC has booted has: a run level, and somebody who provides the network.
    net = "#!/sbin/openrc-run\ndepend() { provide net; }\nstart() { :; }\n"
    (fresh.root / "etc/init.d/networking").write_text(net)
    (fresh.root / "etc/init.d/networking").chmod(0o755)
    begun = "mkdir -p /run/lock && openrc default && rc-service networking start"
    assert (await in_thread(fresh.run, begun)).returncode == 0
    before = await in_thread(fresh.files)
    await installed(client, call, fresh, "OpenRC")
    script = (fresh.root / "etc/init.d/patchmon-agent").read_text()
    for fact in (
        'name="patchmon-agent"', 'description="PatchMon Agent Service"', 'command="/usr/local/bin/patchmon-agent"',
        'command_args="serve"', 'command_user="root"', 'pidfile="/var/run/patchmon-agent.pid"',
        'command_background="yes"', 'directory="/etc/patchmon"', "need net", "after net",
    ):  # fmt: skip
        assert fact in script, fact
    assert "patchmon-agent | default" in (await in_thread(fresh.run, "rc-update show default | tr -s ' '")).stdout
    for verb, words in (("status", "started"), ("restart", ""), ("status", "started"), ("stop", ""), ("start", "")):
        done = await in_thread(fresh.run, f"rc-service patchmon-agent {verb}")
        assert done.returncode == 0, (verb, done.stdout, done.stderr)
        assert words in done.stdout
    assert (await in_thread(fresh.run, "crontab -l")).stdout == ""
    await removed(client, fresh, before)
    assert "patchmon-agent" not in (await in_thread(fresh.run, "rc-update show")).stdout
