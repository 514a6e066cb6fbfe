"""Runs on existing agents: put into their commands, and moved by what they post."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import orjson

from agent.protocol.messages import Result
from server.automation import service as automation
from server.automation.models import Claimed
from server.automation.models import Status as JobStatus
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import HostId
from server.core.log import get_log
from server.patching import native_rules as rules
from server.patching import projection, schedule
from server.patching.errors import NotYours, UnknownRun
from server.patching.models import Status
from server.patching.native_models import Addressed, Said
from server.patching.native_rules import Stage
from server.patching.queries import native as rows

log = get_log(__name__)

_MODULE: Final = "package_update"


class PatchCommands:
    """Says patch jobs in commands of existing agents."""

    playbook = schedule.PLAYBOOK

    async def begin(self, call: Call, claimed: Sequence[Claimed]) -> dict[str, Mapping[str, object] | str]:
        """Return the command of each job host, or why there is none."""
        found: dict[str, Mapping[str, object] | str] = dict.fromkeys(
            (one.uuid for one in claimed), "existing agents patch only by patch runs"
        )
        for run in await rows.list_native_runs(call.db, list(found)):
            found[run.job_host] = rules.refusal(run) or rules.command(run)
        async with call.transaction() as tx:
            await rows.upsert_sent(tx, [one for one, said in found.items() if not isinstance(said, str)], call.now)
        return found

    async def begun(self, call: Call, job_hosts: Sequence[str]) -> None:
        """Let runs be running before their agents can speak of them."""
        await projection.catch_up(call, list((await rows.list_run_ids(call.db, job_hosts)).values()))

    async def stop(self, call: Call, job_hosts: Sequence[str]) -> dict[str, Mapping[str, object]]:
        """Return the commands that end these job hosts."""
        runs = await rows.list_run_ids(call.db, job_hosts)
        return {hand: {"type": "patch_run_stop", "patch_run_id": run} for hand, run in runs.items()}


async def hear(call: Call, host: HostId, run: str, said: Said) -> None:
    """Take what a host's agent posts about a run; raises ``UnknownRun`` or ``NotYours``.

    What changes nothing any more is taken too: agents send everything at least once and do not look at the answer.
    """
    stage = rules.STAGES.get(said.stage)
    ending = stage in rules.VERDICTS
    results = await _results(call, run, stage, said) if ending else ()
    async with call.transaction() as tx:
        found = await rows.lock_addressed(tx, run)
        if found is None:
            raise UnknownRun
        if found.host_id != host:
            raise NotYours
        if stage is None:
            log.info("patching: unknown stage", task=f"patch-run-{run}", stage=said.stage[:40])
        else:
            await _take(tx, call, found, stage, said, results)
            await projection.catch_up_in(tx, call, [run])


async def _results(call: Call, run: str, stage: Stage | None, said: Said) -> tuple[Result, ...]:
    if stage not in {Stage.COMPLETED, Stage.DRY_RUN_COMPLETED} or not said.output:
        return ()
    facts = await rows.find_request(call.db, run)
    packages = rules.affected(said.output, *facts) if facts is not None else []
    if not packages:
        return ()
    content = orjson.dumps({"module": _MODULE, "result": {"changes": packages, "executor": "native"}})
    digest = hashlib.sha256(content).hexdigest()
    await automation.keep_result(call, digest, content)
    return (Result(_MODULE, digest, len(content)),)


async def _take(tx: Tx, call: Call, run: Addressed, stage: Stage, said: Said, results: tuple[Result, ...]) -> None:
    status = Status(run.status)
    if run.job_host is None:
        return
    if status == Status.CANCELLED and stage is Stage.CANCELLED and said.output:
        await rows.fill_output(tx, run.id, run.job_host, said.output, call.now)
    if not rules.counts(status, stage) or not await _is_its(tx, call, run, run.job_host):
        return
    whole = said.output if stage in rules.VERDICTS else ""
    await rows.update_heard(tx, run.job_host, call.now, whole or None)
    if stage is Stage.STARTED:
        await automation.resume_native_in(tx, call, run.job_host)
    elif stage is Stage.PROGRESS:
        if text := await _news(tx, run, run.job_host, said.output):
            await automation.append_native_in(tx, call, run.job_host, text)
    else:
        verdict = JobStatus(rules.VERDICTS[stage])
        await automation.end_native_in(tx, call, run.job_host, verdict, said.error, results)


async def _is_its(tx: Tx, call: Call, run: Addressed, job_host: str) -> bool:
    """Tell whether the run is with an existing agent; one that still waits is from now on, since its agent is at it."""
    if run.executor == "native" and run.job_status != JobStatus.QUEUED:
        return True
    if run.job_status == JobStatus.QUEUED and await automation.adopt_native_in(tx, call, job_host):
        await rows.upsert_sent(tx, [job_host], call.now)
        return True
    return False


async def _news(tx: Tx, run: Addressed, job_host: str, text: str) -> str:
    # Agents on Windows repeat everything they printed so far.
    if run.platform != "windows":
        return text
    before = await rows.fetch_printed(tx, job_host)
    return text.removeprefix(before) if before else text


async def give_up_silent(call: Call) -> int:
    """End the runs whose agents said nothing for too long; return how many. A later word still counts."""
    minutes = call.world.env.patch_stall_minutes
    stalled = await rows.list_stalled(call.db, call.now - timedelta(minutes=minutes))
    for run, job_host in stalled:
        reason = f"The agent said nothing about this run for {minutes} minutes"
        async with call.transaction() as tx:
            await rows.lock_addressed(tx, run)
            await automation.end_native_in(tx, call, job_host, JobStatus.TIMED_OUT, reason)
            await projection.catch_up_in(tx, call, [run])
    return len(stalled)
