"""Jobs and what happened in them are kept for a while, and then go in pieces."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from server.automation import progress
from server.core.call import Call
from server.settings import service as settings
from tests.factories.automation import Api, Fleet
from tests.factories.people import HTML

DIGEST = "a" * 64


async def ran(api: Api, fleet: Fleet) -> dict[str, Any]:
    """Return a job that is over and said something."""
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"event": "playbook_on_play_start", "play": "Ping"}, {"event": "x", "stdout": "pong"})
    await agent.end(held)
    return await api.status(job, "succeeded")


async def aged(call: Call, job: dict[str, Any], days: int) -> None:
    """Make a job and its events older, in a month of their own."""
    day = (call.now - timedelta(days=days)).date()
    month = day.replace(day=1)
    nearly_over = (month + timedelta(days=32)).replace(day=1)
    name = f"job_events_{month:%Y_%m}"
    await call.db.execute(
        f"create table {name} partition of job_events for values from ('{month}') to ('{nearly_over}')"
    )
    await call.db.execute(
        "update job_events set job_date = %(day)s where job_id = (select id from jobs where uuid = %(job)s)",
        day=day,
        job=job["id"],
    )
    await call.db.execute(
        """
        update jobs
           set job_date = %(day)s, created_at = created_at - make_interval(days => %(days)s),
               finished_at = finished_at - make_interval(days => %(days)s)
         where uuid = %(job)s
        """,
        day=day,
        days=days,
        job=job["id"],
    )


async def months(call: Call) -> list[str]:
    return await call.db.column(
        "select relname from pg_class where relname ~ '^job_events_[0-9]{4}_[0-9]{2}$' order by relname"
    )


async def count(call: Call, table: str) -> int:
    return int(await call.db.value(f"select count(*) from {table}"))


async def test_events_go_by_whole_months_and_the_job_says_so(
    as_admin: TestClient[Any, Any], api: Api, fleet: Fleet, call: Call
) -> None:
    job = await ran(api, fleet)
    kept = await months(call)
    await progress.tidy(call)
    assert len(await api.events(job)) == 2
    await aged(call, job, 130)
    assert len(await months(call)) == len(kept) + 1
    assert len(await api.events(job)) == 2
    await settings.change(call, {"job_event_retention_days": 0})
    await progress.tidy(call)
    assert len(await api.events(job)) == 2, "0 is for ever"
    await settings.change(call, {"job_event_retention_days": 90})
    await progress.tidy(call)
    assert await months(call) == kept
    assert await api.events(job) == []
    url = f"/jobs/{job['id']}"
    page = await (await as_admin.get(url, headers=HTML)).text()
    assert "The events of this job are no longer kept." in page
    page = await (await as_admin.get(f"{url}?tab=output", headers=HTML)).text()
    assert "The output of this job is no longer kept." in page


async def test_what_is_under_way_keeps_its_month(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"event": "x", "stdout": "still here"})
    while not await api.events(job):
        await asyncio.sleep(0.03)
    await aged(call, job, 200)
    before = await months(call)
    await progress.tidy(call)
    assert await months(call) == before
    assert len(await api.events(job)) == 1


async def test_events_without_a_month_go_row_by_row(api: Api, fleet: Fleet, call: Call) -> None:
    job = await ran(api, fleet)
    for days in (91, 89):
        await call.db.execute(
            """
            insert into job_events (job_date, job_host_id, source, counter, job_id, position, at, event)
            select %(day)s, h.id, 0, 1000, h.job_id, 1000, now(), 'old' from job_hosts h
            """,
            day=(call.now - timedelta(days=days)).date(),
        )
    await call.db.execute("update job_events set job_date = '2020-02-02' where counter = 2")
    assert await count(call, "job_events_default") >= 1
    await progress.tidy(call)
    assert await call.db.column("select distinct event from job_events_default where job_date < '2021-01-01'") == []
    assert await call.db.value("select count(*) from job_events where event = 'old'") >= 1
    assert job["status"] == "succeeded"


async def test_old_jobs_go_with_all_that_only_they_needed(api: Api, fleet: Fleet, call: Call) -> None:
    old = await ran(api, fleet)
    again = await api.ask("POST", f"/jobs/{old['id']}/relaunch", {"failed_only": False}, status=201)
    await aged(call, old, 401)
    await call.db.execute(
        """
        insert into projects (digest, size, content, origin, created_at)
        values (%(digest)s, 1, 'x', 'upload', %(at)s)
        """,
        digest=DIGEST,
        at=call.now - timedelta(days=2),
    )
    await call.db.execute("update jobs set project_digest = %(d)s where uuid = %(job)s", d=DIGEST, job=old["id"])
    await call.db.execute(
        "insert into result_blobs (digest, size, content, created_at) values (%(d)s, 1, 'x', %(at)s)",
        d=DIGEST,
        at=call.now - timedelta(days=2),
    )
    await call.db.execute(
        """
        insert into job_results (job_host_id, module, digest, size)
        select h.id, 'm', %(d)s, 1 from job_hosts h join jobs j on j.id = h.job_id where j.uuid = %(job)s
        """,
        d=DIGEST,
        job=old["id"],
    )
    # Never earlier than its events.
    await settings.change(call, {"job_event_retention_days": 500, "job_retention_days": 30})
    await progress.tidy(call)
    assert await count(call, "jobs") == 2
    await settings.change(call, {"job_event_retention_days": 90, "job_retention_days": 400})
    await progress.tidy(call)
    assert await call.db.column("select uuid from jobs") == [again["id"]]
    assert await call.db.column("select relaunch_of from jobs") == [None]
    assert await count(call, "job_events") == 0
    assert await count(call, "result_blobs") == 0
    assert await call.db.value("select count(*) from projects where digest = %(d)s", d=DIGEST) == 0
    assert await count(call, "projects") > 0, "what playbooks need stays"


@pytest.mark.parametrize("key", ["JOB_EVENT_RETENTION_DAYS", "JOB_RETENTION_DAYS"])
async def test_the_environment_page_shows_and_changes_both(as_admin: TestClient[Any, Any], key: str) -> None:
    page = await (await as_admin.get("/settings/environment", headers=HTML)).text()
    assert key in page
