"""One run, without scripts."""

import re
from typing import Any

import pytest

from server.core.call import Call
from tests.factories.automation import Fleet
from tests.factories.patching import Patching, change, finish
from tests.factories.reader import Reader
from tests.factories.runs import Past

LISTED = "/patching?tab=runs"
PACKAGES: list[dict[str, Any]] = [change("curl"), change("libcurl4", requested=False)]


@pytest.mark.proves("PATCH-110", "PATCH-112", "PATCH-90")
async def test_each_state_has_its_buttons_and_its_banner(reader: Reader, past: Past) -> None:
    host = await past.host("web-01")
    names = ("Approve &amp; Patch", "Retry Validation", "Skip &amp; Patch", "Stop Run", "Delete")
    expected = {
        "queued": ({"Delete"}, "Queued."),
        "pending_validation": (
            {"Retry Validation", "Skip &amp; Patch", "Delete"}, "Validation pending. Host may be offline.",
        ),
        "pending_approval": ({"Approve &amp; Patch", "Delete"}, "Awaiting approval."),
        "validated": (
            {"Approve &amp; Patch", "Delete"}, "Validation complete. Approval required. 1 dependency would be changed",
        ),
        "approved": ({"Delete"}, ""),
        "scheduled": ({"Delete"}, "Scheduled."),
        "running": ({"Stop Run"}, ""),
        "completed": (set(), ""),
        "failed": (set(), ""),
        "cancelled": (set(), ""),
    }  # fmt: skip
    for status, (buttons, banner) in expected.items():
        is_dry = status in {"pending_validation", "validated", "approved"}
        run = await past.run(host, status, dry=is_dry, extra=is_dry, packages=PACKAGES, patch_type="patch_package")
        text = await reader.page(f"/patching/runs/{run}")
        actions = text.partition('class="page-actions"')[2].partition("</header>")[0]
        assert {name for name in names if f"{name}</" in actions} == buttons, status
        assert banner in await reader.words(f"/patching/runs/{run}"), status
        assert re.search(r"<h1>web-01</h1>", text)
        assert 'aria-label="Back to the runs"' in text
        if status == "running":
            assert "Partially-installed packages may leave the host in an intermediate state" in text


@pytest.mark.proves("PATCH-111", "PATCH-113", "PATCH-114", "PATCH-116", "PATCH-61")
async def test_a_run_tells_what_it_did(reader: Reader, past: Past) -> None:
    host = await past.host("web-01")
    policy = {"id": "x", "name": "Nightly", "patch_delay_type": "fixed_time", "fixed_time_utc": "03:00",
              "timezone": "Europe/London"}  # fmt: skip
    dry = await past.run(host, "approved", dry=True, extra=True, packages=PACKAGES, plan={}, policy=policy)
    run = await past.run(
        host, "failed", validation=dry, packages=PACKAGES[:1], plan={}, extra=True, policy=policy,
        error="<b>broken</b>", output="10%\r20%\rdone\x1b[31m!\x1b[0m\n<script>",
    )  # fmt: skip
    url = f"/patching/runs/{run}"
    text, words = await reader.page(url), await reader.words(url)
    assert f'href="/hosts/{host}"' in text
    for part in (
        "Initiated by anna",
        "Started 20",
        "Completed 20",
        "Patch policy in effect Nightly: Fixed time at 03:00",
    ):
        assert part in words, part
    assert f'href="/patching/runs/{dry}"' in text
    assert "What went wrong <b>broken</b>" in words
    assert "10%\n20%\ndone" in text
    assert "&lt;script&gt;" in text
    assert "Copy output" in words
    assert "Not as its dry run said" in words
    assert "libcurl4 1.1 not done" in words
    assert "Packages affected 1" in words
    assert f"/patching/runs/{run}" in await reader.page(f"/patching/runs/{dry}")
    async with reader.browser.get(f"{url}/output") as answer:
        assert await answer.text() == "10%\r20%\rdone\x1b[31m!\x1b[0m\n<script>"
        assert "attachment" in answer.headers["Content-Disposition"]
        assert answer.content_type == "text/plain"
    for status in ("queued", "running"):
        waits = await past.run(host, status)
        assert "Copy output" not in await reader.words(f"/patching/runs/{waits}")
        assert "(No output yet)" in await reader.words(f"/patching/runs/{waits}")
    await reader.page("/patching/runs/00000000-0000-4000-8000-000000000000", 404)
    await reader.page("/patching/runs/x", 404)


async def test_a_run_that_did_as_its_dry_run_said_says_so(reader: Reader, past: Past) -> None:
    host = await past.host("web-01")
    dry = await past.run(host, "approved", dry=True, packages=PACKAGES, plan={})
    run = await past.run(host, "completed", validation=dry, packages=PACKAGES[::-1], plan={})
    assert "As its dry run said: the same packages in the same versions." in await reader.words(f"/patching/runs/{run}")
    blind = await past.run(host, "completed", packages=PACKAGES, plan={})
    assert "dry run said" not in await reader.words(f"/patching/runs/{blind}")


@pytest.mark.proves("PATCH-73")
async def test_a_run_without_a_policy_says_the_default(reader: Reader, past: Past) -> None:
    run = await past.run(await past.host("web-01"), "completed")
    assert "Default policy. Runs immediately on trigger." in await reader.words(f"/patching/runs/{run}")


@pytest.mark.proves("PATCH-117", "PATCH-123", "PATCH-121")
async def test_the_report_after_a_run_is_awaited_and_then_there(reader: Reader, past: Past, call: Call) -> None:
    host = await past.host("web-01")
    run = await past.run(host, "completed")
    url = f"/patching/runs/{run}"
    assert "inventory report" not in await reader.words(url)
    await call.db.execute("update hosts set awaiting_post_patch_report_run_id = %(run)s", run=run)
    assert "Awaiting inventory report" in await reader.words(url)
    page = await reader.page(f"/hosts/{host}")
    assert re.search(rf'<a class="chip-link" href="{url}">.*?Awaiting inventory report', page, re.DOTALL)
    await call.db.execute(
        "update hosts set awaiting_post_patch_report_run_id = null, last_update = now() + interval '1 minute'"
    )
    assert "New report received" in await reader.words(url)
    assert "Awaiting inventory report" not in await reader.words(f"/hosts/{host}")


async def test_a_very_long_output_is_cut_on_the_page_only(reader: Reader, past: Past) -> None:
    run = await past.run(await past.host("web-01"), "completed", output="a" * 500_000 + "\nthe end\n")
    text = await reader.page(f"/patching/runs/{run}")
    assert "The first 100 009 characters are not shown here" in text.replace("\u202f", " ").replace("\u00a0", " ")
    assert text.count("a" * 1000) <= 400, "what is shown, and the frame around it"
    assert len(text) < 500_000
    assert "the end" in text
    async with reader.browser.get(f"/patching/runs/{run}/output") as answer:
        assert len(await answer.text()) == 500_009


@pytest.mark.proves("PATCH-92", "PATCH-93", "PATCH-94")
async def test_what_is_refused_is_said_on_the_page(reader: Reader, past: Past) -> None:
    host = await past.host("web-01")
    queued, done = await past.run(host, "queued"), await past.run(host, "completed")
    for run, verb, said in (
        (queued, "stop", "Only running runs can be stopped; delete the run instead"),
        (done, "stop", "Run already finished"),
        (done, "delete", "Runs that are completed cannot be deleted"),
    ):
        url = f"/patching/runs/{run}"
        assert await reader.send(LISTED, f"{url}/{verb}") == url
        assert said in await reader.words(url)
    assert await reader.send(LISTED, f"/patching/runs/{queued}/delete") == LISTED
    assert "The run of web-01 was deleted." in await reader.words(LISTED)
    await reader.page(f"/patching/runs/{queued}", 404)


@pytest.mark.proves("A-30")
async def test_a_run_is_followed_stopped_and_retried_without_scripts(
    reader: Reader, api: Patching, fleet: Fleet
) -> None:
    agent = await fleet.enrol("web-01")
    made = await api.dry(fleet.ids["web-01"], "curl")
    url = f"/patching/runs/{made['patch_run_id']}"
    assert '<meta http-equiv="refresh"' in await reader.page(url)
    assert await reader.send(url, f"{url}/retry") == url
    assert "The validation of web-01 is queued again." in await reader.words(url)
    assert await reader.rows("/patching?tab=runs") == [made["patch_run_id"]]
    await agent.connect()
    held = await agent.job()
    await agent.tell(held, {"event": "live", "stdout": "Inst curl\n"}, source="live")
    await api.becomes(made["patch_run_id"], "running")
    assert "Inst curl" in await reader.page(url)
    parts = await reader.page(f"{url}/parts")
    assert 'data-run-live="true"' in parts
    assert "Stop Run" in parts
    assert await reader.send(url, f"{url}/stop") == url
    assert "The host was asked to stop." in await reader.words(url)
    await finish(api, agent, held, status="cancelled")
    await api.becomes(made["patch_run_id"], "cancelled")
    text = await reader.page(url)
    assert "Stopped by superadmin" in text
    assert '<meta http-equiv="refresh"' not in text
