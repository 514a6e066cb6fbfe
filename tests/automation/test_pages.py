"""The pages of jobs, without scripts."""

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
