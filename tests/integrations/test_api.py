"""The scoped API, name by name as the contract has it."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.core import clock
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import Agent, added, enrolled, full_report, package, repository
from tests.factories.people import HTML, bearer, sign_in_as
from tests.integrations.conftest import TOKENS, Maker, Program, basic, said
from tests.integrations.test_tokens import group

HOSTS = "/api/v1/api/hosts"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
DENIED = "Access denied"


@pytest.fixture
async def api(make: Maker) -> Program:
    return await make("api", token_name="inventory")


@pytest.fixture
def frozen() -> Iterator[datetime]:
    at = datetime.now(UTC)
    clock.set_source(lambda: at)
    yield at
    clock.set_source(None)


async def reporting(call: Call, client: Browser, name: str = "web-01", **more: Any) -> tuple[str, Agent]:
    """Add a host whose agent has reported; return its id."""
    agent = await enrolled(call, client, name)
    packages = [
        package("bash", "5.2"),
        package("curl", "7.88", "8.0"),
        package("openssl", "3.0.1", "3.0.2", isSecurityUpdate=True, description="TLS", category="libs"),
    ]
    answer = await agent.update(full_report(packages, [repository(), repository("security", "updates")], **more))
    assert answer.status == 200, await answer.text()
    return str(await call.db.value("select uuid from hosts where api_id = %(id)s", id=agent.api_id)), agent


# ------------------------------------------------------------------------------------------------ getting in


@pytest.mark.proves("INTG-AUTH-01", "INTG-AUTH-02", "INTG-AUTH-03", "INTG-AUTH-06", "INTG-TOK-07")
@pytest.mark.parametrize("usage", ["api", "gethomepage"])
async def test_the_checks_and_their_order(
    client: Browser, call: Call, make: Maker, admin: dict[str, str], usage: str
) -> None:
    token = await make(usage)
    path = HOSTS if usage == "api" else "/api/v1/gethomepage/stats"

    async def tried(given: str | None) -> tuple[int, Any]:
        return await said(await client.get(path, headers={} if given is None else {"Authorization": given}))

    async def changed(**body: Any) -> None:
        assert (await client.patch(f"{TOKENS}/{token.id}", json=body, headers=admin)).status == 200

    for given in (None, "", "Bearer x", "Basic", admin["Authorization"]):
        assert await tried(given) == (401, {"error": "Missing or invalid authorization header"}), given
    for text in ("nocolon", ":", "key:", ":secret"):
        given = "Basic " + base64.b64encode(text.encode()).decode()
        assert await tried(given) == (401, {"error": "Invalid credentials format"}), text
    assert await tried("Basic !!!") == (401, {"error": "Invalid credentials format"})
    assert await tried("Basic " + base64.b64encode(b"\xff:x").decode()) == (
        401,
        {"error": "Invalid credentials format"},
    )
    for key in ("patchmon_ae_unknown", "a\0b", "ü"):
        assert await tried(basic(key, token.secret)) == (401, {"error": "Invalid API key"}), key
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await changed(is_active=False, expires_at=past, allowed_ip_ranges=["10.9.8.7"])
    await call.db.execute('update integration_tokens set metadata = \'{"integration_type": "direct-host"}\'')
    wrong = basic(token.key, "0" * 64)
    assert await tried(wrong) == (401, {"error": "API key is disabled"})
    await changed(is_active=True)
    assert await tried(wrong) == (401, {"error": "API key has expired"})
    await changed(expires_at=None)
    assert await tried(wrong) == (401, {"error": "Invalid API key type"})
    await call.db.execute(
        "update integration_tokens set metadata = jsonb_build_object('integration_type', %(usage)s)", usage=usage
    )
    assert await tried(wrong) == (401, {"error": "Invalid API secret"})
    assert await tried(basic(token.key, token.secret)) == (403, {"error": "IP address not allowed"})
    assert await call.db.value("select last_used_at from integration_tokens") is None
    await changed(allowed_ip_ranges=["127.0.0.1"])
    assert (await tried(basic(token.key, token.secret)))[0] == 200
    assert (await tried(f"basic {token.basic['Authorization'][6:]}"))[0] == 200
    assert await call.db.value("select last_used_at from integration_tokens") is not None


@pytest.mark.proves("INTG-AUTH-03", "INTG-AUTH-05", "INTG-DIFF-04", "INTG-DIFF-07")
async def test_scopes_are_as_they_are_written(client: Browser, call: Call, make: Maker) -> None:
    reads = await make("api")
    host = await added(call)
    answer = await client.delete(f"{HOSTS}/{host.uuid}", headers=reads.basic)
    refused = "This API key does not have permission to delete host"
    assert await said(answer) == (403, {"error": DENIED, "message": refused})
    assert await call.db.value("select last_used_at from integration_tokens") is not None
    deletes = await make("api", scopes={"host": ["delete", "put", "patch", "update"]})
    refused = "This API key does not have permission to get host"
    for path in ("", *(f"/{host.uuid}/{part}" for part in PARTS)):
        assert await said(await deletes.get(f"/api/hosts{path}")) == (403, {"error": DENIED, "message": refused}), path
    other = await make("api", scopes={"package": ["get"]})
    refused = "This API key does not have access to host"
    assert await said(await other.get("/api/hosts")) == (403, {"error": DENIED, "message": refused})
    await call.db.execute("update integration_tokens set scopes = null")
    refused = "This API key does not have the required permissions"
    assert await said(await reads.get("/api/hosts")) == (403, {"error": DENIED, "message": refused})
    await call.db.execute("update integration_tokens set scopes = '\"*\"'")
    refused = "Invalid API key permissions configuration"
    assert await said(await reads.get("/api/hosts")) == (403, {"error": DENIED, "message": refused})
    assert (await client.delete(f"{HOSTS}/{host.uuid}", headers=deletes.basic)).status == 403


PARTS = (
    "stats",
    "info",
    "network",
    "system",
    "packages",
    "package_reports",
    "agent_queue",
    "notes",
    "integrations",
)


async def test_read_is_another_word_for_get(make: Maker, admin: dict[str, str]) -> None:
    token = await make("api", scopes={"host": ["read"]})
    assert await token.read("/api/hosts") == {"hosts": [], "total": 0}
    row = await (await token.client.get(f"{TOKENS}/{token.id}", headers=admin)).json()
    assert row["scopes"] == {"host": ["get"]}


@pytest.mark.proves("INTG-AUTH-07", "INTG-RL-01", "INTG-GH-07")
async def test_programs_may_ask_as_often_as_people(api: Program, make: Maker, admin: dict[str, str]) -> None:
    card = await make("gethomepage")
    path = "/api/v1/settings/environment/RATE_LIMIT_MAX"
    assert (await api.client.patch(path, json={"value": "10"}, headers=admin)).status == 200
    seen = [(await api.get("/api/hosts")).status for _ in range(12)]
    assert (seen[0], seen[-1]) == (200, 429)
    assert (await card.get("/gethomepage/stats")).status == 429


async def test_an_absent_database_is_said_so(api: Program, call: Call) -> None:
    await call.db.execute("alter table hosts rename to elsewhere")
    assert await said(await api.get("/api/hosts")) == (500, {"error": "Failed to fetch hosts"})
    await call.db.execute("alter table integration_tokens rename to nowhere")
    assert await said(await api.get("/api/hosts")) == (500, {"error": "Authentication failed"})


# ------------------------------------------------------------------------------------------------ hosts


@pytest.mark.proves("INTG-API-01", "INTG-ANS-05")
async def test_the_list(client: Browser, call: Call, api: Program, admin: dict[str, str]) -> None:
    production, lab = await group(client, admin), await group(client, admin, "Lab Ulm")
    second = await added(call, "b-host", group_ids=(production["id"], lab["id"]))
    first, _ = await reporting(call, client, "a-host")
    both = [
        {
            "id": first,
            "friendly_name": "a-host",
            "hostname": "web-01.example.net",
            "ip": "10.20.0.12",
            "host_groups": [],
        },
        {
            "id": second.uuid,
            "friendly_name": "b-host",
            "hostname": "",
            "ip": "",
            "host_groups": [{"id": lab["id"], "name": "Lab Ulm"}, {"id": production["id"], "name": "Production"}],
        },
    ]
    for path in ("/api/hosts", "/api/hosts/", "/api/hosts/?include=nothing", "/api/hosts?hostgroup="):
        assert await api.read(path) == {"hosts": both, "total": 2}, path
    for given in ("Production", f"nothing,%20{production['id']}", production["id"].upper(), "Lab%20Ulm,Production"):
        told = await api.read(f"/api/hosts/?hostgroup={given}")
        assert (told["hosts"], told["total"]) == (both[1:], 1), given
    told = await api.read(f"/api/hosts?hostgroup=Production,{lab['id']}")
    assert told["filtered_by_groups"] == ["Production", lab["id"]]
    assert await api.read("/api/hosts?hostgroup=production") == {
        "hosts": [],
        "total": 0,
        "filtered_by_groups": ["production"],
    }
    assert (await api.get("/api/hosts?hostgroup=%00")).status == 200


@pytest.mark.proves("INTG-API-01")
async def test_the_list_with_stats(client: Browser, call: Call, api: Program, frozen: datetime) -> None:
    uuid, agent = await reporting(call, client)
    pending = await added(call, "zz-pending")
    for given in ("stats", "STATS", "other,Stats"):
        told = await api.read(f"/api/hosts?include={given}")
        one = next(host for host in told["hosts"] if host["id"] == uuid)
        seen = datetime.fromisoformat(one.pop("last_update"))
        assert abs(seen - frozen) < timedelta(seconds=5)
        assert one == {
            "id": uuid,
            "friendly_name": "web-01",
            "hostname": "web-01.example.net",
            "ip": "10.20.0.12",
            "host_groups": [],
            "os_type": "Debian GNU/Linux",
            "os_version": "12 (bookworm)",
            "status": "active",
            "effective_status": "active",
            "needs_reboot": True,
            "updates_count": 2,
            "security_updates_count": 1,
            "total_packages": 3,
            "reporting_state": "reporting",
            "update_state": "security_required",
        }
    new = next(host for host in told["hosts"] if host["id"] == pending.uuid)
    assert (new["status"], new["effective_status"], new["total_packages"]) == ("pending", "pending", 0)
    assert datetime.fromisoformat(new["last_update"]).tzinfo is not None
    report = full_report([package("bash", "5.2"), package("curl", "7.88", "8.0")])
    assert (await agent.update(report)).status == 200
    for minutes, effective, state in (
        (59, "active", "reporting"),
        (61, "active", "overdue"),
        (121, "inactive", "stale"),
    ):
        clock.set_source(lambda minutes=minutes: frozen + timedelta(minutes=minutes))  # type: ignore[misc]
        one = (await api.read("/api/hosts?include=stats"))["hosts"][0]
        assert (one["effective_status"], one["reporting_state"], one["status"]) == (effective, state, "active")
        assert one["update_state"] == "updates_pending"


@pytest.mark.proves(
    "INTG-API-02", "INTG-API-03", "INTG-API-04", "INTG-API-05", "INTG-API-09", "INTG-API-10", "INTG-DIFF-05"
)
async def test_one_host(client: Browser, call: Call, api: Program) -> None:
    uuid, _ = await reporting(call, client)
    path = f"/api/hosts/{uuid}"
    assert await api.read(f"{path}/stats") == {
        "host_id": uuid,
        "total_installed_packages": 3,
        "outdated_packages": 2,
        "security_updates": 1,
        "total_repos": 2,
    }
    assert await api.read(f"{path}/info") == {
        "id": uuid,
        "machine_id": "4c4c4544-0051",
        "friendly_name": "web-01",
        "hostname": "web-01.example.net",
        "ip": "10.20.0.12",
        "os_type": "Debian GNU/Linux",
        "os_version": "12 (bookworm)",
        "agent_version": "3.0.0",
        "host_groups": [],
    }
    assert await api.read(f"{path}/network") == {
        "id": uuid,
        "ip": "10.20.0.12",
        "gateway_ip": "10.20.0.1",
        "dns_servers": ["10.20.0.1", "9.9.9.9"],
        "network_interfaces": [
            {
                "name": "eth0",
                "type": "ethernet",
                "macAddress": "52:54:00:aa:bb:01",
                "mtu": 1500,
                "status": "up",
                "linkSpeed": 1000,
                "duplex": "full",
                "addresses": [{"address": "10.20.0.12", "family": "inet", "netmask": "/24", "gateway": "10.20.0.1"}],
                "ip": "10.20.0.12",
                "mac": "52:54:00:aa:bb:01",
            }
        ],
    }
    system = await api.read(f"{path}/system")
    assert datetime.fromisoformat(system.pop("boot_time")) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert system == {
        "id": uuid,
        "architecture": "x86_64",
        "kernel_version": "6.1.0-26-amd64",
        "installed_kernel_version": "6.1.0-28-amd64",
        "selinux_status": "disabled",
        "system_uptime": "41 days, 2 hours, 5 minutes",
        "cpu_model": "AMD EPYC 7402P",
        "cpu_cores": 4,
        "ram_installed": 7.75,
        "swap_size": 1.0,
        "load_average": {"1min": 0.1, "5min": 0.2, "15min": 0.3},
        "disk_details": [
            {
                "name": "/dev/sda1",
                "size": "40.00GB (10.00GB used, 30.00GB free, 25.0% used)",
                "mountpoint": "/",
                "filesystem": "/dev/sda1",
                "used": "10.00GB",
                "available": "30.00GB",
                "use_percent": "25.0%",
                "mounted_on": "/",
            }
        ],
        "needs_reboot": True,
        "reboot_reason": "kernel",
    }
    assert await api.read(f"{path}/notes") == {"host_id": uuid, "notes": ""}
    docker = "Monitor Docker containers, images, volumes, and networks. Collects real-time container status events."
    assert await api.read(f"{path}/integrations") == {
        "host_id": uuid,
        "integrations": {"docker": {"enabled": False, "description": docker}},
    }
    await call.db.execute("update hosts set notes = 'rack 4', docker_enabled = true")
    assert (await api.read(f"{path}/notes"))["notes"] == "rack 4"
    told = (await api.read(f"{path}/integrations"))["integrations"]["docker"]
    assert told == {
        "enabled": True,
        "description": docker,
        "containers_count": 0,
        "volumes_count": 0,
        "networks_count": 0,
    }


async def test_a_pending_host_has_no_null_texts(call: Call, api: Program) -> None:
    host = await added(call)
    path = f"/api/hosts/{host.uuid}"
    told = await api.read(f"{path}/system")
    assert told == {
        "id": host.uuid,
        **dict.fromkeys(
            (
                "architecture",
                "kernel_version",
                "installed_kernel_version",
                "selinux_status",
                "system_uptime",
                "cpu_model",
                "reboot_reason",
            ),
            "",
        ),
        "boot_time": None,
        "cpu_cores": 0,
        "ram_installed": 0,
        "swap_size": 0,
        "load_average": {},
        "disk_details": [],
        "needs_reboot": False,
    }
    told = await api.read(f"{path}/network")
    assert told == {"id": host.uuid, "ip": "", "gateway_ip": "", "dns_servers": [], "network_interfaces": []}
    assert (await api.read(f"{path}/packages"))["packages"] == []
    assert (await api.read(f"{path}/package_reports"))["reports"] == []


@pytest.mark.proves("INTG-API-06")
async def test_packages(client: Browser, call: Call, api: Program) -> None:
    uuid, _ = await reporting(call, client)
    told = await api.read(f"/api/hosts/{uuid}/packages")
    assert told["host"] == {"id": uuid, "hostname": "web-01.example.net", "friendly_name": "web-01"}
    assert told["total"] == 3
    assert [row["name"] for row in told["packages"]] == ["openssl", "curl", "bash"]
    openssl = told["packages"][0]
    assert datetime.fromisoformat(openssl.pop("last_checked")).tzinfo is not None
    assert len(openssl.pop("id")) == 36
    assert openssl == {
        "name": "openssl",
        "description": "TLS",
        "category": "libs",
        "current_version": "3.0.1",
        "available_version": "3.0.2",
        "needs_update": True,
        "is_security_update": True,
    }
    assert told["packages"][2]["available_version"] is None
    assert (told["packages"][2]["description"], told["packages"][2]["category"]) == ("", "")
    waiting = await api.read(f"/api/hosts/{uuid}/packages?updates_only=true")
    assert ([row["name"] for row in waiting["packages"]], waiting["total"]) == (["openssl", "curl"], 2)
    assert (await api.read(f"/api/hosts/{uuid}/packages?updates_only=1"))["total"] == 3
    again = await api.read(f"/api/hosts/{uuid}/packages")
    assert [row["id"] for row in again["packages"]] == [row["id"] for row in await rows(api, uuid)]


async def rows(api: Program, uuid: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.read(f"/api/hosts/{uuid}/packages"))["packages"]
    return found


@pytest.mark.proves("INTG-API-07")
async def test_package_reports(client: Browser, call: Call, api: Program) -> None:
    uuid, agent = await reporting(call, client)
    assert (await agent.ping()).status == 200
    assert (await agent.update({"packages": []})).status == 400
    told = await api.read(f"/api/hosts/{uuid}/package_reports")
    assert (told["host_id"], told["total"]) == (uuid, 2)
    refused, good = told["reports"]
    assert (refused["status"], bool(refused["error_message"])) == ("error", True)
    assert datetime.fromisoformat(good.pop("date")).tzinfo is not None
    assert len(good.pop("id")) == 36
    assert good.pop("payload_kb") > 0
    assert good == {
        "status": "success",
        "total_packages": 3,
        "outdated_packages": 2,
        "security_updates": 1,
        "execution_time_seconds": 1.5,
        "error_message": None,
    }
    assert (await api.read(f"/api/hosts/{uuid}/package_reports?limit=1"))["total"] == 1
    for _ in range(10):
        await agent.update(full_report([package("bash", "5.2")]))
    for limit, length in (("", 10), ("0", 10), ("101", 10), ("x", 10), ("-1", 10), ("100", 12), ("9" * 50, 10)):
        assert (await api.read(f"/api/hosts/{uuid}/package_reports?limit={limit}"))["total"] == length, limit


@pytest.mark.proves("INTG-API-08")
async def test_the_agent_queue(client: Browser, call: Call, api: Program) -> None:
    host = await added(call)
    path = f"/api/hosts/{host.uuid}/agent_queue"
    empty = {"waiting": 0, "active": 0, "delayed": 0, "failed": 0}
    assert await api.read(path) == {
        "host_id": host.uuid,
        "queue_status": empty,
        "job_history": [],
        "total_jobs": 0,
    }
    headers = await bearer(call)
    jobs = []
    for _ in range(5):
        order = {"playbook": "ping", "hosts": [host.uuid], "check": True}
        answer = await client.post("/api/v1/jobs", json=order, headers=headers)
        assert answer.status == 201, await answer.text()
        jobs.append((await answer.json())["id"])
    for job, status, reason in (
        (jobs[1], "running", ""),
        (jobs[2], "succeeded", ""),
        (jobs[3], "failed", "no space left"),
        (jobs[4], "timed_out", ""),
    ):
        await call.db.execute(
            """
            update job_hosts
               set status = %(status)s, reason = %(reason)s,
                   finished_at = case when %(status)s <> 'running' then %(now)s::timestamptz end
             where job_id = (select id from jobs where uuid = %(job)s)
            """,
            job=job,
            status=status,
            reason=reason,
            now=call.now,
        )
    told = await api.read(path)
    assert told["queue_status"] == {"waiting": 1, "active": 1, "delayed": 0, "failed": 2}
    history = told["job_history"]
    assert (told["total_jobs"], [row["job_id"] for row in history]) == (5, jobs[::-1])
    assert [(row["status"], row["error_message"], row["completed_at"] is not None) for row in history] == [
        ("failed", "timed out", True),
        ("failed", "no space left", True),
        ("completed", None, True),
        ("active", None, False),
        ("delayed", None, False),
    ]
    assert set(history[0]) == {
        "id",
        "job_id",
        "job_name",
        "status",
        "attempt",
        "created_at",
        "completed_at",
        "error_message",
        "output",
    }
    assert {(row["job_name"], row["attempt"], row["output"]) for row in history} == {("ping", 1, None)}
    assert all(datetime.fromisoformat(row["created_at"]).tzinfo is not None for row in history)
    assert [row["job_id"] for row in (await api.read(f"{path}?limit=2"))["job_history"]] == jobs[:2:-1]
    # What the agent was asked stands among them.
    await call.db.execute(
        "insert into agent_commands (host_id, kind, created_at) select id, 'report_now', now() from hosts"
    )
    told = await api.read(path)
    assert (told["queue_status"]["active"], told["job_history"][0]["job_name"]) == (2, "report_now")
    assert [row["job_id"] for row in (await api.read(f"{path}?limit=2"))["job_history"]][1:] == jobs[:3:-1]


@pytest.mark.proves("INTG-DIFF-06")
async def test_a_host_that_cannot_be_deleted(client: Browser, call: Call, make: Maker) -> None:
    token = await make("api", scopes={"host": ["delete"]})
    host = await added(call)
    await call.db.execute("create table holding (host_id int references hosts (id))")
    await call.db.execute("insert into holding select id from hosts")
    answer = await client.delete(f"{HOSTS}/{host.uuid}", headers=token.basic)
    assert await said(answer) == (500, {"error": "Failed to delete host"})
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.proves("INTG-API-11")
async def test_deleting_a_host(client: Browser, call: Call, make: Maker) -> None:
    token = await make("api", scopes={"host": ["get", "delete"]})
    uuid, agent = await reporting(call, client)

    async def deleted(host: str) -> tuple[int, Any]:
        return await said(await client.delete(f"{HOSTS}/{host}", headers=token.basic))

    assert await deleted("abc") == (400, {"error": "Invalid host ID format"})
    assert await deleted(UNKNOWN) == (404, {"error": "Host not found"})
    assert await deleted(uuid) == (
        200,
        {
            "message": "Host deleted successfully",
            "deleted": {"id": uuid, "friendly_name": "web-01", "hostname": "web-01.example.net"},
        },
    )
    assert (await token.get(f"/api/hosts/{uuid}/info")).status == 404
    assert (await agent.ping()).status == 401
    for table in ("host_packages", "host_repositories", "host_activity", "host_inventory", "host_group_members"):
        assert await call.db.value(f"select count(*) from {table}") == 0, table
    entry = await call.db.one("select actor_kind, actor_name from audit_log where action = 'hosts.deleted'")
    assert entry == {"actor_kind": "token", "actor_name": "api token"}


@pytest.mark.proves("INTG-API-02", "INTG-API-07")
async def test_unknown_hosts(api: Program) -> None:
    for uuid in (UNKNOWN, "abc"):
        for part in ("info", "network", "system", "packages", "agent_queue", "notes", "integrations"):
            answer = await api.get(f"/api/hosts/{uuid}/{part}")
            assert await said(answer) == (404, {"error": "Host not found"}), part
        assert await api.read(f"/api/hosts/{uuid}/stats") == {
            "host_id": uuid,
            "total_installed_packages": 0,
            "outdated_packages": 0,
            "security_updates": 0,
            "total_repos": 0,
        }
        assert await api.read(f"/api/hosts/{uuid}/package_reports") == {"host_id": uuid, "reports": [], "total": 0}


async def test_a_persons_token_opens_nothing_here(client: Browser, call: Call) -> None:
    answer = await client.get(HOSTS, headers=await bearer(call))
    assert await said(answer) == (401, {"error": "Missing or invalid authorization header"})


@pytest.mark.proves("INTG-DOC-04")
async def test_the_old_address_of_the_description_leads_to_the_new_one(client: Browser) -> None:
    answer = await client.get("/api-docs", headers=HTML, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (301, "/api/v1/api-docs")


@pytest.mark.proves("INTG-DOC-01", "INTG-DOC-02")
async def test_the_description_lists_every_path(client: Browser, call: Call) -> None:
    refused = await client.get("/api/v1/api-docs/", headers={"Accept": "application/json"})
    assert refused.status == 401
    await sign_in_as(client, call, "readonly")
    page = await client.get("/api/v1/api-docs", headers=HTML)
    assert (page.status, page.content_type) == (200, "text/html")
    document = await (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    paths = {
        "/api/v1/auto-enrollment/tokens": {"get", "post"},
        "/api/v1/auto-enrollment/tokens/{token}": {"get", "patch", "delete"},
        "/api/v1/auto-enrollment/enroll": {"post"},
        "/api/v1/auto-enrollment/enroll/bulk": {"post"},
        "/api/v1/auto-enrollment/script": {"get"},
        "/api/v1/api/hosts": {"get"},
        "/api/v1/api/hosts/{host}": {"delete"},
        **{f"/api/v1/api/hosts/{{host}}/{part}": {"get"} for part in PARTS},
        "/api/v1/gethomepage/stats": {"get"},
        "/api/v1/gethomepage/health": {"get"},
    }
    for path, methods in paths.items():
        assert methods <= set(document["paths"][path]), path
    body = document["paths"]["/api/v1/auto-enrollment/tokens"]["post"]["requestBody"]["content"]["application/json"]
    assert "TokenBody" in str(body)
