"""Reading compliance, and what other rooms and the doors call."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from server.channel import service as channel
from server.compliance import guides, projection, rules, running, setup, storing
from server.compliance.content import Content
from server.compliance.errors import BadRequest, NoArf, RuleMissing, ScanMissing
from server.compliance.models import SEVERITIES, Sought, Target, Task, Verdicts
from server.compliance.queries import board, scans, tasks
from server.compliance.queries import waivers as waiver_rows
from server.core.call import Call
from server.core.ids import HostId
from server.core.loop import in_thread
from server.hosts import service as hosts

Facts = dict[str, Any]

target = running.target
targets = running.targets
trigger = running.trigger
trigger_many = running.trigger_many
cancel = running.cancel
clean_up = running.clean_up
release_due = running.release_due
store = storing.store
sweep = projection.sweep
fold = projection.fold
install = setup.install
cancel_install = setup.cancel_install
upgrade = setup.upgrade
remediate = setup.remediate
last_task = setup.last

_WORST_HOSTS = 10
_TOP_RULES = 10
_MOST_DAYS = 365


@dataclass(frozen=True, slots=True)
class Board:
    """The fleet's overview.

    Attributes:
        summary: counts as the API names them; ``failed_by`` follows ``SEVERITIES``, ``scores`` is in fifths.
        sections: of Docker Bench, warnings by section.
    """

    kind: str
    summary: Facts
    verdicts: Verdicts
    kinds: dict[str, int]
    scans: int
    sections: list[Facts]
    top: list[Facts]
    worst: list[Facts]

    @property
    def severities(self) -> list[tuple[str, int]]:
        """Failed rules by severity."""
        return list(zip(SEVERITIES, self.summary["failed_by"], strict=True))


async def fleet(call: Call, kind: str = "") -> Board:
    """Return the overview, of all scans or of one scanner's."""
    scope = call.actor.scope
    found = await board.summary(call.db, scope, kind, call.now)
    sections = await board.list_sections(call.db, scope, "docker-bench") if kind != "openscap" else []
    return Board(
        kind=kind,
        summary=found,
        verdicts=await board.count_verdicts(call.db, scope),
        kinds=await board.count_kinds(call.db, scope),
        scans=await board.count_scans(call.db, scope),
        sections=sections,
        top=await board.list_rules(call.db, scope, Sought(kind=kind, status="fail", limit=_TOP_RULES)),
        worst=await board.list_worst(call.db, scope, kind, _WORST_HOSTS),
    )


async def verdicts(call: Call) -> Verdicts:
    """Return how many hosts stand how."""
    return await board.count_verdicts(call.db, call.actor.scope)


async def active(call: Call) -> list[Facts]:
    """Return the scans that run, with whether their hosts are connected."""
    return await _connected(call, await scans.list_running(call.db, call.actor.scope))


async def stalled(call: Call) -> list[Facts]:
    """Return the scans that run for more than three hours."""
    before = call.now - rules.STALLED_AFTER
    return await _connected(call, await scans.list_running(call.db, call.actor.scope, before))


async def waiting(call: Call) -> list[Facts]:
    """Return hosts that were asked to scan and did not begin."""
    return await scans.list_waiting(call.db, call.actor.scope)


async def _connected(call: Call, rows: list[Facts]) -> list[Facts]:
    online = await channel.online(call, sorted({HostId(row["host_key"]) for row in rows})) if rows else {}
    return [{**row, "connected": row["host_key"] in online} for row in rows]


async def history(call: Call, sought: Sought) -> tuple[list[Facts], int]:
    """Return one page of scans, newest first, and how many match."""
    found = await scans.list_history(call.db, call.actor.scope, sought)
    return found, await scans.count_history(call.db, call.actor.scope, sought)


async def latest(call: Call, host: str) -> list[Facts]:
    """Return a host's newest completed scan by each scanner; raises ``HostMissing``."""
    one = await running.target(call, host)
    return await scans.list_latest(call.db, call.actor.scope, one.uuid)


async def scan(call: Call, uuid: str) -> Facts:
    """Return one scan; raises ``ScanMissing``."""
    found = await scans.find_scan(call.db, call.actor.scope, uuid)
    if found is None:
        raise ScanMissing
    return found


async def results(call: Call, uuid: str, sought: Sought) -> tuple[list[Facts], int]:
    """Return one page of what a scan found, and how many rules match; raises ``ScanMissing``."""
    found = await scan(call, uuid)
    asked = replace(sought, status=rules.LETTERS.get(sought.status, ""))
    rows = await scans.list_results(call.db, call.actor.scope, found["id"], asked)
    return rows, await scans.count_results(call.db, call.actor.scope, found["id"], asked)


async def arf(call: Call, uuid: str) -> bytes:
    """Return the scanner's own result of a scan, packed with gzip; raises ``ScanMissing`` or ``NoArf``."""
    await scan(call, uuid)
    found = await scans.find_arf(call.db, call.actor.scope, uuid)
    packed = await in_thread(rules.arf_of, found) if found is not None else None
    if packed is None:
        raise NoArf
    return packed


async def breakdown(call: Call, uuid: str) -> list[Facts]:
    """Return how the rules of a scan stand, by severity, section and letter."""
    return await scans.count_by_severity(call.db, call.actor.scope, uuid)


async def trend(call: Call, host: str, days: int) -> list[Facts]:
    """Return the scores of a host in the last days; raises ``BadRequest`` or ``HostMissing``."""
    if not 1 <= days <= _MOST_DAYS:
        raise BadRequest.of({"days": f"days must be between 1 and {_MOST_DAYS}"})
    one = await running.target(call, host)
    return await scans.list_trend(call.db, call.actor.scope, one.uuid, call.now - timedelta(days=days))


async def rule_list(call: Call, sought: Sought) -> tuple[list[Facts], int]:
    """Return one page of rules with on how many hosts each stands how, and how many match."""
    found = await board.list_rules(call.db, call.actor.scope, sought)
    if found:
        return found, found[0]["matching"]
    return found, await board.count_rules(call.db, call.actor.scope, sought) if sought.offset else 0


@dataclass(frozen=True, slots=True)
class RuleBoard:
    """A rule over the fleet: its words, hosts by letter, one page of hosts, and on how many a failure is waived."""

    rule: Facts
    counts: dict[str, int]
    hosts: list[Facts]
    total: int
    waived: int


async def known_rule(call: Call, name: str) -> Facts:
    """Return a rule's words by UUID or reference; raises ``RuleMissing``."""
    found = await board.find_rule(call.db, name)
    if found is None:
        raise RuleMissing
    scope = call.actor.scope
    if scope is not None and not await board.count_rule(call.db, scope, found["key"]):
        # It is known of other hosts only.
        raise RuleMissing
    return found


async def rule(call: Call, name: str, sought: Sought) -> RuleBoard:
    """Return a rule by UUID or reference; raises ``RuleMissing``."""
    found = await known_rule(call, name)
    counts = await board.count_rule(call.db, call.actor.scope, found["key"])
    asked = replace(sought, status=rules.LETTERS.get(sought.status, ""))
    hosts = await board.list_affected(call.db, call.actor.scope, found["key"], asked)
    total = counts.get(asked.status, 0) if asked.status else sum(counts.values())
    waived = await waiver_rows.count_waived(call.db, call.actor.scope, found["key"])
    return RuleBoard(found, counts, hosts, total, waived)


async def host_list(call: Call, sought: Sought) -> tuple[list[Facts], int]:
    """Return one page of hosts as the Hosts tab shows them, and how many match."""
    found = await board.list_hosts(call.db, call.actor.scope, sought)
    online = await channel.online(call, [HostId(row["key"]) for row in found]) if found else {}
    rows = [{**row, "connected": row["key"] in online} for row in found]
    return rows, await board.count_hosts(call.db, call.actor.scope, sought)


async def content_here(call: Call) -> Content:
    """Return the scanner content that this server hands out."""
    return await guides.content_here(call)


async def choose_profile(call: Call, host: str, profile: str | None) -> None:
    """Choose a host's profile of scans that name none; raises ``HostMissing``, ``BadRequest`` or ``NeedsOurAgent``."""
    one = await running.target(call, host)
    if profile and not rules.PROFILE.fullmatch(profile):
        raise BadRequest.of({"profile_id": "profile_id may hold letters, digits, underscores, dots and dashes"})
    if refused := (await guides.refused_by(call, [one], profile)).get(one.id) if profile else None:
        raise refused
    await hosts.edit(call, one.uuid, {"compliance_default_profile_id": profile})


async def tasks_of(call: Call, one: Target, limit: int = 20) -> list[Task]:
    """Return what a host was asked to do, newest first."""
    return await tasks.list_last(call.db, one.id, limit)


async def is_connected(call: Call, one: Target) -> bool:
    """Tell whether a host's agent has a link."""
    return HostId(one.id) in await channel.online(call, [HostId(one.id)])


def is_old(completed_at: datetime, now: datetime) -> bool:
    """Tell whether a scan is older than a week."""
    return now - completed_at > timedelta(days=7)
