"""Whatever operators, scheduler, workers, agents and crashes do, and when: no run begins twice, and no deleted one."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.automation import service as automation
from server.core.call import Call
from server.core.errors import Problem
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.patching import policies, projection, schedule, service
from server.patching.models import Policy, Wanted, Work

OVER: Final = {"completed", "failed", "cancelled", "dry_run_completed", "approved"}
OPEN: Final = {"queued", "dispatched", "running"}
PLACES: Final = (0, 1, 2, 3)
#: Those that stand here more often happen more often.
ACTIONS: Final = st.sampled_from(
    [
        *[("operator", (verb, place)) for verb in ("approve", "delete", "retry", "stop") for place in PLACES],
        *[("together", (verbs, place)) for verbs in ("approve approve", "approve delete", "delete retry", "due delete")
          for place in PLACES],
        *[("due", times) for times in (1, 2, 3)], *[("crash", after) for after in (0, 3, 9, 20, 35, 60)],
        *[("take", place) for place in (0, 0, 0, 1, 1)], ("take delete", 0), ("take retry", 1),
        *[("end", (place, ending)) for place in (0, 1) for ending in ("succeeded", "succeeded", "failed", "lost")],
        *[("sweep", 1)] * 3,
    ]
)  # fmt: skip


@dataclass
class Play:
    """One run of every kind on one host that may begin them all, and what was seen of them."""

    call: Call
    #: The run of each hand on the host, also when it got another one or is deleted.
    hands: dict[str, str] = field(default_factory=dict)
    #: Which run another one was approved from; itself when from none.
    roots: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    async def begin(self) -> None:
        host = (await hosts.create(self.call, NewHost("host"))).uuid
        everything = Work("patch_all")
        await service.trigger(self.call, Wanted(everything, (host,), submit=True))
        await service.trigger(self.call, Wanted(Work("patch_package", ("curl",), dry_run=True), (host,)))
        later = await policies.create(self.call, Policy("", "Later", "delayed", delay_minutes=60))
        await policies.assign(self.call, later["id"], "host", host)
        await service.trigger(self.call, Wanted(everything, (host,)))
        await service.trigger(self.call, Wanted(everything, (host,), immediately=True))

    async def act(self, kind: str, what: Any) -> None:
        if kind == "operator":
            await self.operator(*what)
        elif kind == "together":
            verbs, place = what
            await asyncio.gather(*(self.operator(verb, place) for verb in verbs.split()))
        elif kind == "due":
            await self.due(what)
        elif kind == "crash":
            await self.call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour'")
            dying = asyncio.get_running_loop().create_task(schedule.release_due(self.call))
            for _ in range(what):
                await asyncio.sleep(0)
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
        elif kind == "sweep":
            await projection.sweep(self.call)
        elif kind == "end":
            await self.agent("running", *what)
        else:
            await asyncio.gather(
                self.agent("queued", what, "running"), *(self.operator(verb, what) for verb in kind.split()[1:])
            )

    async def due(self, servers: int) -> None:
        await self.call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour'")
        await asyncio.gather(*(schedule.release_due(self.call) for _ in range(servers)))

    async def operator(self, verb: str, place: int) -> None:
        if verb == "due":
            return await self.due(1)
        known = [run["id"] for run in await self.runs()][place : place + 1]
        for run in known:
            try:
                await getattr(service, verb)(self.call, run)
            except Problem:
                # Refused, as it should be in most states; what must hold is looked at afterwards.
                continue
        return None

    async def agent(self, before: str, place: int, ending: str) -> None:
        """What an agent does to job hosts: take one that waits, end one that runs."""
        await self.call.db.execute(
            """
            update job_hosts set status = %(ending)s, started_at = coalesce(started_at, now()),
                                 finished_at = case when %(ending)s = 'running' then null else now() end
             where id = (select id from job_hosts where status = %(before)s order by id offset %(place)s limit 1
                            for update)
               and status = %(before)s
            """,
            ending=ending, before=before, place=place,
        )  # fmt: skip

    async def runs(self) -> list[dict[str, Any]]:
        return await self.call.db.all(
            "select id, status, job_host, validation_run_id from patch_runs order by created_at, id"
        )

    async def check(self) -> None:
        runs = await self.runs()
        for run in runs:
            self.roots.setdefault(run["id"], self.roots.get(run["validation_run_id"], run["id"]))
            if run["job_host"] is not None:
                assert self.hands.setdefault(run["job_host"], run["id"]) == run["id"], "two runs have one hand"
            assert self.ended.get(run["id"], run["status"]) == run["status"], "what was over went on"
            if run["status"] in OVER:
                self.ended[run["id"]] = run["status"]
        approved = [run["validation_run_id"] for run in runs if run["validation_run_id"] is not None]
        assert len(approved) == len(set(approved)), "a run was approved twice"
        there = await self.call.db.all(
            """
            select h.uuid, h.status, h.started_at is not null as began, j.check_mode
              from job_hosts h join jobs j on j.id = h.job_id
            """
        )
        # A run may get another hand and be deleted before anybody looks; then nothing of it may be left.
        lost = [hand for hand in there if hand["uuid"] not in self.hands]
        assert {hand["status"] for hand in lost} <= {"cancelled"}, "something waits that no run stands for"
        assert not any(hand["began"] for hand in lost), "something runs that no run stands for"
        there = [hand for hand in there if hand not in lost]
        self.check_hands(there, {run["id"]: run for run in runs})

    def check_hands(self, there: list[dict[str, Any]], runs: dict[str, dict[str, Any]]) -> None:
        began = [self.hands[hand["uuid"]] for hand in there if hand["began"]]
        assert len(began) == len(set(began)), "a run began twice"
        changed = [self.roots[self.hands[hand["uuid"]]] for hand in there if hand["began"] and not hand["check_mode"]]
        assert len(changed) == len(set(changed)), "what was asked for once was done twice"
        for hand in there:
            run = runs.get(self.hands[hand["uuid"]])
            if run is None:
                # A dry run that is decided upon may be deleted although it ran, or still runs.
                assert hand["check_mode"] or not hand["began"], "a deleted run began"
                assert hand["began"] or hand["status"] == "cancelled", "a deleted run still waits for its host"
            elif hand["status"] in OPEN:
                assert run["job_host"] == hand["uuid"], "a run has two hands"


@pytest.mark.timeout(60)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(ACTIONS, min_size=8, max_size=25))
async def test_no_run_begins_twice_no_deleted_one_begins_and_what_is_over_stays_over(
    call: Call, actions: list[tuple[str, Any]]
) -> None:
    await automation.publish_builtin(call)
    await call.db.execute("truncate hosts, jobs, patch_policies cascade")
    play = Play(call)
    await play.begin()
    await play.check()
    for kind, what in actions:
        await play.act(kind, what)
        await play.check()
    # Left alone everything comes to rest, whatever happened: only what people must decide still waits.
    for _ in range(6):
        await play.due(1)
        await play.agent("queued", 0, "running")
        await play.agent("running", 0, "succeeded")
        await projection.sweep(call)
        await play.check()
    waiting = {run["status"] for run in await play.runs()}
    assert waiting <= OVER | {"pending_approval", "validated", "agent_disconnected"}, waiting
