"""Scans on existing agents: put into their commands, and begun by their word."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from server.automation.models import Claimed
from server.channel.models import Body, Lines, Link
from server.compliance import rules, running
from server.compliance.events import ComplianceChanged
from server.compliance.queries import tasks as rows
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.core.loop import Keeper

log = get_log(__name__)

_PHASE_MOST: Final = 200


class ScanCommands:
    """Says scan jobs in commands of existing agents."""

    playbook = running.PLAYBOOK

    async def begin(self, call: Call, claimed: Sequence[Claimed]) -> dict[str, Mapping[str, object] | str]:
        """Return the command of each job host, or why there is none."""
        found: dict[str, Mapping[str, object] | str] = dict.fromkeys(
            (one.uuid for one in claimed), "existing agents scan only by compliance scans"
        )
        for task in await rows.list_of_jobs(call.db, list(found)):
            if task.job_host is None or task.status not in rules.OPEN:
                continue
            if task.cancel_asked_at is not None:
                found[task.job_host] = "the scan was cancelled"
            else:
                found[task.job_host] = rules.command(task.scanners, task.profile_id, remediate=task.remediate)
        async with call.transaction() as tx:
            await rows.mark_told(tx, [one for one, said in found.items() if not isinstance(said, str)], call.now)
        return found

    async def begun(self, call: Call, job_hosts: Sequence[str]) -> None:  # noqa: ARG002 (the translator's shape)
        """Wait for the agents' own word."""
        await announce(ComplianceChanged())(call.world)

    async def stop(self, call: Call, job_hosts: Sequence[str]) -> dict[str, Mapping[str, object]]:
        """Return the commands that end these job hosts."""
        found = await rows.list_of_jobs(call.db, job_hosts)
        return {task.job_host: {"type": "compliance_scan_cancel"} for task in found if task.job_host is not None}


class Progress:
    """Hears how far existing agents are."""

    message_types: frozenset[str] = frozenset({"compliance_scan_progress"})

    def __init__(self, world: World) -> None:
        self._world = world

    def opened(self, link: Link) -> None:
        """Nothing waits for links here."""

    def closed(self, link: Link) -> None:
        """A scan goes on without its link."""

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:  # noqa: ARG002 (the inbox's shape)
        """Take an agent's word that it began, and how far it is."""
        call = Call(self._world, system("compliance"))
        phase, told = body.get("phase"), body.get("progress")
        text = str(phase)[:_PHASE_MOST].replace("\0", "") if isinstance(phase, str) else ""
        percent = min(100, max(0, int(told))) if isinstance(told, int | float) and told == told else 0  # noqa: PLR0124 (not a number)
        try:
            async with call.transaction() as tx:
                begun = await rows.confirm(tx, call.now, host_id=link.host_id)
                await rows.note_progress(tx, link.host_id, text, percent)
                if begun:
                    tx.after_commit(announce(ComplianceChanged((link.host_id,))))
        except DatabaseError as error:
            # The sweep begins it all the same.
            log.warning("compliance: progress not taken", host=link.name, reason=str(error).strip())


@asynccontextmanager
async def hearing(world: World, keeper: Keeper, lines: Lines) -> AsyncIterator[Progress]:  # noqa: ARG001 (OpenInbox)
    """Open the inbox."""
    yield Progress(world)
