"""The pages of one host, through the front door: what is shown, what is changed, what its agent is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from server.channel import service as channel
from server.core.call import Call
from server.core.ids import HostId
from tests.factories import scopes
from tests.factories.hosts import Agent, Browser, added, enrolled, full_report, package
from tests.factories.people import HTML, bearer, form_token, role_with

TABS = ("", "/packages", "/repositories", "/system", "/network", "/jobs", "/reports", "/queue", "/notes",
        "/integrations", "/deploy", "/compare")  # fmt: skip


async def page(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def post(browser: Browser, path: str, form: dict[str, Any], back: str) -> str:
    """Post a form as a browser does and return the page it leads to."""
    data = {**form, "csrf": await form_token(browser, back)}
    answer = await browser.post(path, data=data, headers=HTML, allow_redirects=False)
    assert answer.status == 303, await answer.text()
    return await page(browser, answer.headers["Location"])


async def host_of(call: Call) -> tuple[int, str]:
    row = await call.db.one("select id, uuid from hosts order by id limit 1")
    assert row
    return row["id"], str(row["uuid"])


@asynccontextmanager
async def connected(call: Call, agent: Agent, host_id: int) -> AsyncIterator[ClientWebSocketResponse]:
    """Open the agent's link and wait until everybody knows."""
    link = await agent.client.ws_connect("/api/v1/agents/ws", headers=agent.headers)
    async with asyncio.timeout(5):
        while not await channel.online(call, [HostId(host_id)]) or not await call.db.value(
            "select last_connected_at > coalesce(last_disconnected_at, '-infinity') from hosts where id = %(id)s",
            id=host_id,
        ):
            await asyncio.sleep(0.02)
    yield link
    await link.close()


async def told(link: ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message the agent is sent."""
    message: dict[str, Any] = json.loads((await link.receive(timeout=5)).data)
    return message


@pytest.mark.parametrize("reported", [False, True])
async def test_every_tab_is_there(as_admin: Browser, client: Browser, call: Call, reported: bool) -> None:
    agent = await enrolled(call, client)
    if reported:
        await agent.update(full_report([package("a", "1", "2", isSecurityUpdate=True), package("b")]))
    _, uuid = await host_of(call)
    for tab in TABS:
        assert "web-01" in await page(as_admin, f"/hosts/{uuid}{tab}"), tab


@pytest.mark.proves("INV-66", "INV-63")
async def test_the_first_page_leads_to_the_lists_behind_its_numbers(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a", "1", "2", isSecurityUpdate=True), package("b", "1", "2")]))
    host_id, uuid = await host_of(call)
    await call.db.execute("update hosts set awaiting_report = true")
    text = await page(as_admin, f"/hosts/{uuid}")
    for target in (f"/packages?host={uuid}", f"/packages?host={uuid}&amp;filter=outdated",
                   f"/packages?host={uuid}&amp;filter=security", f"/repositories?host={uuid}"):  # fmt: skip
        assert f'href="{target}"' in text, target
    assert "Total installed" in text
    for chip in ("Offline", "Reboot required", 'title="kernel"', "Awaiting inventory report", "up 41 days"):
        assert chip in text, chip
    async with connected(call, agent, host_id):
        text = await page(as_admin, f"/hosts/{uuid}")
        assert ">WS<" in text.replace("</svg>", ">")
        assert "Offline" not in text


@pytest.mark.proves("INV-62", "INV-70", "INV-71", "INV-170")
async def test_fields_are_changed_where_they_stand(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    _, uuid = await host_of(call)
    here, edit = f"/hosts/{uuid}", f"/hosts/{uuid}/edit"
    assert "Front door" in await post(as_admin, edit, {"friendly_name": " Front door "}, here)
    await post(as_admin, edit, {"hostname": "front.example.net"}, here)
    await post(as_admin, edit, {"ip": "192.0.2.7"}, here)
    await post(as_admin, edit, {"auto_update": "false"}, here)
    await post(as_admin, edit, {"host_down_alerts_enabled": "false"}, here)
    one = await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json()
    wanted = {"friendly_name": "Front door", "hostname": "front.example.net", "ip": "192.0.2.7", "auto_update": False,
              "host_down_alerts_enabled": False}  # fmt: skip
    assert {name: one[name] for name in wanted} == wanted
    await post(as_admin, edit, {"host_down_alerts_enabled": ""}, here)
    assert (await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json())["host_down_alerts_enabled"] is None
    for form in ({"ip": "not an address"}, {"friendly_name": ""}, {"friendly_name": "x" * 101}):
        assert "Saved." not in await post(as_admin, edit, form, here), form
    assert (await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json())["friendly_name"] == "Front door"
    # A report never takes the name a person gave.
    await agent.update(full_report([package("a", "2")]))
    one = await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json()
    assert (one["friendly_name"], one["machine_id"]) == ("Front door", "4c4c4544-0051")
    # Agents update themselves only when that is on for the fleet and for the host.
    assert "Settings → Agent Updates" not in await page(as_admin, here)
    assert "Settings → Agent Updates" in await post(as_admin, edit, {"auto_update": "true"}, here)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("friendly-name", {"friendly_name": "db"}, 200),
        ("friendly-name", {"friendly_name": " "}, 400),
        ("friendly-name", {}, 400),
        ("notes", {"notes": "see the wiki"}, 200),
        ("notes", {"notes": None}, 200),
        ("connection", {"ip": "2001:db8::1"}, 200),
        ("connection", {"ip": "256.1.1.1"}, 400),
        ("connection", {"hostname": "a b"}, 400),
        ("primary-interface", {"interface_name": "eth9"}, 400),
        ("auto-update", {"auto_update": False}, 200),
        ("auto-update", {}, 400),
        ("host-down-alerts", {"host_down_alerts_enabled": True}, 200),
        ("host-down-alerts", {"host_down_alerts_enabled": None}, 200),
        ("", {"friendly_name": "db", "notes": "n", "unknown": 1}, 200),
    ],
)
async def test_changes_by_programs(as_admin: Browser, call: Call, path: str, body: dict[str, Any], status: int) -> None:
    made = await added(call)
    answer = await as_admin.patch(f"/api/v1/hosts/{made.uuid}/{path}".rstrip("/"), json=body)
    told = await answer.json()
    assert answer.status == status, told
    if status == 200:
        assert set(told) == {"message", "host"}
        for name, value in body.items():
            if name in told["host"]:
                assert told["host"][name] == (value or "" if name == "notes" else value)


@pytest.mark.proves("INV-76", "INV-153")
async def test_a_chosen_interface_gives_the_address(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")], ip="198.51.100.1"))
    _, uuid = await host_of(call)

    async def ip() -> Any:
        return (await (await as_admin.get(f"/api/v1/hosts/{uuid}")).json())["ip"]

    path = f"/api/v1/hosts/{uuid}/primary-interface"
    assert await ip() == "198.51.100.1"
    text = await page(as_admin, f"/hosts/{uuid}/network")
    assert "eth0" in text
    await post(as_admin, f"/hosts/{uuid}/edit", {"primary_interface": "eth0"}, f"/hosts/{uuid}/network")
    assert await ip() == "10.20.0.12"
    assert "from eth0" in await page(as_admin, f"/hosts/{uuid}")
    await agent.update(full_report([package("a")], ip="203.0.113.9"))
    assert await ip() == "10.20.0.12"
    refused = await as_admin.patch(f"/api/v1/hosts/{uuid}/connection", json={"ip": "192.0.2.1"})
    assert refused.status == 409
    assert (await as_admin.patch(path, json={"interface_name": None})).status == 200
    # Nothing on the host changed, and still its next check-in has to bring the interfaces.
    hashes = full_report([package("a")])["hashes"]
    wanted = await (await agent.ping({"hashes": hashes})).json()
    assert "interfaces" in json.dumps(wanted)
    await agent.update(full_report([package("a")], ip="203.0.113.9"))
    assert await ip() == "203.0.113.9"


@pytest.mark.proves("INV-85")
async def test_notes_are_read_by_all_and_written_by_some(as_admin: Browser, client: Browser, call: Call) -> None:
    made = await added(call)
    here = f"/hosts/{made.uuid}/notes"
    assert "Write some" in await page(as_admin, here)
    assert "textarea" in await page(as_admin, f"{here}?edit=1")
    assert "&lt;b&gt;call Anna" in await post(as_admin, here, {"notes": "<b>call Anna\nfirst"}, here)
    await role_with(call, "watcher", "can_view_hosts")
    watcher = await bearer(call, "watcher")
    seen = await (await client.get(f"/api/v1/hosts/{made.uuid}/notes", headers=watcher)).json()
    assert seen["notes"] == "<b>call Anna\nfirst"
    path = f"/api/v1/hosts/{made.uuid}/notes"
    assert (await client.patch(path, json={"notes": "mine"}, headers=watcher)).status == 403


@pytest.mark.proves("INV-64", "INV-65", "INV-82", "INV-83", "INV-84", "INV-72", "A-24")
async def test_commands_need_the_agent_and_leave_a_line(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    host_id, uuid = await host_of(call)
    here = f"/api/v1/hosts/{uuid}"
    for path in ("fetch-report", "force-agent-update", "refresh-integration-status"):
        refused = await as_admin.post(f"{here}/{path}")
        assert refused.status == 409, path
        assert (await refused.json())["error"] == "Agent is not currently connected"
    offline = await page(as_admin, f"/hosts/{uuid}")
    assert "disabled" in offline.partition("Fetch report")[0].rpartition("<button")[2]
    assert (await (await as_admin.get(f"{here}/agent-queue")).json())["total_jobs"] == 0
    async with connected(call, agent, host_id) as link:
        answer = await as_admin.post(f"{here}/fetch-report")
        assert (answer.status, (await answer.json())["success"]) == (200, True)
        assert await told(link) == {"type": "report_now"}
        queue = await (await as_admin.get(f"/api/v1/dashboard/hosts/{uuid}/queue")).json()
        assert (queue["data"]["active"], queue["data"]["jobHistory"][0]["job_name"]) == (1, "Fetch report")
        assert "Fetch report" in await page(as_admin, f"/hosts/{uuid}/queue")
        await agent.update(full_report([package("a"), package("b")]))
        settled = await (await as_admin.get(f"{here}/agent-queue")).json()
        assert settled["queue_status"] == {"waiting": 0, "active": 0, "delayed": 0, "failed": 0}
        assert [one["status"] for one in settled["job_history"]] == ["completed"]
        assert set(settled["job_history"][0]) == {
            "id", "job_id", "job_name", "status", "attempt", "created_at", "completed_at", "error_message", "output",
        }  # fmt: skip
        # Programs of others read the same queue, and the feed of the host names what was asked.
        feed = await (await as_admin.get(f"/api/v1/dashboard/hosts/{uuid}/activity")).json()
        assert "Fetch report" in {one["title"] for one in feed["items"]}, feed["items"]
        assert (await as_admin.post(f"{here}/force-agent-update")).status == 200
        assert await told(link) == {"type": "update_agent"}
        bulk = await as_admin.post("/api/v1/hosts/bulk/fetch-report", json={"hostIds": [uuid, str(await away(call))]})
        body = await bulk.json()
        assert (body["enqueued"], [one["success"] for one in body["results"]]) == (1, [True, False])
        assert await told(link) == {"type": "report_now"}
    # What nobody answers fails after a while, and says so.
    await call.db.execute(
        "update agent_commands set sent_at = sent_at - interval '11 minutes' where kind = 'update_agent'"
    )
    await call.db.execute("update hosts set last_connected_at = now() - interval '1 day' where id = %(id)s", id=host_id)
    late = await (await as_admin.get(f"{here}/agent-queue")).json()
    assert late["queue_status"]["failed"] == 1
    assert "The agent did not answer in time" in await page(as_admin, f"/hosts/{uuid}/queue")


async def away(call: Call) -> str:
    return (await added(call, "db-01")).uuid


async def test_the_host_as_the_dashboard_names_it(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a", "1", "2"), package("b")]))
    _, uuid = await host_of(call)
    found = await (await as_admin.get(f"/api/v1/dashboard/hosts/{uuid}?limit=5")).json()
    assert (found["id"], found["friendly_name"]) == (uuid, "web-01")
    assert found["stats"] == {"total_packages": 2, "outdated_packages": 1, "security_updates": 0, "total_repos": 1}
    assert [one["name"] for one in found["host_packages"]] == ["a", "b"]
    assert len(found["update_history"]) == 1


@pytest.mark.proves("INV-101")
async def test_the_agent_is_deployed_again_without_its_key(as_admin: Browser, call: Call) -> None:
    made = await added(call)
    text = await page(as_admin, f"/hosts/{made.uuid}/deploy")
    assert made.api_id in text
    assert made.api_key.reveal() not in text
    assert "not usable" in await page(as_admin, f"/hosts/{made.uuid}/deploy?show=credentials")


async def test_who_only_looks_is_offered_nothing(client: Browser, call: Call) -> None:
    made = await added(call)
    await role_with(call, "watcher", "can_view_hosts")
    watcher = await bearer(call, "watcher")
    paths = [("patch", "notes"), ("post", "fetch-report"), ("post", "integrations/docker/toggle"),
             ("post", "integrations/apply-pending-config"), ("patch", "primary-interface")]  # fmt: skip
    for method, path in paths:
        answer = await client.request(method, f"/api/v1/hosts/{made.uuid}/{path}", headers=watcher, json={})
        assert answer.status == 403, path


@pytest.mark.proves("INV-75")
async def test_interfaces_with_every_address(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    _, uuid = await host_of(call)
    assert "has not reported its network yet" in await page(as_admin, f"/hosts/{uuid}/network")
    two = {
        "name": "wg0", "type": "tunnel", "macAddress": "", "mtu": 1420, "status": "down", "linkSpeed": -1, "duplex": "",
        "addresses": [
            {"address": "fd00::2", "family": "inet6", "netmask": "/64", "gateway": ""},
            {"address": "192.0.2.2", "family": "inet", "netmask": "/30", "gateway": "192.0.2.1"},
        ],
    }  # fmt: skip
    first = full_report([package("a")])["networkInterfaces"][0]
    await agent.update(full_report([package("a")], networkInterfaces=[first, two]))
    text = await page(as_admin, f"/hosts/{uuid}/network")
    for words in ("10.20.0.1, 9.9.9.9", "eth0", "wg0", "UP", "DOWN", "52:54:00:aa:bb:01", "1420",
                  "1 Gbit/s, full duplex",                   "fd00::2", "192.0.2.2", "gateway 192.0.2.1"):  # fmt: skip
        assert words in text, words


async def test_who_is_limited_meets_no_page_of_other_hosts(client: Browser, call: Call) -> None:
    web, db = await scopes.group(call, "web"), await scopes.group(call, "db")
    mine, other = await added(call, "web-01", group_ids=(web,)), await added(call, "db-01", group_ids=(db,))
    program = await scopes.program_of(call, await scopes.limited(call, web))
    paths = ("integrations", "agent-queue", "notes", "package-reports", "compare")
    for host, status in ((mine, 200), (other, 404)):
        for path in paths:
            answer = await client.get(f"/api/v1/hosts/{host.uuid}/{path}", headers=program)
            assert answer.status == status, path
        renamed = await client.patch(f"/api/v1/hosts/{host.uuid}/notes", json={"notes": "x"}, headers=program)
        assert renamed.status == status
        assert (await client.get(f"/api/v1/dashboard/hosts/{host.uuid}/activity", headers=program)).status == status
    bulk = await client.post(
        "/api/v1/hosts/bulk/fetch-report", json={"hostIds": [mine.uuid, other.uuid]}, headers=program
    )
    errors = [one["error"] for one in (await bulk.json())["results"]]
    assert errors == ["Agent is not currently connected", "Host not found"]
    assert (await client.get(f"/api/v1/hosts/{mine.uuid}/compare?with={other.uuid}", headers=program)).status == 404
