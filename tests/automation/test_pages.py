"""The pages of jobs, without scripts."""

import json
import re
from typing import Any

from aiohttp.test_utils import TestClient

from tests.factories.automation import Api, Fleet
from tests.factories.people import HTML, form_token


async def _page(browser: TestClient[Any, Any], url: str) -> str:
    answer = await browser.get(url, headers=HTML)
    text = await answer.text()
    assert answer.status == 200, text
    return text


async def test_a_person_launches_from_the_form_and_reads_the_finished_job(
    as_admin: TestClient[Any, Any], api: Api, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    host = fleet.ids["web-01"]
    assert "Patch" in await _page(as_admin, "/playbooks")
    token = await form_token(as_admin, f"/playbooks/patch/launch?hosts={host}")
    answer = await as_admin.post(
        "/playbooks/patch/launch",
        data={"csrf": token, "host": host, "check": "true", "patch_scope": "security", "patch_refresh_cache": "true"},
        headers=HTML,
        allow_redirects=False,
    )
    assert answer.status == 303, await answer.text()
    url = answer.headers["Location"]
    held = await agent.job()
    assert '"patch_scope": !unsafe "security"' in held.spec["variables"].replace("patch_scope:", '"patch_scope":')
    await agent.tell(
        held,
        {"event": "playbook_on_play_start", "play": "Patch"},
        {"event": "playbook_on_task_start", "task": "patchmon.fleet.patch : Update packages", "task_uuid": "t1"},
    )
    await agent.tell(held, {"event": "live", "stdout": "$ apt-get <upgrade>\n"}, source="live")
    await agent.tell(
        held,
        {
            "task": "patchmon.fleet.patch : Update packages",
            "task_uuid": "t1",
            "changed": True,
            "result": {"msg": "3 packages"},
        },
    )
    await agent.end(held, counters={"ok": 1, "changed": 1})
    await api.status({"id": url.rsplit("/", 1)[-1]}, "succeeded")
    text = await _page(as_admin, url)
    assert "Update packages" in text
    assert "Succeeded" in text
    assert "is-running" not in text
    output = await _page(as_admin, f"{url}?tab=output")
    assert "$ apt-get &lt;upgrade&gt;" in output
    assert "security" in await _page(as_admin, f"{url}?tab=variables")
    result = re.search(r"/jobs/[0-9a-f-]+/results/\d+", text)
    assert result is not None
    assert "3 packages" in await _page(as_admin, result[0])
    download = await as_admin.get(f"{url}/output?host={held.offer.job}")
    assert "$ apt-get <upgrade>" in await download.text()
    assert "Patch" in await _page(as_admin, "/jobs")
    assert "Patch" in await _page(as_admin, f"/hosts/{host}/jobs")


async def test_a_refused_form_comes_back_with_what_was_typed(as_admin: TestClient[Any, Any], fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    token = await form_token(as_admin, "/playbooks/patch/launch")
    answer = await as_admin.post(
        "/playbooks/patch/launch",
        data={"csrf": token, "check": "false", "patch_lock_timeout_seconds": "soon"},
        headers=HTML,
    )
    text = await answer.text()
    assert answer.status == 400
    assert "soon" in text
    assert "must be a whole number" in text
    assert "choose at least one host" in text


async def test_the_page_follows_its_stream_with_the_fragments_it_is_made_of(
    as_admin: TestClient[Any, Any], api: Api, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    text = await _page(as_admin, f"/jobs/{job['id']}")
    found = re.search(r'data-stream="([^"]+)"\s+data-position="(\d+)"', text)
    assert found is not None
    await agent.tell(
        held,
        {"event": "playbook_on_task_start", "task": "Say hello", "task_uuid": "t1", "stdout": "TASK [Say hello]"},
        {"task": "Say hello", "task_uuid": "t1", "stdout": "ok: <b>", "duration": 0.5},
    )
    await agent.end(held)
    answer = await as_admin.get(found[1].replace("&amp;", "&"), headers={"Last-Event-ID": found[2]})
    frames = [frame.split("\n") for frame in (await answer.text()).strip().split("\n\n") if not frame.startswith(":")]
    names = [line.removeprefix("event: ") for frame in frames for line in frame if line.startswith("event: ")]
    assert [name for name in names if name in {"output", "task"}] == ["output", "task"] * 2
    assert {"host", "job"} <= set(names)
    assert names[-1] == "end"
    tasks = [json.loads(frame[-1].removeprefix("data: ")) for frame in frames if "event: task" in frame]
    assert {task["key"] for task in tasks} == {"task-t1"}
    assert 'id="event-task-t1"' in tasks[0]["html"]
    assert tasks[1]["status"] == "ok"


async def test_a_changed_host_awaits_its_report(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01", playbook="patch", check=False)
    await agent.end(await agent.job())
    await api.status(job, "succeeded")
    assert (
        await fleet.call.db.value("select awaiting_report from hosts where friendly_name = %(n)s", n="web-01") is True
    )


async def test_a_launch_form_of_a_large_fleet_finds_hosts_instead_of_listing_them(
    as_admin: TestClient[Any, Any], fleet: Fleet
) -> None:
    await fleet.call.db.execute(
        """
        insert into hosts (friendly_name, api_id, api_key)
        select 'web-' || n, 'api-' || n, 'key' from generate_series(100, 300) n
        """
    )
    token = await form_token(as_admin, "/playbooks/patch/launch")
    text = await _page(as_admin, "/playbooks/patch/launch")
    assert text.count('name="host"') == 50
    assert "50 of 201 hosts are shown" in text
    chosen = await fleet.call.db.value("select uuid::text from hosts where friendly_name = 'web-250'")
    typed = {"csrf": token, "step": "find", "find": "EB-29", "host": chosen, "patch_lock_timeout_seconds": "77"}
    answer = await as_admin.post("/playbooks/patch/launch", data=typed, headers=HTML)
    text = await answer.text()
    assert answer.status == 200
    assert re.findall(r'data-name="(web-\d+)"', text) == ["web-250", *(f"web-{n}" for n in range(290, 300))]
    assert re.search(rf'value="{chosen}"[^>]* checked', text)
    assert 'value="77"' in text
    assert await fleet.call.db.value("select count(*) from jobs") == 0


async def test_a_person_launches_on_all_hosts(as_admin: TestClient[Any, Any], fleet: Fleet) -> None:
    for name in ("web-01", "web-02"):
        await fleet.enrol(name)
    token = await form_token(as_admin, "/playbooks/patch/launch")
    answer = await as_admin.post(
        "/playbooks/patch/launch",
        data={"csrf": token, "group": "all", "check": "true"},
        headers=HTML,
        allow_redirects=False,
    )
    assert answer.status == 303, await answer.text()
    assert await fleet.call.db.value("select count(*) from job_hosts") == 2
