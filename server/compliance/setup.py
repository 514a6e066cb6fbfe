"""Having hosts install the scanner, take newer content, and remediate rules."""

from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.errors import PlaybookMissing
from server.automation.models import Order, Variables
from server.channel import service as channel
from server.compliance import guides, rules, running
from server.compliance.errors import (
    AgentAway,
    BadRequest,
    BenchRule,
    CannotYet,
    NoContent,
    RuleMissing,
    TaskUnderWay,
    UnderWay,
)
from server.compliance.events import ComplianceChanged
from server.compliance.models import Origin, Target, Task, TaskKind
from server.compliance.queries import board, tasks
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Tx
from server.core.ids import HostId

INSTALL: Final = "compliance_scanner"
REMEDIATE: Final = "compliance_remediate"
_WORDS: Final[dict[TaskKind, str]] = {
    "install": "Installing the scanner",
    "upgrade": "Upgrading the scanner's content",
    "remediate": "A remediation",
    "scan": "A scan",
}
_FIRST_AT_ONCE: Final = 200


async def install(call: Call, host: str) -> str:
    """Have a host install what scans need; return the task. A host that is away does it when it returns."""
    one = await running.target(call, host)
    return await _begin(call, one, "install", INSTALL, {"compliance_scanner_action": "install"})


async def install_first(call: Call) -> int:
    """Have hosts install the scanner on which OpenSCAP scans were switched on for the first time; return how many.

    Existing agents do so by themselves. One that failed or was cancelled is not repeated: people see why, and ask.
    """
    async with call.transaction(long=True) as tx:
        some = await tasks.list_unprepared(tx, _FIRST_AT_ONCE)
        made = await tasks.insert_tasks(tx, [_row(one, "install", "scheduled", "schedule") for one in some], call.now)
        if not made:
            return 0
        hosts = [one for one in some if one.id in made]
        order = Order(
            INSTALL,
            hosts=tuple(one.uuid for one in hosts),
            variables={"compliance_scanner_action": "install"},
            title=_WORDS["install"],
        )
        await tasks.bind_job(tx, await _launch(tx, call, order, "schedule"), list(made.values()))
        first = hosts[0]
        one_host = Subject("host", first.uuid, first.name)
        subject = Subject("compliance", "", "First installation") if hosts[1:] else one_host
        detail = {"hosts": [one.name for one in hosts[:20]], "host_count": len(hosts)}
        await audit.record(tx, call, "compliance.install_asked", subject, detail)
        tx.after_commit(announce(ComplianceChanged(tuple(made)[:50])))
    return len(made)


async def upgrade(call: Call, host: str) -> tuple[str, str]:
    """Have a host take this server's content; return the task and the version. Raises ``NoContent``."""
    one = await running.target(call, host)
    found = await guides.content_here(call)
    if not found.files or found.version is None:
        raise NoContent
    variables: Variables = {"compliance_scanner_action": "upgrade", "compliance_scanner_version": found.version}
    return await _begin(call, one, "upgrade", INSTALL, variables, version=found.version), found.version


async def remediate(call: Call, host: str, rule: str) -> str:
    """Have a host fix one rule; return the task.

    Raises ``BadRequest``, ``RuleMissing``, ``BenchRule``, ``AgentAway`` or ``UnderWay``.
    """
    one = await running.target(call, host)
    if not rule:
        raise BadRequest.of({"rule_id": "rule_id is required"})
    if not rules.RULE.fullmatch(rule):
        raise BadRequest.of({"rule_id": "rule_id may hold letters, digits, underscores, dots and dashes"})
    kinds = await board.list_kinds(call.db, rule)
    if not kinds:
        raise RuleMissing
    if "openscap" not in kinds:
        raise BenchRule
    if HostId(one.id) not in await channel.online(call, [HostId(one.id)]):
        raise AgentAway
    if one.native:
        return await _tell_rule(call, one, rule)
    return await _begin(call, one, "remediate", REMEDIATE, {"compliance_remediate_rules": [rule]}, names=(rule,))


async def _tell_rule(call: Call, one: Target, rule: str) -> str:
    # An existing agent says nothing about it afterwards: the next scan shows how it went.
    async with call.transaction() as tx:
        task = await _note(tx, call, one, "remediate", names=(rule,))
    if not await channel.tell(call, HostId(one.id), {"type": "remediate_rule", "rule_id": rule}):
        async with call.transaction() as tx:
            await tasks.finish(tx, [task], "failed", call.now, message=AgentAway.text)
        raise AgentAway
    async with call.transaction() as tx:
        await tasks.finish(tx, [task], "completed", call.now, message="Sent; the next scan shows how it went")
    return task


async def _begin(
    call: Call,
    one: Target,
    kind: TaskKind,
    playbook: str,
    variables: Variables,
    *,
    version: str = "",
    names: tuple[str, ...] = (),
) -> str:
    async with call.transaction() as tx:
        task = await _note(tx, call, one, kind, version=version, names=names)
        if not one.native:
            order = Order(playbook, hosts=(one.uuid,), variables=variables, title=_WORDS[kind])
            await tasks.bind_job(tx, await _launch(tx, call, order, call.actor.name), [task])
    return task


async def _launch(tx: Tx, call: Call, order: Order, by: str) -> str:
    asker = call.acting_as(Actor("system", id="compliance", name=by))
    try:
        return await automation.launch_in(tx, asker, order)
    except PlaybookMissing as error:
        raise CannotYet(name=order.playbook) from error


async def _note(
    tx: Tx, call: Call, one: Target, kind: TaskKind, *, version: str = "", names: tuple[str, ...] = ()
) -> str:
    row = _row(one, kind, "manual", call.actor.name, version=version, names=names)
    made = await tasks.insert_tasks(tx, [row], call.now)
    if one.id not in made:
        raise UnderWay if kind == "scan" else TaskUnderWay(what=_WORDS[kind])
    subject = Subject("host", one.uuid, one.name)
    await audit.record(tx, call, f"compliance.{kind}_asked", subject, {"rules": list(names), "version": version})
    tx.after_commit(announce(ComplianceChanged((one.id,))))
    return made[one.id]


def _row(
    one: Target, kind: TaskKind, origin: Origin, by: str, *, version: str = "", names: tuple[str, ...] = ()
) -> dict[str, object]:
    return {
        "host_id": one.id, "kind": kind, "origin": origin, "scanners": [], "profile_id": None,
        "remediate": kind == "remediate", "rules": list(names), "version": version, "asked_by": by,
    }  # fmt: skip


async def cancel_install(call: Call, host: str) -> bool:
    """Give an installation up; what an existing agent is at it finishes by itself. Tell whether there was one."""
    one = await running.target(call, host)
    async with call.transaction() as tx:
        opened = await tasks.lock_open(tx, one.id, ("install",))
        held = [task.job_host for task in opened if task.job_host is not None]
        if held:
            await automation.stop_in(tx, call, held, "the installation was cancelled")
        await tasks.finish(tx, [task.id for task in opened], "cancelled", call.now, message="Cancelled")
        tx.after_commit(announce(ComplianceChanged((one.id,))))
    return bool(opened)


async def last(call: Call, host: str, kind: TaskKind) -> tuple[Target, Task | None]:
    """Return a host and its newest task of a kind."""
    one = await running.target(call, host)
    return one, await tasks.find_last(call.db, one.id, kind)
