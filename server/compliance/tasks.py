"""Background work of compliance."""

from datetime import timedelta
from typing import Final

from server.compliance import policies, service, setup, upkeep, waivers
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.identity import service as identity

log = get_log(__name__)
_KEPT: Final = timedelta(days=90)


async def schedule(call: Call) -> None:
    """Begin the scans whose time has come."""
    if "compliance" in await identity.modules(call) and (released := await service.release_due(call)):
        log.info("compliance: scheduled scans released", scans=released)


async def prepare(call: Call) -> None:
    """Have hosts install the scanner once they may scan."""
    if "compliance" in await identity.modules(call) and (asked := await setup.install_first(call)):
        log.info("compliance: hosts told to install the scanner", hosts=asked)


async def clean_up(call: Call) -> None:
    """End stalled scans, and forget what nobody needs."""
    if ended := await service.clean_up(call):
        log.info("compliance: stalled scans ended", scans=ended)
    await upkeep.forget(call, call.now - _KEPT)


async def keep_waivers(call: Call) -> None:
    """End waivers whose last day is over, and announce those that end within a week."""
    ended, told = await waivers.keep(call)
    if ended or told:
        log.info("compliance: waivers looked at", ended=ended, announced=told)


async def remediate(call: Call) -> None:
    """Try what policies demand after new scans, and apply what they apply by themselves."""
    if "compliance" in await identity.modules(call):
        tried, applied = await policies.sweep(call)
        if tried or applied:
            log.info("compliance: policies at work", tried=tried, applied=applied)


TASKS: Final = (
    Task(
        "compliance.policies",
        remediate,
        every_seconds=60,
        title="Remediate by policy",
        about="Looks at new scans of hosts that a policy is for: failing rules of its list are tried, and applied once "
        "somebody approved it, or at once where the policy says so.",
    ),
    Task(
        "compliance.prepare",
        prepare,
        every_seconds=15,
        title="Install the scanner on hosts that begin with compliance",
        about="Has hosts of this server's own agent install OpenSCAP and their guide when compliance is switched on "
        "for the first time. One that fails is not repeated; its host's page says why, and has the button.",
    ),
    Task(
        "compliance.schedule",
        schedule,
        every_seconds=60,
        title="Begin scheduled compliance scans",
        about="Scans hosts whose mode is Enabled once per scan interval, spread over time; late ones when they return.",
    ),
    Task(
        "compliance.cleanup",
        clean_up,
        every_seconds=600,
        title="End stalled compliance scans",
        about="Ends scans that run for more than 3 hours, and forgets old tasks and rules that no scan uses.",
    ),
    Task(
        "compliance.waivers",
        keep_waivers,
        every_seconds=300,
        title="End expired waivers",
        about="Ends waivers whose last day (UTC) is over, so that their rules count again, and announces those that "
        "end within a week.",
    ),
)
