"""The demonstration fleet: as many as asked for, the same every time, never among real hosts, and gone again."""

import pytest

from server.core.call import Call
from server.demo import service
from server.demo.errors import RealHosts
from server.demo.patching import FAILURES
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.patching.verdicts import cause_of
from tests.conftest import Browser
from tests.factories.people import HTML

TABLES = ("hosts", "packages", "host_packages", "host_activity", "host_inventory", "host_groups", "repositories",
          "host_repositories", "jobs", "job_hosts", "job_events", "projects")  # fmt: skip


def quiet(_step: str, _done: int, _of: int) -> None:
    """Tell nobody."""


async def counts(call: Call) -> dict[str, int]:
    return {table: await call.db.value(f"select count(*) from {table}") for table in TABLES}


async def test_it_fills_what_was_asked_for_and_takes_it_out_again(call: Call) -> None:
    before = await counts(call)
    made = await service.fill(call, 200, 1, quiet)
    assert (made.hosts, made.packages, made.reports) == (200, 40_000, 6000)
    there = await counts(call)
    assert (there["hosts"], there["packages"], there["host_packages"]) == (200, 400, 40_000)
    assert await call.db.value("select count(distinct package_id) from host_packages") == 400
    assert there["job_events"] == made.events > 500
    await service.remove(call, quiet)
    assert await counts(call) == before


async def test_its_counts_are_those_of_its_rows(call: Call) -> None:
    await service.fill(call, 60, 3, quiet)
    wrong = await call.db.all(
        """
        select i.host_id
          from host_inventory i
         where (i.packages, i.updates, i.security_updates) is distinct from
               (select (count(*)::int, count(*) filter (where needs_update)::int,
                        count(*) filter (where is_security_update)::int)
                  from host_packages p where p.host_id = i.host_id)
            or i.repositories <> (select count(*) from host_repositories r where r.host_id = i.host_id)
        """
    )
    assert wrong == []
    # Some hosts are up to date, some are late, some are away: otherwise there is nothing to show.
    assert await call.db.value("select count(*) from host_inventory where updates = 0") > 0
    assert await call.db.value("select count(*) from host_inventory where security_updates > 3") > 0
    assert await call.db.value("select count(*) from hosts where last_disconnected_at > last_connected_at") > 0
    positions = await call.db.all(
        "select j.position, count(*) as events, max(e.position) as last, count(distinct e.position) as different "
        "from jobs j join job_events e on e.job_id = j.id group by j.id"
    )
    assert all(one["position"] == one["events"] == one["last"] == one["different"] for one in positions)


async def test_what_it_says_of_patching_is_what_its_runs_amount_to(call: Call) -> None:
    await service.fill(call, 400, 2, quiet)
    states = {row["status"] for row in await call.db.all("select distinct status from patch_runs")}
    assert {"completed", "failed", "validated", "scheduled"} <= states
    assert await call.db.value("select count(*) from patch_runs") > 200
    kept = await call.db.all("select * from host_patching order by host_id")
    assert 0 < len([row for row in kept if row["consecutive_failures"]]) < 40
    assert len(kept) < 400
    wrong = await call.db.all(
        """
        select f.host_id
          from host_patching f
         where f.last_run is not null and f.consecutive_failures <>
               (select count(*) from patch_runs r
                 where r.host_id = f.host_id and not r.dry_run and r.completed_at > f.last_success_at
                   and r.status in ('failed', 'timed_out', 'agent_disconnected'))
        """
    )
    assert wrong == []
    assert all(cause_of(status, error) == cause for status, error, cause, _ in FAILURES)
    assert await call.db.value("select count(*) from hosts where unfinished_packages <> '{}'") > 0
    await service.remove(call, quiet)
    assert await call.db.value("select count(*) from host_patching") == 0


async def test_the_same_seed_makes_the_same_fleet(call: Call) -> None:
    seen = []
    for seed in (5, 5, 6):
        await service.fill(call, 40, seed, quiet)
        seen.append(
            await call.db.column(
                "select h.friendly_name || ' ' || h.uuid || ' ' || p.name || ' ' || hp.current_version from hosts h "
                "join host_packages hp on hp.host_id = h.id join packages p on p.id = hp.package_id order by 1"
            )
        )
    assert seen[0] == seen[1] != seen[2]


async def test_it_refuses_to_stand_among_real_hosts(call: Call) -> None:
    await hosts.create(call, NewHost("web-01"))
    with pytest.raises(RealHosts, match="1 host that the demonstration did not make"):
        await service.fill(call, 5, 1, quiet)
    assert await call.db.column("select friendly_name from hosts") == ["web-01"]


async def test_a_host_that_came_later_stays_when_the_fleet_goes(call: Call) -> None:
    await service.fill(call, 20, 1, quiet)
    created = await hosts.create(call, NewHost("web-01"))
    await call.db.execute(
        "insert into host_packages (host_id, package_id, fingerprint, last_checked) "
        "select h.id, p.id, 1, now() from hosts h, packages p where h.friendly_name = 'web-01' and p.name = 'openssl'"
    )
    await service.remove(call, quiet)
    assert created is not None
    assert await call.db.column("select friendly_name from hosts") == ["web-01"]
    assert await call.db.column("select name from packages") == ["openssl"]


async def test_nothing_can_sign_in_as_one_of_its_hosts(call: Call, client: Browser) -> None:
    await service.fill(call, 3, 1, quiet)
    for key in ("", "x"):
        answer = await client.post("/api/v1/hosts/ping", headers={"X-API-ID": "demo_000001", "X-API-KEY": key}, json={})
        assert answer.status == 401


async def test_the_pages_can_show_it(call: Call, as_admin: Browser) -> None:
    await service.fill(call, 30, 1, quiet)
    uuid, job = (
        await call.db.value("select uuid from hosts limit 1"),
        await call.db.value("select uuid from jobs limit 1"),
    )
    for path in ("/", "/hosts", "/jobs", f"/hosts/{uuid}", f"/hosts/{uuid}/packages", f"/hosts/{uuid}/repositories",
                 f"/hosts/{uuid}/system", f"/hosts/{uuid}/network", f"/hosts/{uuid}/jobs", f"/jobs/{job}"):  # fmt: skip
        answer = await as_admin.get(path, headers=HTML)
        assert answer.status == 200, path
        if path.startswith("/jobs/"):
            assert "Upgrade packages" in await answer.text()


async def test_what_was_begun_and_could_not_be_ended_is_taken_back(call: Call) -> None:
    before = await counts(call)

    def stumble(step: str, _done: int, _of: int) -> None:
        if step.startswith("Jobs"):
            raise RuntimeError(step)

    with pytest.raises(RuntimeError):
        await service.fill(call, 20, 1, stumble)
    assert await counts(call) == before
