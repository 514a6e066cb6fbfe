"""The log is found again: by who, what, on what and when, as page, as JSON and as files."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from server.audit import schemas, service
from server.audit.models import Filter, Subject
from server.core.call import Actor, Call
from server.core.paging import Window
from server.settings.tasks import prune_audit
from tests.conftest import Browser
from tests.factories.people import HTML, bearer

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


async def did(call: Call, who: str, action: str, subject: Subject, at: datetime = NOON, **detail: object) -> None:
    asked = Call(call.world, Actor("person", f"id-{who}", who, address="203.0.113.7"), now=at)
    async with asked.transaction() as tx:
        await service.record(tx, asked, action, subject, detail)


@pytest.fixture
async def history(call: Call) -> None:
    await did(call, "Ada", "hosts.created", Subject("host", "7", "web-01"))
    await did(call, "ada", "hosts.deleted", Subject("host", "8", "web-02"), NOON + timedelta(days=1), reason="<old>")
    await did(call, "grace", "identity.user_created", Subject("user", "u1", "=cmd()"), NOON + timedelta(days=2))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["identity.user_created", "hosts.deleted", "hosts.created"]),
        (Filter(who="ADA"), ["hosts.deleted", "hosts.created"]),
        (Filter(who="id-grace"), ["identity.user_created"]),
        (Filter(action="hosts"), ["hosts.deleted", "hosts.created"]),
        (Filter(action="hosts.created"), ["hosts.created"]),
        (Filter(action="host"), []),
        (Filter(subject="web-0"), ["hosts.deleted", "hosts.created"]),
        (Filter(subject="user"), ["identity.user_created"]),
        (Filter(subject="8"), ["hosts.deleted"]),
        (Filter(subject="%"), []),
        (Filter(since=NOON + timedelta(days=1)), ["identity.user_created", "hosts.deleted"]),
        (Filter(until=NOON + timedelta(days=1)), ["hosts.created"]),
        (Filter(who="ada", action="hosts", subject="web-01"), ["hosts.created"]),
    ],
)
@pytest.mark.usefixtures("history")
async def test_each_filter(call: Call, wanted: Filter, found: list[str]) -> None:
    page = await service.search(call, wanted, Window())
    assert [entry.action for entry in page.items] == found
    assert page.total == len(found)
    assert [entry.action async for handful in service.export(call, wanted) for entry in handful] == found


def test_a_last_day_is_included() -> None:
    wanted, complaints = schemas.filter_of({"since": "2026-03-14", "until": "2026-03-14"})
    assert complaints == {}
    assert (wanted.since, wanted.until) == (
        datetime(2026, 3, 14, tzinfo=UTC),
        datetime(2026, 3, 15, tzinfo=UTC),
    )
    wanted, _ = schemas.filter_of({"until": "2026-03-14T12:00:00+02:00"})
    assert wanted.until == datetime(2026, 3, 14, 10, tzinfo=UTC)


@pytest.mark.usefixtures("history")
async def test_the_page_shows_and_filters(as_admin: Browser) -> None:
    text = await (await as_admin.get("/audit", headers=HTML)).text()
    assert "web-01" in text
    assert "reason: &lt;old&gt;" in text
    text = await (await as_admin.get("/audit?action=identity.user_created", headers=HTML)).text()
    assert "web-01" not in text
    assert "/api/v1/audit/export.csv?action=identity.user_created" in text
    wrong = await as_admin.get("/audit?since=yesterday", headers=HTML)
    assert wrong.status == 400
    assert "must be a day such as" in await wrong.text()


@pytest.mark.usefixtures("history")
async def test_the_answer_for_programs(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    answer = await client.get("/api/v1/audit?action=hosts&limit=1&page=2", headers=headers)
    body = await answer.json()
    assert [entry["subject_name"] for entry in body["entries"]] == ["web-01"]
    assert body["pagination"] == {"page": 2, "limit": 1, "total": 2, "pages": 2}
    assert (await client.get("/api/v1/audit?until=soon", headers=headers)).status == 400


@pytest.mark.usefixtures("history")
async def test_exports_hold_every_entry_and_no_formula(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    answer = await client.get("/api/v1/audit/export.csv?until=2026-03-31", headers=headers)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [row["subject_name"] for row in rows] == ["'=cmd()", "web-02", "web-01"]
    assert rows[1]["detail"] == '{"reason":"<old>"}'
    assert rows[2]["at"] == "2026-03-14T12:00:00Z"
    every = await (await client.get("/api/v1/audit/export.json?until=2026-03-31", headers=headers)).json()
    assert [entry["subject_name"] for entry in every] == ["=cmd()", "web-02", "web-01"]
    none = await (await client.get("/api/v1/audit/export.json?who=nobody-at-all", headers=headers)).json()
    assert none == []


async def test_an_export_goes_on_where_a_handful_ended(call: Call) -> None:
    await call.db.execute(
        "insert into audit_log (at, actor_kind, action) "
        "select timestamptz '2026-01-01', 'system', 'tests.n' || n from generate_series(1, 2500) as n"
    )
    seen = [entry.action async for handful in service.export(call, Filter(action="tests")) for entry in handful]
    assert (len(seen), len(set(seen))) == (2500, 2500)


@pytest.mark.parametrize("role", ["host_manager", "user", "readonly"])
@pytest.mark.parametrize("path", ["/audit", "/api/v1/audit", "/api/v1/audit/export.csv", "/api/v1/audit/export.json"])
async def test_it_is_not_for_everyone(client: Browser, call: Call, role: str, path: str) -> None:
    assert (await client.get(path, headers=await bearer(call, role))).status == 403


async def test_a_change_says_from_what_to_what(client: Browser, call: Call) -> None:
    headers = await bearer(call, "admin")
    for minutes in (30, 15):
        await client.patch("/api/v1/settings", json={"update_interval": minutes}, headers=headers)
    page = await service.search(call, Filter(action="settings.changed"), Window())
    assert [entry.detail for entry in page.items] == [{"from": 30, "to": 15}, {"from": None, "to": 30}]
    text = await (await client.get("/audit", headers={**headers, **HTML})).text()
    assert "30 → 15" in text
    assert "not set → 30" in text


async def test_old_entries_are_forgotten_and_that_is_recorded(call: Call) -> None:
    await did(call, "ada", "hosts.created", Subject("host", "7", "web-01"), call.now - timedelta(days=366))
    await did(call, "ada", "hosts.deleted", Subject("host", "7", "web-01"), call.now - timedelta(days=364))
    await prune_audit(call)
    left = (await service.search(call, Filter(), Window())).items
    assert [entry.action for entry in left] == ["audit.pruned", "hosts.deleted"]
    assert left[0].detail == {"entries": 1, "older_than_days": 365}
    await prune_audit(call)
    assert (await service.search(call, Filter(), Window())).total == 2
