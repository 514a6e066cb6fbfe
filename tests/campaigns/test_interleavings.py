"""Whatever operators, schedulers, workers, agents and crashes do, and when: nothing is done twice or too early."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.automation import service as automation
from server.campaigns import advancing, service
from server.campaigns.errors import NothingToRelaunch, NotNow
from server.campaigns.models import NewCampaign, Plan, Share, Targets
from server.core import clock
from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.patching import projection

SOAK: Final = timedelta(minutes=10)
HELD: Final = {"paused", "stopped", "abandoned"}
#: Those that stand here more often happen more often.
ACTIONS: Final = st.sampled_from(
    [
        *[("wave", "succeeded")] * 5, *[("wave", "failed")] * 2,
        *[("operator", verb) for verb in ("pause", "resume", "resume", "resume", "relaunch", "relaunch", "approve")],
        *[("tick", ticks) for ticks in (1, 2, 3)], *[("crash", after) for after in (0, 3, 9, 20, 35, 60)],
        ("worker", 1), ("take", 0), ("take", 1), ("end", (0, "succeeded")), ("end", (1, "failed")),
        ("later", 1), ("later", 9), ("later", 11),
    ]
)  # fmt: skip


@dataclass
class Play:
    """One campaign over four hosts in three waves, and the stage it is on."""

    call: Call
    id: str = ""
    later: timedelta = timedelta()
    seen: set[str] = field(default_factory=set)

    @property
    def now(self) -> Call:
        return replace(self.call, now=clock.now() + self.later)

    async def begin(self, *, approve_first: bool) -> None:
        made = [(await hosts.create(self.call, NewHost(f"host {n}"))).uuid for n in range(4)]
        plan = Plan(waves=(Share(hosts=1), Share(percent=50)), soak_minutes=10, max_failure_percent=0)
        wanted = NewCampaign("Play", plan, Targets(tuple(made)), approve_first=approve_first)
        self.id = (await service.create(self.call, wanted))["id"]

    async def act(self, kind: str, what: Any) -> None:
        if kind == "operator":
            try:
                await getattr(service, what)(self.now, self.id)
            except (NotNow, NothingToRelaunch):
                return
        elif kind == "tick":
            await asyncio.gather(*(advancing.advance(self.now, self.id) for _ in range(what)))
        elif kind == "crash":
            dying = asyncio.get_running_loop().create_task(advancing.advance(self.now, self.id))
            for _ in range(what):
                await asyncio.sleep(0)
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
        elif kind == "worker":
            await projection.sweep(self.now)
        elif kind == "wave":
            await self.wave(what)
        elif kind == "later":
            self.later += timedelta(minutes=what)
        else:
            await self.agent(kind, what)

    async def wave(self, ending: str) -> None:
        """Everything goes on as far as it can: agents take and end what waits, the last of them like this."""
        for _ in range(3):
            await self.agent("take", 0)
            await self.agent("end", (0, "succeeded"))
        await self.agent("take", 0)
        await self.agent("end", (0, ending))
        await projection.sweep(self.now)
        await advancing.advance(self.now, self.id)
        self.later += SOAK + timedelta(minutes=1)
        await advancing.advance(self.now, self.id)

    async def agent(self, kind: str, what: Any) -> None:
        """What agents do to job hosts: take one that waits, end one that runs."""
        place, ending = (what, "running") if kind == "take" else what
        await self.call.db.execute(
            """
            update job_hosts set status = %(ending)s, started_at = coalesce(started_at, now()),
                                 finished_at = case when %(ending)s = 'running' then null else now() end
             where id = (select h.id from job_hosts h
                           join patch_runs r on r.job_host = h.uuid
                           join campaign_hosts m on m.campaign_id = %(id)s and r.host_id = m.host_id
                          where h.status = %(before)s order by h.id offset %(place)s limit 1)
            """,
            id=self.id, ending=ending, before="queued" if kind == "take" else "running", place=place,
        )  # fmt: skip

    async def runs(self) -> list[dict[str, Any]]:
        return await self.call.db.all(
            """
            select r.id, r.status, m.wave, m.host_name, h.status as job_status
              from campaign_hosts m
              join patch_runs r on r.host_id = m.host_id
              join job_hosts h on h.uuid = r.job_host
             where m.campaign_id = %(id)s
             order by r.created_at, r.id
            """,
            id=self.id,
        )

    async def check(self, paused_before: bool) -> None:
        found = await service.fetch(self.now, self.id)
        runs = await self.runs()
        for name in {run["host_name"] for run in runs}:
            of_host = [run["job_status"] for run in runs if run["host_name"] == name]
            alive = [status for status in of_host if status in {"queued", "dispatched", "running"}]
            assert len(alive) <= 1, "two runs of one host are open"
            assert of_host.count("succeeded") <= 1, "a host was patched twice"
            assert "succeeded" not in of_host or not alive, "a host that succeeded got another run"
        fresh = [run for run in runs if run["id"] not in self.seen]
        self.seen |= {run["id"] for run in runs}
        if fresh:
            assert not (paused_before and found["status"] in HELD), "something began in spite of the pause"
            self.check_gate(found, max(run["wave"] for run in fresh))
        bound = await self.call.db.column(
            "select run_id from campaign_hosts where campaign_id = %(id)s and run_id is not null", id=self.id
        )
        open_runs = {run["id"] for run in runs if run["job_status"] in {"queued", "dispatched", "running"}}
        assert open_runs <= set(bound), "a run is under way that no host of the campaign stands for"

    def check_gate(self, found: dict[str, Any], wave: int) -> None:
        for before in found["wave_list"][: wave - 1]:
            waits = {"waiting", "queued", "running"} & before["counts"].keys()
            assert not waits, f"wave {wave} began while hosts of wave {before['number']} were not done"
            bad = sum(before["counts"].get(state, 0) for state in ("failed", "cancelled"))
            assert bad <= before["forgiven"], f"wave {wave} began although wave {before['number']} failed"
            began = found["wave_list"][wave - 1]["started_at"]
            rewound = began < before["finished_at"]
            assert rewound or began >= before["finished_at"] + SOAK, "a wave did not wait for the one before to soak"


@pytest.mark.timeout(180)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.booleans(), st.lists(ACTIONS, min_size=8, max_size=25), st.booleans())
async def test_no_host_is_patched_twice_no_wave_begins_early_and_a_pause_holds(
    call: Call,
    approve_first: bool,
    actions: list[tuple[str, Any]],
    given_up: bool,
) -> None:
    await automation.publish_builtin(call)
    play = Play(call)
    await play.begin(approve_first=approve_first)
    await play.check(paused_before=False)
    for kind, what in [*actions, *([("operator", "abandon")] if given_up else [])]:
        held = (await service.fetch(play.now, play.id))["status"] in HELD
        await play.act(kind, what)
        await play.check(paused_before=held)
    # Left alone it comes to rest: whoever holds back has nothing left that waits for a host.
    await projection.sweep(play.now)
    await advancing.advance(play.now, play.id)
    found = await service.fetch(play.now, play.id)
    if found["status"] in HELD:
        assert "queued" not in [run["job_status"] for run in await play.runs()]
