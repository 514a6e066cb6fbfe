"""From what people keep (tasks, secrets) to what automation launches, and in whose name."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

import msgspec
import orjson

from server.automation import service as automation
from server.automation.errors import MayNotLaunch, NotLaunchable, PlaybookMissing
from server.automation.models import Options, Order, Variables
from server.core.call import Actor, Call, system
from server.core.db import as_json
from server.core.errors import Invalid, Problem
from server.identity import service as identity
from server.workflows.models import Starter, Task

#: What a step shows instead of a secret value; a form that sends it back keeps the value.
MASK: Final = "********"
#: What a launch takes that a step does not: those playbooks belong to patching.
_NOT_OURS: Final = frozenset({"before", "after"})
OPTIONS: Final = frozenset(one.name for one in fields(Options)) - _NOT_OURS
_VIEW: Final = "can_view_hosts"


def order_of(task: Task, secrets: Variables, title: str = "") -> Order:
    """Return what automation launches."""
    return Order(
        task.playbook,
        task.hosts,
        task.groups,
        {**task.variables, **secrets},
        task.check,
        msgspec.convert({key: value for key, value in task.options.items() if key in OPTIONS}, Options),
        task.deadline_seconds,
        title=title,
    )


async def checked(call: Call, task: Task, kept: Variables) -> tuple[Task, Variables, dict[str, str]]:
    """Return a task without its secrets, those apart, and what is wrong with it.

    ``kept`` are secrets that were given before: a mask in their place keeps them.
    """
    wrong = {f"options.{name}": "is no option" for name in set(task.options) - OPTIONS}
    if not wrong:
        try:
            order_of(task, {})
        except msgspec.ValidationError as error:
            wrong["options"] = str(error)
    try:
        found = await automation.playbook(call, task.playbook)
        await automation.demand_launch(call, task.playbook)
    except (PlaybookMissing, MayNotLaunch) as refused:
        return task, {}, {**wrong, "playbook": str(refused)}
    given = {
        **{name: value for name, value in kept.items() if name not in task.variables},
        **{name: kept.get(name, value) if value == MASK else value for name, value in task.variables.items()},
    }
    known = automation.check_variables(found, given)
    wrong |= {f"variables.{name}": text for name, text in known.complaints.items()}
    if not task.hosts and not task.groups:
        wrong["hosts"] = "choose at least one host or a group"
    return replace(task, variables=known.plain, secret_names=tuple(sorted(known.secret))), known.secret, wrong


def sealed(call: Call, secrets: Mapping[str, Any]) -> str | None:
    """Return secrets as they are stored; nothing when there are none."""
    some = {key: value for key, value in secrets.items() if value}
    return call.world.box.seal(as_json(some)) if some else None


def opened(call: Call, stored: str | None) -> dict[str, Any]:
    """Return stored secrets."""
    found: dict[str, Any] = orjson.loads(call.world.box.open(stored)) if stored else {}
    return found


def starter_of(call: Call) -> Starter:
    """Return in whose name this call acts."""
    actor = call.actor
    return Starter(actor.kind, actor.id, actor.name, actor.via if actor.kind == "token" else "")


async def acting(call: Call, starter: Starter, why: str) -> Call:
    """Return the call as whoever started it would make it now; raises ``Refused`` when they may no longer."""
    if starter.kind == "system":
        return call.acting_as(system(starter.name))
    if starter.kind == "token":
        return await identity.again(call.acting_as(Actor("token", starter.id, starter.name, via=starter.via)), _VIEW)
    return await identity.standing_in(call, starter.id, why)


def told(refused: Problem) -> str:
    """Return a refusal with everything that is wrong, as one sentence."""
    complaints = refused.complaints if isinstance(refused, Invalid) else {}
    if isinstance(refused, NotLaunchable) and complaints:
        return "; ".join(f"{name.removeprefix('variables.')}: {text}" for name, text in complaints.items())
    return "; ".join([str(refused), *(f"{name}: {text}" for name, text in complaints.items())])
