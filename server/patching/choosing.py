"""What the wizard shows: hosts to choose from, those that are chosen, and how their dry runs went."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

from server.channel import service as channel
from server.core.call import Call
from server.core.ids import is_uuid
from server.patching import planning, rules, service
from server.patching.models import DEFAULT, RunOptions, Started, Status, Target, Wanted, Work
from server.patching.queries import progress
from server.patching.queries import wizard as rows

#: So many hosts stand on one page; the others are counted, or found by their names.
SHOWN: Final = 100
_MOST: Final = 50_000
#: What was printed is shown of so few runs at once.
_OUTPUTS: Final = 5
_LETTERS: Final = 64 * 1024
_EXCERPT_LINES: Final = 12
_EXCERPT_BYTES: Final = 1024**2

#: A dry run that waits or is under way.
ALIVE: Final = frozenset({Status.PENDING_VALIDATION, Status.RUNNING, Status.QUEUED})
_ORDER: Final = (*rules.FAILED_KINDS, Status.RUNNING, Status.PENDING_VALIDATION, Status.VALIDATED)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that can be chosen.

    Attributes:
        updates: ``None`` while it has not reported.
        behind: the packages asked for, with the versions that wait.
    """

    uuid: str
    name: str
    online: bool
    updates: int | None
    security: int
    behind: list[str]


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen.

    Attributes:
        total: hosts there are; more: not all that were looked for are in ``hosts``.
        groups: id, name, colour, and how many of its hosts can be chosen.
    """

    hosts: list[Candidate]
    groups: list[tuple[str, str, str, int]]
    total: int
    more: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """The hosts that were chosen; ``windows``: how many are left out because Windows updates itself."""

    targets: list[Target]
    windows: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What will happen to a host.

    Attributes:
        due_at: ``None`` is at once; ``overridden``: although the policy says otherwise.
        options: all said; notes: what of it is not what was asked for, in sentences.
    """

    target: Target
    policy: str
    due_at: datetime | None
    overridden: bool
    options: RunOptions
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class When:
    """Hosts that begin at the same time for the same reason."""

    policy: str
    due_at: datetime | None
    overridden: bool
    hosts: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """How a host's dry run stands, or a run that waits for approval.

    Attributes:
        changes: how many packages would change; ``packages`` are they as rows of name, from, to, requested.
        output: everything it printed, ``cut`` when that is only its end; while it runs the last lines.
    """

    run: str
    target: Target
    status: Status
    dry_run: bool
    work: Work
    extra_deps: bool
    error: str
    changes: int
    packages: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""
    cut: bool = False

    @property
    def alive(self) -> bool:
        """Whether its state will change by itself."""
        return self.status in ALIVE

    @property
    def failed(self) -> bool:
        """Whether it ended without a plan."""
        return self.status in {*rules.FAILED_KINDS, Status.CANCELLED}


async def offer(
    call: Call, names: Sequence[str], find: str, chosen: Sequence[str], chosen_groups: Sequence[str]
) -> Offer:
    """Return hosts and groups to choose from: those that are chosen and those with these words in their name.

    With names of packages only hosts where one of them is behind.
    """
    scope = call.actor.scope
    kept = [one for one in chosen if is_uuid(one)]
    found = await rows.list_candidates(call.db, scope, names, find, kept, SHOWN + len(kept) + 1)
    shown = found[: SHOWN + len(kept)]
    online = await channel.online(call, [row["id"] for row in shown])
    groups = await rows.list_groups(call.db, scope, names)
    return Offer(
        [
            Candidate(row["uuid"], row["name"], row["id"] in online, row["updates"], row["security"], row["behind"])
            for row in shown
        ],
        [
            (row["uuid"], row["name"], row["color"], row["hosts"])
            for row in groups
            if find.lower() in row["name"].lower() or row["uuid"] in chosen_groups
        ],
        await rows.count_candidates(call.db, scope, names),
        more=len(found) > len(shown),
    )


async def chosen(
    call: Call, names: Sequence[str], hosts: Sequence[str], groups: Sequence[str], *, everywhere: bool
) -> Chosen:
    """Return the hosts behind a choice as it stands now; what does not exist or is out of sight is not in it."""
    uuids, group_uuids = ([one for one in some if is_uuid(one)] for some in (hosts, groups))
    found = await rows.list_chosen(call.db, call.actor.scope, names, uuids, group_uuids, _MOST, everywhere=everywhere)
    targets = [
        Target(row["id"], row["uuid"], row["name"], row["reboot_exempt"], row["hold_patterns"])
        for row in found
        if not row["windows"]
    ]
    return Chosen(targets, len(found) - len(targets))


async def planned(
    call: Call, works: Sequence[tuple[Target, Work]], *, immediately: bool, at_once: Sequence[str]
) -> list[Planned]:
    """Return what will happen to each host and when, if it were triggered or approved now."""
    policies = await planning.policies(call.db, call, [target.id for target, _ in works])
    found = []
    for target, work in works:
        policy = policies.get(target.id, DEFAULT)
        whole, notes = rules.work_for(work, policy, target)
        due_at = rules.run_at(policy, call.now)
        soon = due_at is not None and (immediately or target.uuid in at_once)
        found.append(Planned(target, policy.name, None if soon else due_at, soon, whole.options, notes))
    return found


def together(found: Sequence[Planned]) -> list[When]:
    """Return the hosts by when they begin, the soonest first."""
    hosts: dict[tuple[str, datetime | None, bool], list[Target]] = {}
    for one in found:
        hosts.setdefault((one.policy, one.due_at, one.overridden), []).append(one.target)
    groups = [When(*key, tuple(some)) for key, some in hosts.items()]
    return sorted(groups, key=lambda when: (when.due_at is not None, when.due_at or 0, when.policy))


async def tried(call: Call, batches: Sequence[str], without: Sequence[str] = ()) -> list[Tried]:
    """Return the newest dry run of each host of these batches, except for hosts that were left out meanwhile."""
    found = await rows.list_tried(call.db, call.actor.scope, [one for one in batches if is_uuid(one)])
    return [one for one in map(_tried, found) if one.target.uuid not in without]


async def to_approve(call: Call, runs: Sequence[str]) -> list[Tried]:
    """Return these runs, whatever their states are."""
    found = await rows.list_by_ids(call.db, call.actor.scope, [one for one in runs if is_uuid(one)])
    return [_tried(row) for row in found]


def _tried(row: dict[str, Any]) -> Tried:
    options = RunOptions(
        **{one.name: row[one.name] for one in fields(RunOptions) if not one.name.endswith("patterns")},
        hold_patterns=tuple(row["hold_patterns"]),
        allow_patterns=tuple(row["allow_patterns"]),
    )
    target = Target(row["host_id"], row["host"], row["name"], row["reboot_exempt"], row["patch_hold_patterns"])
    return Tried(
        run=row["run"],
        target=target,
        status=Status(row["status"]),
        dry_run=row["dry_run"],
        work=Work(row["patch_type"], tuple(row["package_names"]), row["dry_run"], options),
        extra_deps=row["extra_deps"],
        error=row["error"],
        changes=row["changes"],
    )


async def try_again(call: Call, runs: Sequence[str]) -> list[Started]:
    """Queue those that have not begun once more; make new dry runs of those that are over, which are returned."""
    found = await to_approve(call, runs)
    for one in found:
        if one.status == Status.PENDING_VALIDATION:
            await service.retry(call, one.run)
    over = [one for one in found if one.failed]
    made: list[Started] = []
    for work in dict.fromkeys(one.work for one in over):
        hosts = tuple(one.target.uuid for one in over if one.work == work)
        made += await service.trigger(call, Wanted(work, hosts))
    return made


def counts(found: Sequence[Tried]) -> dict[Status, int]:
    """Return how many are in each state."""
    return dict(Counter(one.status for one in found))


async def shown(call: Call, found: Sequence[Tried]) -> list[Tried]:
    """Return those that fit on a page with what they would change: what needs attention first."""
    order = {status: place for place, status in enumerate(_ORDER)}
    first = sorted(found, key=lambda one: (order.get(one.status, len(order)), one.target.name.lower()))[:SHOWN]
    letters = _LETTERS if len(first) <= _OUTPUTS else 0
    speaking = [one.run for one in first if one.status == Status.RUNNING][:_OUTPUTS]
    plans = await rows.list_plans(
        call.db,
        call.actor.scope,
        [one.run for one in first if not one.alive],
        letters,
    )
    by_run = {row["run"]: row for row in plans}
    live = {run: await _excerpt(call, run) for run in speaking}
    return [_with_plan(one, by_run.get(one.run), live.get(one.run, "")) for one in first]


async def _excerpt(call: Call, run: str) -> str:
    text = await progress.fetch_output(call.db, call.actor.scope, run, _EXCERPT_BYTES)
    return "\n".join(text.replace("\r", "\n").rstrip("\n").splitlines()[-_EXCERPT_LINES:])


def _with_plan(one: Tried, plan: dict[str, Any] | None, live: str) -> Tried:
    if plan is None:
        return replace(one, output=live)
    return replace(one, packages=plan["packages"], output=plan["output"], cut=plan["cut"])
