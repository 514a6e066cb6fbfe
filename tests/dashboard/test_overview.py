"""The cards of the overview: what their numbers mean, who sees which, and that everybody arranges their own."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.core.call import Call
from server.dashboard import board, layouts, rules
from server.dashboard.cards import CARDS, COLUMNS
from server.dashboard.models import Placed
from server.identity import accounts
from server.packages import counters
from tests.conftest import Browser
from tests.factories.overview import add_host, page, panels, tiles
from tests.factories.people import HTML, acting, bearer, form_token, person, role_with, sign_in
from tests.factories.scopes import group, limited, program_of

V1 = "/api/v1"


async def get(client: Browser, headers: dict[str, Any], path: str, status: int = 200) -> Any:
    answer = await client.get(V1 + path, headers={**headers, "Accept": "application/json"})
    assert answer.status == status, await answer.text()
    return await answer.json()


async def put(client: Browser, headers: dict[str, Any], path: str, body: object, status: int = 200) -> Any:
    answer = await client.put(V1 + path, headers=headers, json=body)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def fleet(call: Call, where: str = "") -> None:
    await add_host(call, "web-01", packages=[("curl", "security"), ("vim", "update"), ("bash", "")], group=where)
    await add_host(call, "web-02", packages=[("curl", "security"), ("bash", "")], reboot=True, group=where)
    await add_host(call, "web-03", packages=[("bash", "")], hours_silent=2.9, system=("Ubuntu", "24.04"))
    await add_host(call, "web-04", packages=[("bash", "update")], hours_silent=3.1)
    await add_host(call, "web-05", hours_silent=None, system=("", ""))


@pytest.mark.proves("INV-161", "INV-164")
async def test_every_number_means_what_it_says_and_leads_to_its_list(as_admin: Browser, call: Call) -> None:
    await fleet(call)
    await counters.refresh(call)
    text = await page(as_admin, "/")
    assert tiles(text) == {
        "Hosts": ("5", "/hosts"),
        "Need updates": ("3", "/hosts?filter=needsUpdates"),
        "Need security updates": ("2", "/hosts?filter=security"),
        "Need a reboot": ("1", "/hosts?filter=reboot"),
        "Not patched lately": ("0", "/hosts?filter=patchStale"),
        "Outdated packages": ("3", "/packages?filter=outdated"),
    }
    assert "4 updates in all" in text
    stats = await get(as_admin, {}, "/dashboard/stats")
    assert set(stats) == {"cards", "charts", "trends", "lastUpdated"}
    cards = stats["cards"]
    assert (cards["totalHosts"], cards["activeHosts"], cards["hostsNeedingUpdates"], cards["upToDateHosts"]) == (
        5,
        4,
        3,
        1,
    )
    # Packages are counted once; what waits on each host is added up.
    assert (cards["totalOutdatedPackages"], cards["securityUpdates"]) == (3, 1)
    assert (cards["pendingUpdates"], cards["pendingSecurityUpdates"]) == (4, 2)
    assert (cards["hostsNeedingReboot"], cards["staleHosts"], cards["hostsAwaitingData"]) == (1, 1, 1)
    systems = {one["name"]: one["count"] for one in stats["charts"]["osDistribution"]}
    assert systems == {"Debian 12": 3, "Ubuntu 24.04": 1}
    listed = await get(as_admin, {}, "/dashboard/packages")
    assert {one["name"]: (one["affectedHostsCount"], one["isSecurityUpdate"]) for one in listed} == {
        "curl": (2, True),
        "vim": (1, False),
        "bash": (1, False),
    }
    navigation = await get(as_admin, {}, "/dashboard/navigation-stats")
    assert (navigation["cards"]["totalHosts"], navigation["cards"]["totalOutdatedPackages"]) == (5, 3)


@pytest.mark.proves("INV-161")
async def test_the_card_of_outdated_packages_and_the_page_of_packages_agree(as_admin: Browser, call: Call) -> None:
    await fleet(call)
    for counted in (False, True):
        if counted:
            await counters.refresh(call)
        number, url = tiles(await page(as_admin, "/"))["Outdated packages"]
        text = await page(as_admin, url)
        assert text.count('href="/packages/') >= 3
        answer = await as_admin.get(f"{V1}/packages?filter=outdated", headers={"Accept": "application/json"})
        body = await answer.json()
        assert str(body["pagination"]["total"]) == number, body


@pytest.mark.proves("INV-160")
async def test_everybody_arranges_their_own_and_it_goes_with_them(client: Browser, call: Call) -> None:
    await fleet(call)
    ada, bob = await person(call, "superadmin", "ada.k"), await person(call, "user", "bob.k")
    await sign_in(client, ada.username)
    before = panels(await page(client, "/"))
    assert before[:3] == ["updateStatus", "packageTrends", "osDistribution"]
    body = [
        {"cardId": "osDistribution", "enabled": True, "order": 0, "col_span": 2},
        {"cardId": "updateStatus", "enabled": False, "order": 1, "col_span": 1},
        {"cardId": "totalUsers", "enabled": True, "order": 2},
    ]
    kept = await put(client, {}, "/dashboard-preferences", {"preferences": body})
    assert set(kept) == {"message", "preferences"}
    assert kept["preferences"][0] == {"cardId": "osDistribution", "enabled": True, "order": 0, "col_span": 2}
    assert await get(client, {}, "/dashboard-preferences") == kept["preferences"]
    text = await page(client, "/")
    assert panels(text)[:2] == ["osDistribution", "packageTrends"]
    assert "updateStatus" not in panels(text)
    assert next(iter(tiles(text).items())) == ("People", ("2", "/settings/users"))
    assert 'overview-panel span-2" aria-labelledby="panel-osDistribution"' in text
    await sign_in(client, bob.username)
    assert panels(await page(client, "/")) == before
    assert await call.db.value("select count(*) from dashboard_cards") == 3
    await accounts.remove(await acting(call, await person(call, "superadmin")), ada.id)
    assert await call.db.value("select count(*) from dashboard_cards") == 0


async def test_columns_are_kept_and_the_defaults_stay(client: Browser, call: Call) -> None:
    mine = await bearer(call, "user")
    assert await get(client, mine, "/dashboard-preferences/layout") == {"stats_columns": 6, "charts_columns": 3}
    kept = await put(client, mine, "/dashboard-preferences/layout", {"charts_columns": 2})
    assert (kept["stats_columns"], kept["charts_columns"]) == (6, 2)
    assert await get(client, mine, "/dashboard-preferences/layout") == {"stats_columns": 6, "charts_columns": 2}
    widths = {one["cardId"]: one["col_span"] for one in await get(client, mine, "/dashboard-preferences")}
    assert widths["recentJobs"] == 2
    defaults = {one["cardId"]: one for one in await get(client, mine, "/dashboard-preferences/defaults")}
    assert (defaults["recentJobs"]["col_span"], defaults["totalHosts"]["title"]) == (3, "Hosts")
    # Who may not see accounts has no card of them.
    assert ("totalUsers" in defaults, "recentUsers" in defaults) == (False, False)


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("", {"preferences": [{"cardId": "nothing"}]}, "nothing"),
        ("", {"preferences": [{"cardId": "totalHosts", "col_span": 5}]}, "totalHosts"),
        ("", {"preferences": [{"cardId": "totalHosts", "order": -1}]}, "preferences.0.order"),
        ("", {"preferences": [{"cardId": "totalHosts"}, {"cardId": "totalHosts"}]}, ""),
        ("", {}, "preferences"),
        ("/layout", {"stats_columns": 1, "charts_columns": 9}, "charts_columns"),
    ],
)
async def test_nonsense_is_refused_with_what_is_wrong(
    client: Browser, call: Call, path: str, body: Any, complaint: str
) -> None:
    mine = await bearer(call, "user")
    told = await put(client, mine, f"/dashboard-preferences{path}", body, 400)
    assert complaint in told["complaints"], told
    assert await call.db.value("select count(*) from dashboard_cards") == 0


@pytest.mark.proves("INV-160")
async def test_the_form_arranges_without_a_script(as_admin: Browser, call: Call) -> None:
    await fleet(call)
    token = await form_token(as_admin, "/overview/cards")

    async def post(**fields: Any) -> str:
        answer = await as_admin.post(
            "/overview/cards", data={"csrf": token, **fields}, headers=HTML, allow_redirects=False
        )
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    on = [card.id for card in CARDS if card.kind == "panel"]
    assert await post(on=[*on, "totalHosts", "upToDateHosts"], charts_columns="2", **{"span-updateStatus": "2"}) == "/"
    text = await page(as_admin, "/")
    assert list(tiles(text)) == ["Hosts", "Up to date"]
    assert "overview-panels cols-2" in text
    assert 'span-2" aria-labelledby="panel-updateStatus"' in text
    assert await post(on=on, move="packageTrends:up") == "/overview/cards#card-packageTrends"
    assert panels(await page(as_admin, "/"))[:2] == ["packageTrends", "updateStatus"]
    assert await post(on="none") == "/"
    assert "Every card is switched off." in await page(as_admin, "/")
    assert await post(deed="reset") == "/"
    assert panels(await page(as_admin, "/"))[0] == "updateStatus"
    assert await call.db.value("select count(*) from dashboard_cards") == 0


def test_a_card_moves_among_its_kind_and_not_beyond_the_ends() -> None:
    placed = [Placed("a", True, 0, 1), Placed("x", True, 1, 1), Placed("b", True, 2, 1)]
    kinds = {"a": "tile", "b": "tile", "x": "panel"}
    assert [one.card for one in rules.moved(placed, kinds, "b", -1)] == ["b", "x", "a"]
    assert [one.card for one in rules.moved(placed, kinds, "a", -1)] == ["a", "x", "b"]
    assert [one.card for one in rules.moved(placed, kinds, "nothing", 1)] == ["a", "x", "b"]
    assert [one.position for one in rules.moved(placed, kinds, "b", -1)] == [0, 1, 2]


def test_cards_that_came_later_stand_behind_what_was_arranged() -> None:
    shown = rules.layout(CARDS, [Placed("osDistribution", True, 0, 4)], COLUMNS)
    assert [one.card.id for one in shown.places][:2] == ["osDistribution", "totalHosts"]
    assert shown.places[0].span == COLUMNS.charts


@pytest.mark.proves("INV-163")
async def test_samples_count_each_package_once_every_half_hour(client: Browser, call: Call) -> None:
    from server.app import tasks  # noqa: PLC0415 (the rooms are loaded by now)

    task = next(one for one in tasks() if one.also == "system-statistics")
    assert task.every_seconds == 1800
    await fleet(call)
    await call.db.execute(
        """
        insert into system_statistics
        select %(at)s::timestamptz - make_interval(days => n, hours => h), 1, 1, 9, n, h, 0, 0
          from generate_series(1, 40) n, generate_series(0, 1) h
        union all
        select now() - interval '3 years', 1, 1, 1, 1, 1, 1, 1
        """,
        at=datetime.combine(call.now.date(), datetime.min.time(), tzinfo=UTC) + timedelta(hours=12),
    )
    await task.work(call)
    row = await call.db.one("select * from system_statistics order by at desc limit 1")
    assert row is not None
    assert (row["packages"], row["outdated_packages"], row["security_packages"]) == (3, 3, 1)
    assert (row["hosts"], row["hosts_needing_updates"], row["updates"], row["security_updates"]) == (5, 3, 4, 2)
    assert await call.db.value("select count(*) from system_statistics where at < now() - interval '2 years'") == 0
    mine = await bearer(call)
    trends = await get(client, mine, "/dashboard/package-trends?days=30")
    assert set(trends) == {"chartData", "hosts", "period", "hostId", "currentPackageState"}
    days, lines = trends["chartData"]["labels"], trends["chartData"]["datasets"]
    assert (len(days), days[-1]) == (30, call.now.date().isoformat())
    # Of every day its last sample.
    assert (lines[1]["data"][-1], lines[1]["data"][-2], lines[2]["data"][-2]) == (3, 1, 0)
    assert trends["currentPackageState"] == {"total_packages": 3, "packages_count": 3, "security_count": 1}
    assert len((await get(client, mine, "/dashboard/package-trends?days=7"))["chartData"]["labels"]) == 7


async def test_the_chart_draws_the_days_asked_for(as_admin: Browser, call: Call) -> None:
    await fleet(call)
    assert "The first sample is taken within half an hour" in await page(as_admin, "/")
    await board.sample(call)
    assert "The line begins tomorrow" in await page(as_admin, "/")
    await call.db.execute("insert into system_statistics select now() - interval '5 days', 1, 1, 9, 8, 7, 0, 0")
    for days in (7, 90):
        text = await page(as_admin, f"/?days={days}")
        assert text.count('class="trend-stop"') == days
        assert f'aria-current="true">{days} days' in text
    assert (await page(as_admin, "/?days=nonsense")).count('class="trend-stop"') == 30


async def test_the_days_of_one_host_come_from_its_reports(client: Browser, call: Call) -> None:
    north = await group(call, "north")
    inside = await add_host(call, "inside", packages=[("curl", "security"), ("bash", "")], group=north)
    outside = await add_host(call, "outside")
    await call.db.execute(
        "insert into host_activity (host_id, kind, packages, updates, security_updates, at)"
        " select id, 'full', 2, n, 1, now() - make_interval(days => n) from hosts, generate_series(0, 3) n"
    )
    mine = await program_of(call, await limited(call, north))
    trends = await get(client, mine, f"/dashboard/package-trends?days=3&hostId={inside}")
    assert trends["chartData"]["datasets"][1]["data"] == [2, 1, 0]
    assert trends["currentPackageState"] == {"total_packages": 2, "packages_count": 1, "security_count": 1}
    assert [one["friendly_name"] for one in trends["hosts"]] == ["inside"]
    for nobodys in (outside, "nonsense"):
        await get(client, mine, f"/dashboard/package-trends?hostId={nobodys}", 404)


@pytest.mark.proves("INV-164")
async def test_limited_people_see_numbers_of_their_hosts_only(client: Browser, call: Call) -> None:
    north = await group(call, "north")
    south = await group(call, "south")
    await fleet(call, north)
    await counters.refresh(call)
    await board.sample(call)
    user = await limited(call, north)
    await sign_in(client, user.username)
    text = await page(client, "/")
    numbers = {label: number for label, (number, _) in tiles(text).items()}
    assert numbers == {
        "Hosts": "2",
        "Need updates": "2",
        "Need security updates": "2",
        "Need a reboot": "1",
        "Not patched lately": "0",
        "Outdated packages": "2",
    }
    assert "only known of the whole fleet" in text
    assert "web-03" not in text
    assert "south" not in text
    mine = await program_of(call, user)
    stats = await get(client, mine, "/dashboard/stats")
    assert (stats["cards"]["totalHosts"], stats["cards"]["totalHostGroups"]) == (2, 1)
    assert (stats["trends"]["updateTrends"], "totalUsers" in stats["cards"]) == ([], False)
    trends = await get(client, mine, "/dashboard/package-trends")
    assert trends["chartData"]["labels"] == []
    assert trends["currentPackageState"] == {"total_packages": 3, "packages_count": 2, "security_count": 1}
    assert {one["name"] for one in await get(client, mine, "/dashboard/packages")} == {"curl", "vim"}
    reports = await get(client, mine, "/dashboard/recent-collection")
    assert {one["friendly_name"] for one in reports} == {"web-01", "web-02"}
    assert (await client.get(f"/?group={south}", headers=HTML)).status == 404


@pytest.mark.proves("A-23")
async def test_a_host_group_narrows_the_overview_and_stays_in_its_links(as_admin: Browser, call: Call) -> None:
    north, empty = await group(call, "north"), await group(call, "empty")
    await fleet(call, north)
    text = await page(as_admin, f"/?group={north}&days=7")
    assert tiles(text)["Hosts"] == ("2", f"/hosts?group={north}")
    assert tiles(text)["Need a reboot"] == ("1", f"/hosts?group={north}&filter=reboot")
    assert f"/?group={north}&amp;days=90" in text
    assert "No host is in the group empty." in await page(as_admin, f"/?group={empty}")
    assert (await as_admin.get("/?group=nonsense", headers=HTML)).status == 404


async def test_what_went_wrong_is_grouped_by_cause(as_admin: Browser, call: Call) -> None:
    await fleet(call)
    await call.db.execute(
        "insert into projects (digest, size, content, origin) values (repeat('0', 64), 0, '', 'built in')"
    )
    await call.db.execute(
        """
        with job as (insert into jobs (playbook, playbook_file, title, project_digest, check_mode, launched_by,
                                       launched_by_id, job_date, created_at, deadline_at)
                     values ('patch', 'patch.yml', 'Patch all', repeat('0', 64), false, 'ada', '1', now(), now(), now())
                     returning id)
        insert into job_hosts (job_id, host_id, host_name, status, reason, changing, finished_at)
        select job.id, h.id, h.friendly_name, s.status, s.reason, true, now() - make_interval(days => s.days)
          from job, hosts h,
               (values ('failed', 'no space left in /boot', 1), ('lost', '', 1), ('failed', 'long ago', 9))
               s(status, reason, days)
         where h.friendly_name in ('web-01', 'web-02', 'web-03', 'web-04')
        """
    )
    text = await page(as_admin, "/")
    wrong = text.split('aria-labelledby="panel-whatWentWrong"')[1].split("</section>")[0]
    assert wrong.count("4\N{MULTIPLICATION SIGN}") == 2
    assert "no space left in /boot" in wrong
    assert ">lost<" in wrong
    assert "and 1 more" in wrong
    assert "long ago" not in wrong


async def test_two_people_who_save_at_once_do_not_wait_for_each_other_and_one_person_twice_is_in_order(
    call: Call,
) -> None:
    users = [await acting(call, await person(call, "user")) for _ in range(2)]
    cards = [Placed(card.id, True, number, 1) for number, card in enumerate(CARDS)]
    await asyncio.gather(*(layouts.arrange(one, turn) for one in users for turn in (cards, cards[::-1])))
    assert await call.db.value("select count(*) from dashboard_cards") == 2 * len(CARDS)


async def test_only_what_a_permission_allows_is_on_the_overview(client: Browser, call: Call) -> None:
    await fleet(call)
    await role_with(call, "numbers", "can_view_dashboard")
    await sign_in(client, (await person(call, "numbers")).username)
    text = await page(client, "/")
    assert panels(text) == ["updateStatus", "osDistribution"]
    assert "Outdated packages" not in tiles(text)
    assert "web-0" not in text
    await put(client, {}, "/dashboard-preferences", {"preferences": [{"cardId": "recentJobs", "enabled": True}]})
    assert "recentJobs" not in panels(await page(client, "/"))


async def test_the_navigation_says_how_many_hosts_are_connected(as_admin: Browser, client: Browser, call: Call) -> None:
    north = await group(call, "north")
    await fleet(call, north)
    await call.db.execute("update hosts set last_connected_at = now() where friendly_name in ('web-01', 'web-04')")
    assert "2 connected, 3 offline" in await page(as_admin, "/settings/profile")
    await sign_in(client, (await limited(call, north)).username)
    assert "1 connected, 1 offline" in await page(client, "/settings/profile")


async def test_programs_read_who_signed_in_and_who_reported_last(client: Browser, call: Call) -> None:
    await fleet(call)
    known = await person(call, "superadmin")
    await sign_in(client, known.username)
    users = await get(client, {}, "/dashboard/recent-users")
    assert [one["username"] for one in users] == [known.username]
    reports = await get(client, {}, "/dashboard/recent-collection")
    assert reports[-1]["friendly_name"] == "web-04"
    assert len(reports) == 4
    await get(client, await bearer(call, "readonly"), "/dashboard/recent-users", 403)
