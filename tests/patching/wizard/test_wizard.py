"""The patch wizard step by step, as a person without scripts walks it."""

import asyncio
import re

import pytest

from server.core.call import Call
from server.hosts import service as hosts
from tests.conftest import Browser
from tests.factories.automation import Fleet
from tests.factories.hosts import Agent, enrolled, full_report, package
from tests.factories.patching import Patching, change, finish
from tests.factories.people import HTML, role_with, sign_in_as
from tests.factories.scopes import group
from tests.patching.wizard.walker import Walker

NIGHT = {"patch_delay_type": "fixed_time", "fixed_time_utc": "03:00"}


@pytest.fixture
def at(as_admin: Browser) -> Walker:
    return Walker(as_admin)


async def uuid_of(call: Call, name: str) -> str:
    return str(await call.db.value("select uuid from hosts where friendly_name = %(name)s", name=name))


async def behind(call: Call, client: Browser) -> list[Agent]:
    """Three hosts: curl is behind on two of them, bash on the third, and one that runs Windows."""
    told = {
        "web-01": [package("curl", "7.88", "7.89"), package("bash", "5.2")],
        "web-02": [package("curl", "7.88", "7.89"), package("bash", "5.2")],
        "web-03": [package("curl", "7.89"), package("bash", "5.2", "5.3")],
    }
    agents = []
    for name, packages in told.items():
        agents.append(await enrolled(call, client, name))
        assert (await agents[-1].update(full_report(packages))).status == 200
    windows = await enrolled(call, client, "win-01", expected_platform="windows")
    assert (await windows.update(full_report([package("curl", "7.88", "7.89")], osType="Windows Server"))).status == 200
    return agents


@pytest.mark.proves("PATCH-36", "PATCH-40", "PATCH-41", "PATCH-43", "PATCH-44")
async def test_everything_on_one_host_opens_at_timing_and_leads_to_its_run(
    at: Walker, api: Patching, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    host = fleet.ids["web-01"]
    await at.open("/patching/new", type="patch_all", host=host)
    assert at.step == "Timing"
    assert at.unused == ["Hosts", "Packages", "Validate"]
    assert "Runs immediately via Default" in at.text
    await at.press("Next")
    assert at.step == "Approval"
    await at.press("Next")
    assert at.step == "Submit"
    assert at.sentence == "This installs all updates on web-01. Runs immediately via Default."
    await at.press("Back")
    assert at.step == "Approval"
    await at.press("Back")
    assert at.step == "Timing", "the steps between are skipped on the way back too"
    await at.press("Next")
    await at.press("Next")
    await at.press("Queue & patch", follow=False)
    run = (await api.ask("GET", "/patching/runs"))["runs"][0]
    assert at.url == f"/patching/runs/{run['id']}"
    assert (run["patch_type"], run["dry_run"], run["host_id"]) == ("patch_all", False, host)
    assert (await agent.job()).spec["check"] is False


@pytest.mark.proves("PATCH-44", "PATCH-45", "PATCH-50")
async def test_timing_says_when_each_host_begins_and_lets_it_begin_now(at: Walker, api: Patching, fleet: Fleet) -> None:
    for name in ("web-01", "web-02", "web-03"):
        await fleet.enrol(name)
    night = await api.policy("Nightly-Window", "fixed_time", fixed_time_utc="03:00")
    for name in ("web-01", "web-02"):
        await api.assign(night, "host", fleet.ids[name])
    await at.open("/patching/new", type="patch_all", host=list(fleet.ids.values()), step="timing")
    assert "Runs at 03:00 UTC via Nightly-Window" in at.text
    assert "Runs immediately via Default" in at.text
    soon = fleet.ids["web-02"]
    await at.press("Next", ("soon", soon))
    await at.press("Next")
    assert "Runs immediately, without waiting for Nightly-Window" in at.text
    await at.press("Queue & patch", follow=False)
    assert at.url.startswith("/patching?tab=runs&batch="), "some of it is scheduled: the history shows all of it"
    runs = {run["host"]["friendly_name"]: run for run in (await api.ask("GET", "/patching/runs"))["runs"]}
    assert {name: run["status"] for name, run in runs.items()} == {
        "web-01": "scheduled", "web-02": "queued", "web-03": "queued",
    }  # fmt: skip
    assert (runs["web-02"]["schedule_override"], runs["web-02"]["scheduled_at"]) == ("immediate", None)
    assert runs["web-01"]["schedule_override"] is None
    assert len({run["batch_id"] for run in runs.values()}) == 1
    # Everything at once, whatever the policies say.
    await at.open("/patching/new", type="patch_all", host=fleet.ids["web-01"])
    await at.press("Next", ("now", "1"))
    await at.press("Next")
    assert at.sentence.endswith("Runs immediately, without waiting for Nightly-Window.")
    await at.press("Queue & patch", follow=False)
    run = (await api.ask("GET", "/patching/runs"))["runs"][0]
    assert (run["status"], run["schedule_override"]) == ("queued", "immediate")


@pytest.mark.proves("PATCH-35", "PATCH-37", "PATCH-40", "PATCH-85")
async def test_hosts_are_those_that_need_the_package_and_groups_stand_for_theirs(
    at: Walker, client: Browser, call: Call, api: Patching
) -> None:
    await behind(call, client)
    ids = {name: await uuid_of(call, name) for name in ("web-01", "web-02", "web-03", "win-01")}
    web = await group(call, "Web")
    for one in ids.values():
        await hosts.set_groups(call, one, [web])
    await at.open("/patching/new", type="patch_package", package="curl")
    assert at.step == "Hosts"
    assert at.sentence.startswith("2 hosts need an update of curl.")
    assert at.offered("host") == [ids["web-01"], ids["web-02"]], "neither who is up to date nor Windows"
    await at.press("Next")
    assert at.status == 400
    assert "Choose at least one host." in at.text
    assert at.offered("group") == [web]
    await at.press("Next", ("group", web))
    assert at.step == "Validate"
    assert "on 2 hosts" in at.sentence
    await at.press("Back")
    assert at.step == "Hosts"
    await at.press("Next", ("all", "1"))
    await at.press("Continue without")
    assert at.step == "Timing"
    await at.press("Next")
    await at.press("Next")
    await at.press("Queue & patch", follow=False)
    runs = (await api.ask("GET", "/patching/runs"))["runs"]
    assert {run["host_id"] for run in runs} == {ids["web-01"], ids["web-02"]}
    assert {tuple(run["package_names"]) for run in runs} == {("curl",)}
    await at.open("/patching/new", type="patch_all", host=ids["win-01"])
    assert "Windows hosts install their updates by themselves" in at.text


@pytest.mark.proves("PATCH-40", "PATCH-41")
async def test_several_packages_can_be_trimmed(at: Walker, client: Browser, call: Call) -> None:
    await behind(call, client)
    host = await uuid_of(call, "web-01")
    await at.open("/patching/new", type="patch_package", package=["curl", "bash"], host=host)
    assert at.step == "Packages"
    assert at.unused == ["Hosts"]
    await at.press("Next", ("package", ""))
    assert "Choose at least one package." in at.text
    await at.press("Next", ("package", "bash"))
    assert at.step == "Validate"
    assert "how bash would be installed" in at.sentence
    await at.press("Back")
    assert at.offered("package") == ["curl", "bash"], "what was unticked is still there"
    one = await at.open("/patching/new", type="patch_package", package="curl", host=host)
    assert one.step == "Validate"
    assert one.unused == ["Hosts", "Packages"]


async def test_opened_without_anything_it_asks_for_everything(at: Walker, client: Browser, call: Call) -> None:
    await behind(call, client)
    host = await uuid_of(call, "web-03")
    await at.open("/patching/new")
    assert at.step == "Hosts"
    assert len(at.offered("host")) == 3
    await at.press("Next", ("what", "packages"), ("host", host))
    assert "Name at least one package." in at.text
    await at.press("Next", ("what", "security"), ("host", host))
    assert at.step == "Validate"
    assert "all security updates" in at.sentence
    found = await at.open("/patching/new?find=web-02")
    assert len(found.offered("host")) == 1


@pytest.mark.proves("PATCH-12", "PATCH-46", "PATCH-47", "PATCH-48", "PATCH-49")
async def test_dry_runs_are_watched_tried_again_left_out_and_approved(
    at: Walker, api: Patching, fleet: Fleet, call: Call
) -> None:
    good = await fleet.online("web-01")
    bad = await fleet.online("web-02")
    await fleet.enrol("web-03")
    ids = fleet.ids
    await at.open("/patching/new", type="patch_package", package="curl", host=list(ids.values()))
    await at.press("Run dry-run")
    assert at.step == "Validate"
    assert at.text.count("Pending validation") >= 3
    assert 'hx-trigger="every 2s"' in at.text
    held = await good.job()
    await good.tell(held, {"event": "live", "stdout": "Reading package lists...\n"}, source="live")
    await showing(at, "Reading package lists...")
    assert "Running" in at.text
    await finish(api, good, held, change("curl"), change("libcurl4", requested=False))
    await finish(api, bad, await bad.job(), status="failed", error="dpkg was interrupted")
    await showing(at, "dpkg was interrupted")
    await showing(at, "Extra deps")
    assert "libcurl4" in at.text
    assert "Reading package lists..." in at.text, "what it printed stays to be read"
    assert at.sentence.startswith("2 of 3 hosts tried: 1 validated, 1 failed.")
    # A failed host gets another dry run, in the place of the first.
    again = next(words for words in at.buttons() if words == "Retry web-02")
    await at.press(again)
    assert "1 failed" not in at.sentence
    await finish(api, bad, await bad.job(1), status="failed", error="still interrupted")
    await showing(at, "still interrupted")
    assert "dpkg was interrupted" not in at.text
    # One that never came is asked for again, and left out.
    await at.press("Retry web-03")
    await at.follow("Exclude web-03")
    assert "web-03" not in at.text
    await at.follow("Continue with 1 validated host")
    assert at.step == "Timing"
    await at.press("Next")
    await at.press("Next")
    assert at.step == "Submit"
    dry = (await api.ask("GET", f"/patching/runs?host_id={ids['web-01']}"))["runs"][0]
    await at.press("Approve & Patch", follow=False)
    run = (await api.ask("GET", f"/patching/runs?host_id={ids['web-01']}"))["runs"][0]
    assert at.url == f"/patching/runs/{run['id']}"
    assert (run["dry_run"], run["validation_run_id"], run["package_names"]) == (False, dry["id"], ["curl"])
    others = await call.db.value("select count(*) from patch_runs where not dry_run")
    assert others == 1


async def showing(at: Walker, words: str, seconds: float = 8) -> None:
    """Look again until the page shows this, as its own polling does."""
    async with asyncio.timeout(seconds):
        while words not in (await at.open(at.url)).text:
            await asyncio.sleep(0.05)


@pytest.mark.proves("PATCH-48")
async def test_all_dry_runs_are_one_job_and_a_part_of_the_page_says_how_they_stand(
    at: Walker, as_admin: Browser, fleet: Fleet, call: Call
) -> None:
    for number in range(7):
        await fleet.enrol(f"web-{number}")
    await at.open("/patching/new", type="patch_all", host=list(fleet.ids.values()), step="validate")
    await at.press("Run dry-run")
    assert await call.db.value("select count(*) from jobs") == 1
    assert await call.db.value("select count(*) from patch_runs where dry_run and patch_type = 'patch_all'") == 7
    answer = await as_admin.get(at.url, headers={**HTML, "HX-Request": "true"})
    part = await answer.text()
    assert part.lstrip().startswith("<section")
    assert "7" in re.sub(r"\s", "", part)
    assert "<html" not in part


@pytest.mark.proves("PATCH-51")
async def test_submitting_for_approval_sends_nothing_and_leaves_what_was_validated(
    at: Walker, api: Patching, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.online("web-01")
    host = fleet.ids["web-01"]
    await at.open("/patching/new", type="patch_all", host=host)
    await at.press("Next")
    await at.press("Next", ("approval", "later"))
    assert at.sentence == "Nothing is sent to web-01 until somebody approves."
    await at.press("Submit for approval", follow=False)
    (run,) = (await api.ask("GET", "/patching/runs"))["runs"]
    assert (run["status"], run["scheduled_at"]) == ("pending_approval", None)
    assert await call.db.value("select count(*) from jobs") == 0
    await at.open("/patching/new", type="patch_package", package="curl", host=host)
    await at.press("Run dry-run")
    await finish(api, agent, await agent.job(), change("curl"))
    await showing(at, "Continue with 1 validated host")
    await at.follow("Continue with")
    await at.press("Next")
    await at.press("Next", ("approval", "later"))
    await at.press("Submit for approval", follow=False)
    assert at.url.startswith("/patching?tab=runs&batch=")
    runs = (await api.ask("GET", "/patching/runs"))["runs"]
    assert {run["status"] for run in runs} == {"pending_approval", "validated"}


@pytest.mark.proves("PATCH-49", "PATCH-65", "PATCH-66")
async def test_approving_many_goes_through_timing_and_names_what_failed(
    at: Walker, api: Patching, fleet: Fleet, call: Call
) -> None:
    for name in ("web-01", "web-02", "web-03"):
        await fleet.enrol(name)
    made = await api.trigger(*fleet.ids.values(), submit_for_approval=True)
    runs = [run["patch_run_id"] for run in made["runs"]]
    await at.open("/patching/approve", run=runs)
    assert at.step == "Timing"
    assert at.unused == ["Hosts", "Packages", "Validate", "Approval"]
    await at.press("Next")
    assert at.step == "Submit"
    assert at.sentence == "3 runs are approved. Runs immediately via Default."
    await api.act(runs[0], "approve")
    await at.press("Approve & Patch", follow=False)
    page = await at.browser.get("/", headers=HTML)
    assert "Approved 2, 1 failed: web-01: Only validated" in await page.text()
    jobs = await call.db.value("select count(*) from jobs")
    assert jobs == 2, "the one of the program, and one for the rest together"
    dry = await api.dry(fleet.ids["web-01"], "curl")
    await at.open("/patching/approve", run=dry["patch_run_id"])
    await at.press("Next")
    assert "without the end of the dry run" in at.text
    await at.press("Skip & Patch", follow=False)
    real = (await api.ask("GET", "/patching/runs"))["runs"][0]
    assert at.url == f"/patching/runs/{real['id']}"
    assert (real["dry_run"], real["validation_run_id"]) == (False, dry["patch_run_id"])
    await at.open("/patching/approve", run=dry["patch_run_id"])
    assert at.url.startswith("/patching?tab=runs"), "there is nothing to approve any more"


async def test_a_choice_that_fits_no_address_travels_in_the_form(at: Walker, call: Call) -> None:
    await call.db.execute(
        "insert into hosts (friendly_name, api_id, api_key)"
        " select 'many-' || n, 'many-' || n, 'x' from generate_series(1, 200) n"
    )
    ids = await call.db.column("select uuid::text from hosts")
    await at.open("/patching/new", type="patch_all")
    await at.press("Next", *[("host", one) for one in ids])
    assert at.step == "Validate"
    assert "on 200 hosts" in at.sentence
    assert at.url == "/patching/new"
    await at.press("Run dry-run")
    assert len(at.url) < 2000
    assert "200" in at.sentence
    assert await call.db.value("select count(*) from jobs") == 1


@pytest.mark.proves("PATCH-05", "PATCH-06")
async def test_who_may_not_patch_does_not_get_in(client: Browser, call: Call, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    await role_with(call, "looker", "can_view_hosts", "can_view_packages")
    await sign_in_as(client, call, "looker")
    for path in ("/patching/new", "/patching/approve", f"/patching/new?type=patch_all&host={fleet.ids['web-01']}"):
        assert (await client.get(path, headers=HTML)).status == 403
    host = await client.get(f"/hosts/{fleet.ids['web-01']}", headers=HTML)
    assert "/patching/new" not in await host.text()


@pytest.mark.proves("PATCH-42", "PATCH-85")
async def test_the_pages_of_a_host_lead_here(at: Walker, client: Browser, call: Call) -> None:
    await behind(call, client)
    host, windows = await uuid_of(call, "web-01"), await uuid_of(call, "win-01")
    await at.open(f"/hosts/{host}")
    assert at.link("Patch all") == f"/patching/new?type=patch_all&host={host}"
    await at.open(f"/hosts/{host}/packages")
    assert at.offered("package") == ["curl"], "what is up to date cannot be chosen"
    await at.press("Patch selected packages", ("package", "curl"))
    assert at.step == "Validate"
    assert "Update curl on web-01" in at.text
    await at.open(f"/hosts/{windows}/packages")
    assert "Patch selected" not in at.text
    assert "Patch all" not in at.text


async def test_options_go_with_the_run_and_wrong_ones_come_back(at: Walker, api: Patching, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    host = fleet.ids["web-01"]
    await at.open("/patching/new", type="patch_all", host=host)
    await at.press("Next", hold_patterns="linux-* postgresql", reboot="if_required", snapshot="yes")
    await at.press("Next")
    assert "without linux-* postgresql · snapshot first · restarts if required" in at.text
    await at.press("Queue & patch", follow=False)
    (run,) = (await api.ask("GET", "/patching/runs"))["runs"]
    assert (run["hold_patterns"], run["reboot"], run["snapshot"]) == (["linux-*", "postgresql"], "if_required", True)
    await at.open("/patching/new", type="patch_all", host=host)
    await at.press("Next", hold_patterns="$(reboot)")
    await at.press("Next")
    await at.press("Queue & patch")
    assert at.status == 400
    assert at.step == "Timing"
    assert "Invalid pattern" in at.text
