"""Putting back what a run replaced: offered where its record allows, looked at first, done once."""

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.automation import Fleet
from tests.factories.patching import Patching, change, finish
from tests.factories.people import bearer, role_with
from tests.factories.reader import Reader
from tests.patching.test_options import said
from tests.stand_ins.scripted_agent import ScriptedAgent


async def patched(
    api: Patching, fleet: Fleet, *changes: dict[str, object], manager: str = "apt"
) -> tuple[ScriptedAgent, str]:
    """A host with a run that is over."""
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    await finish(api, agent, await agent.job(), *changes, manager=manager)
    await api.becomes(made["patch_run_id"], "completed")
    return agent, made["patch_run_id"]


async def test_a_rollback_is_tried_dry_before_it_is_real_and_is_done_once(api: Patching, fleet: Fleet) -> None:
    new = {**change("libnew", action="install"), "from": ""}
    agent, run = await patched(api, fleet, change("openssl"), change("curl"), new)
    refused = await api.act(run, "rollback", {"dry_run": False}, status=409)
    assert refused["error"] == "Look at a dry run of going back first"
    begun = await api.act(run, "rollback", status=202)
    assert (begun["dry_run"], begun["packages"]) == (True, ["openssl=1.0", "curl=1.0"])
    held = await agent.job()
    assert (held.spec["check"], held.spec["playbook"]) == (True, "rollback.yml")
    assert said(held)["rollback_packages"] == ["openssl=1.0", "curl=1.0"]
    refused = await api.act(run, "rollback", {"dry_run": False}, status=409)
    assert refused["error"] == "The dry run of going back is not over"
    await agent.end(held)
    await api.status({"id": begun["job_id"]}, "succeeded")
    real = await api.act(run, "rollback", {"dry_run": False}, status=202)
    shown = await api.run(run)
    assert (shown["rollback_dry_job"], shown["rollback_job"]) == (begun["job_id"], real["job_id"])
    held = await agent.job()
    assert held.spec["check"] is False
    assert (await api.act(run, "rollback", status=409))["error"] == "The run is being taken back"
    await agent.end(held)
    await api.status({"id": real["job_id"]}, "succeeded")
    refused = await api.act(run, "rollback", {"dry_run": False}, status=409)
    assert refused["error"] == "The run was taken back already"


async def test_a_dry_run_that_failed_allows_nothing_real(api: Patching, fleet: Fleet) -> None:
    agent, run = await patched(api, fleet, change("openssl"))
    begun = await api.act(run, "rollback", status=202)
    await agent.end(await agent.job(), "failed", reason="openssl=1.0 can be had from nowhere")
    await api.status({"id": begun["job_id"]}, "failed")
    refused = await api.act(run, "rollback", {"dry_run": False}, status=409)
    assert refused["error"] == "The dry run of going back failed"
    await api.act(run, "rollback", {"partial": True}, status=202)
    assert said(await agent.job())["rollback_partial"] is True


@pytest.mark.parametrize(
    ("manager", "changes", "why"),
    [
        ("apk", [change("openssl")], "Earlier versions cannot be put back with apk"),
        ("apt", [change("libnew", action="install")], "The record of the run holds no earlier versions"),
    ],
)
async def test_what_the_record_does_not_allow_is_refused(
    api: Patching, fleet: Fleet, call: Call, manager: str, changes: list[dict[str, object]], why: str
) -> None:
    _, run = await patched(api, fleet, *changes, manager=manager)
    assert (await api.act(run, "rollback", status=409))["error"] == why
    assert await call.db.value("select count(*) from jobs") == 1


async def test_only_finished_real_runs_are_taken_back_by_who_may_patch(api: Patching, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], dry_run=True)
    await finish(api, agent, await agent.job(), change("curl"))
    await api.becomes(made["patch_run_id"], "validated")
    assert "dry run" in (await api.act(made["patch_run_id"], "rollback", status=409))["error"]
    open_run = (await api.trigger(fleet.ids["web-01"]))["patch_run_id"]
    assert (await api.act(open_run, "rollback", status=409))["error"] == "The run is not over"
    await finish(api, agent, await agent.job(), change("curl"))
    await api.becomes(open_run, "completed")
    await role_with(call, "watchers", "can_view_hosts")
    await role_with(call, "patchers", "can_view_hosts", "can_manage_patching")
    watcher = Patching(api.session, api.url, await bearer(call, "watchers"))
    await watcher.act(open_run, "rollback", status=403)
    patcher = Patching(api.session, api.url, await bearer(call, "patchers"))
    await patcher.act(open_run, "rollback", status=202)
    await api.act("no-such-run", "rollback", status=404)


async def test_the_page_of_a_run_offers_the_way_back(as_admin: Browser, api: Patching, fleet: Fleet) -> None:
    reader = Reader(as_admin)
    agent, run = await patched(api, fleet, change("openssl"))
    page = f"/patching/runs/{run}"
    text = await reader.words(page)
    assert "Try going back" in text
    assert "Roll back" not in text
    assert await reader.send(page, f"{page}/rollback", dry_run="false") == page, "nothing real before a dry run"
    assert "Look at a dry run of going back first" in await reader.words(page)
    job = await reader.send(page, f"{page}/rollback")
    assert job.startswith("/jobs/")
    await agent.end(await agent.job())
    await api.status({"id": job.rpartition("/")[2]}, "succeeded")
    assert "See what going back would change" in await reader.words(page)
    real = await reader.send(page, f"{page}/rollback", dry_run="false")
    assert f'href="{real}"' in await reader.page(page)
