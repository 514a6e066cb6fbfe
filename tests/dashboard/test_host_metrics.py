"""What monitoring reads of each host, and what it costs for ten thousand."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.dashboard.queries.metrics import fetch_metrics
from server.demo import service as demo
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.conftest import Browser

TOKEN = {"Authorization": "Bearer monitoring token"}
ODD = 'db "one"\\two'


@pytest.fixture
def env(env: Env) -> Env:
    return replace(env, metrics_token=Secret("monitoring token"))


async def read(client: Browser) -> dict[tuple[str, str], float]:
    """Every sample by name and node; the parser refuses what is not in the format."""
    answer = await client.get("/metrics", headers=TOKEN)
    assert answer.status == 200
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(await answer.text()):
        for sample in family.samples:
            if sample.name.startswith("patchmon_host"):
                key = (sample.name, sample.labels.get("node", ""))
                assert key not in found, "one series twice"
                found[key] = sample.value
    return found


async def test_a_host_says_what_waits_how_old_its_news_are_and_how_patching_went(client: Browser, call: Call) -> None:
    for name in ("web-01", ODD, "twin", "twin", "new"):
        await hosts.create(call, NewHost(name))
    await call.db.execute(
        "update hosts set status = 'active', last_update = now() - interval '90 seconds', needs_reboot = true,"
        " agent_version = '2.1.0', unfinished_packages = '{nginx}' where friendly_name <> 'new'"
    )
    await call.db.execute(
        "insert into host_inventory (host_id, packages, updates, security_updates, repositories, updated_at)"
        " select id, 300, 7, 2, 1, now() from hosts where friendly_name = 'web-01'"
    )
    await call.db.execute(
        "insert into host_patching (host_id, last_success_at, last_status, consecutive_failures)"
        " select id, %(at)s, 'failed', 3 from hosts where friendly_name = 'web-01'",
        at=call.now - timedelta(days=40),
    )
    found = await read(client)
    of_host = {name.removeprefix("patchmon_host_"): value for (name, node), value in found.items() if node == "web-01"}
    assert 80 < of_host.pop("report_age_seconds") < 200
    assert 40 * 86400 <= of_host.pop("patch_age_seconds") < 40 * 86400 + 60
    assert of_host == {
        "enrolled": 1, "connected": 0, "pending_updates": 7, "security_updates": 2, "reboot_required": 1,
        "package_manager_unfinished": 1, "patch_failures": 3, "patch_last_verdict": 1, "info": 1,
    }  # fmt: skip
    assert found["patchmon_host_pending_updates", ODD] == 0
    # What never happened has no age, and two hosts with one name are two series.
    assert ("patchmon_host_patch_age_seconds", ODD) not in found
    assert ("patchmon_host_report_age_seconds", "new") not in found
    assert found["patchmon_host_enrolled", "new"] == 0
    assert len([node for name, node in found if name == "patchmon_host_info" and node.startswith("twin-")]) == 2
    totals = {name.removeprefix("patchmon_hosts"): value for (name, node), value in found.items() if not node}
    assert totals == {
        "": 5, "_enrolled": 4, "_reboot_required": 4, "_pending_updates": 1, "_security_updates": 1,
        "_never_patched": 3, "_patch_stale": 1, "_patch_failing": 1, "_package_manager_unfinished": 4,
    }  # fmt: skip


def worked(process: int) -> float:
    """Seconds that a process of this machine has used a processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.real
async def test_ten_thousand_hosts_cost_a_moment(client: Browser, call: Call) -> None:
    await demo.fill(call, 10_000, 1, lambda *_: None)
    begun = time.process_time()
    answer = await client.get("/metrics", headers=TOKEN)
    text = await answer.text()
    here = time.process_time() - begun
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert text.count("patchmon_host_pending_updates{") == 10_000
    # Work, not time on the clock: other programs run on this machine.
    async with call.transaction() as tx:
        backend = await tx.value("select pg_backend_pid()")
        begun = worked(backend)
        for _ in range(10):
            await fetch_metrics(tx, call.now, call.now - timedelta(days=30))
        there = (worked(backend) - begun) / 10
    assert here + there < 0.15
