"""Jobs on this host: taking offers, receiving their parts, starting, following, stopping and forgetting them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import Awaitable, Callable, Dict, List, Optional, Set, Tuple

from agent import __version__, supervise
from agent.act.folders import Folders, JobFolder, boot_id
from agent.act.follow import Follower, Surroundings, Upload
from agent.act.policy import Policy, executors, is_job, refusal
from agent.act.relay import TO_RELAY, Relay
from agent.act.restart import Restarts
from agent.protocol.codec import encode
from agent.protocol.messages import Hello, JobOffer, JobPosition, Message
from agent.protocol.session import (
    Acknowledged,
    AgentEffect,
    AgentSession,
    Consider,
    Forget,
    Interrupt,
    Keep,
    Launch,
    Mistake,
    Resume,
    Send,
)
from agent.system import build, files
from agent.system.log import Log
from agent.system.loop import Keeper, in_thread

_CHANGING_PLAYBOOKS = ("patch", "reboot")
_UNKNOWN_GRACE_SECONDS = 30
_LEAVE_SECONDS = 90.0
_LOOK_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Outside:
    """What jobs need of the agent around them; ``policy`` reads the local file, so an edit counts at once.

    ``command`` is how the agent itself is called, for plays that ask it for what only it may fetch.
    """

    policy: Callable[[], Policy]
    upload: Upload
    changed: Callable[[], None]
    keeper: Keeper
    log: Log
    restart: Callable[[], None]
    command: Tuple[str, ...] = ()


class Jobs:
    """Every job of this host, across connections and across lives of the agent."""

    def __init__(self, state: Path, outside: Outside) -> None:
        self.folders = Folders(state)
        self.outside = outside
        self.restarts = Restarts(self.folders, outside.restart, outside.log)
        self.leaving: Set[str] = set()
        self._reported: Set[str] = set()

    def adopt(self) -> None:
        """Look at what earlier lives of the agent left: follow it, end it as lost, or forget what never began."""
        for folder in self.folders.all():
            try:
                self._adopt(folder)
            except OSError as error:
                # On a full disk the last word waits: whoever follows the job writes it.
                self.outside.log.error("Job cannot be adopted yet", job=folder.job, error=str(error))

    def _adopt(self, folder: JobFolder) -> None:
        if folder.ended or (folder.alive and folder.complete):
            return
        if folder.rebooting:
            self.restarts.adopt(folder)
        elif folder.begun:
            folder.end_lost()
        else:
            # Not begun means that no play ran: the server offers the job again.
            supervise_no_more(folder)
            self.folders.remove(folder)

    def hello(self) -> Hello:
        """Introduce this agent and its jobs."""
        policy = self.outside.policy()
        known = build.versions()
        return Hello(
            agent=__version__,
            python=".".join(map(str, sys.version_info[:3])),
            os=sys.platform,
            arch=os.uname().machine,
            boot_id=boot_id(),
            ansible=known["ansible"],
            collection=known["collection"],
            automation=policy.automation,
            executors=executors(policy),
            changing_jobs=policy.max_changing_jobs,
            abilities=("stages", "sealed_parts", "docker_delete"),
            jobs=tuple(folder.position() for folder in self.folders.all()),
        )

    def any_alive(self) -> bool:
        """Say whether anything of a job runs or is about to go on."""
        return any(folder.alive or folder.rebooting for folder in self.folders.all())

    def over(self, folder: JobFolder) -> None:
        """A job's end became known: what changed the host is reported, once."""
        offer = folder.offer
        if folder.job in self._reported or offer.check or Path(offer.playbook).stem not in _CHANGING_PLAYBOOKS:
            return
        self._reported.add(folder.job)
        self.outside.changed()

    async def forget(self, folder: JobFolder) -> None:
        """Delete a job; one that still runs is stopped first. Until then it cannot be taken again (``leaving``)."""
        self.leaving.add(folder.job)
        try:
            await self._forget(folder)
        finally:
            self.leaving.discard(folder.job)

    async def _forget(self, folder: JobFolder) -> None:
        if await in_thread(lambda: folder.alive):
            await in_thread(supervise_no_more, folder)
            until = time.monotonic() + _LEAVE_SECONDS
            while await in_thread(lambda: folder.alive) and time.monotonic() < until:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(_LOOK_SECONDS)
        await in_thread(self.folders.remove, folder)
        self._reported.discard(folder.job)


class Conversation:
    """What one connection says about jobs; ``send`` puts a text on it."""

    def __init__(self, jobs: Jobs, hello: Hello, send: Callable[[str], Awaitable[None]]) -> None:
        self._jobs = jobs
        self._send = send
        self._session = AgentSession(hello)
        self._followers: Dict[str, Tuple[Follower, "asyncio.Task[None]"]] = {}
        self._arriving: Set[str] = set()
        outside = jobs.outside
        self._relay = Relay(outside.policy, outside.keeper, outside.log, send)
        self._around = Surroundings(
            self._session, self._carry_out, outside.upload, jobs.over, outside.log, jobs.restarts.step
        )

    async def open(self) -> None:
        """Say hello."""
        await self._carry_out(self._session.opened())

    async def received(self, message: Message) -> None:
        """Take one message of the job channel."""
        if isinstance(message, TO_RELAY):
            await self._relay.received(message)
            return
        await self._carry_out(self._session.received(message))

    async def close(self) -> None:
        """The connection is gone; jobs go on, what was relayed does not."""
        await self._relay.close()
        tasks = [task for _, task in self._followers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followers.clear()

    async def _carry_out(self, effects: List[AgentEffect]) -> None:
        waiting = list(effects)
        while waiting:
            waiting = await self._one(waiting.pop(0)) + waiting

    async def _one(self, effect: AgentEffect) -> List[AgentEffect]:  # noqa: C901, PLR0911 (one line per effect)
        if isinstance(effect, Send):
            await self._send(encode(effect.message))
            return []
        if isinstance(effect, Mistake):
            self._jobs.outside.log.warning("Job channel", error=effect.text)
            return []
        if isinstance(effect, Consider):
            return await self._consider(effect.offer)
        if isinstance(effect, Launch):
            return await self._launch(effect.offer)
        if not is_job(effect.job):
            self._jobs.outside.log.warning("Job channel", error="a job whose name is not a UUID")
            return []
        folder = self._jobs.folders.find(effect.job)
        if isinstance(effect, Keep):
            return await self._keep(folder, effect)
        if isinstance(effect, Resume):
            self._follow(folder, effect.runner, effect.live)
        elif isinstance(effect, Acknowledged):
            self._acknowledge(effect)
        elif isinstance(effect, Interrupt):
            await self._interrupt(folder, effect.grace_seconds)
        elif isinstance(effect, Forget):
            self._forget(folder)
        return []

    # ------------------------------------------------------------ offers

    async def _consider(self, offer: JobOffer) -> List[AgentEffect]:
        if offer.job in self._jobs.leaving:
            return self._session.refuse(offer.job, "busy", "The job's former attempt is still being removed.")
        here = await in_thread(self._here, offer)
        if here is not None:
            if here.state != "receiving" and here.job not in self._followers:
                self._follow(self._jobs.folders.find(here.job), 0, 0)
            return self._session.already(here)
        return await self._take(offer)

    def _here(self, offer: JobOffer) -> Optional[JobPosition]:
        if not is_job(offer.job):
            return None
        folder = self._jobs.folders.find(offer.job)
        if folder.ended or folder.begun or folder.complete or offer.job in self._arriving:
            return folder.position()
        return None

    async def _take(self, offer: JobOffer) -> List[AgentEffect]:
        log = self._jobs.outside.log
        no = await in_thread(self._refusal, offer)
        if no is not None:
            log.warning("Job refused", job=offer.job, code=no[0], reason=no[1])
            return self._session.refuse(offer.job, *no)
        try:
            have = await in_thread(self._prepare, offer)
        except (OSError, supervise.CannotSupervise) as error:
            log.error("Job cannot be prepared", job=offer.job, error=str(error))
            return await self._refuse(offer.job, "unsupported", f"The host cannot prepare the job: {error}")
        log.info("Job accepted", job=offer.job, playbook=offer.playbook, check=offer.check, request_id=offer.request_id)
        self._arriving.add(offer.job)
        return self._session.accept(offer, have)

    def _refusal(self, offer: JobOffer) -> Optional[Tuple[str, str]]:
        folders = self._jobs.folders
        known = is_job(offer.job) and folders.find(offer.job).path.exists()
        # A job whose transfer was cut counts itself; taking it up again needs no second place.
        changing = folders.changing() - (1 if known and not offer.check else 0)
        if folders.restarting():
            return "busy", "The host is about to be restarted."
        no = refusal(offer, self._jobs.outside.policy(), changing, folders.free_bytes())
        return None if no is None else (no.code, no.reason)

    def _prepare(self, offer: JobOffer) -> Dict[str, int]:
        folder = self._jobs.folders.make(offer, dataclasses.asdict(offer))
        # It warms up while the parts travel.
        supervise.start(folder.path, folder.run, self._jobs.outside.command)
        return self._jobs.folders.has(offer, folder)

    async def _keep(self, folder: JobFolder, effect: Keep) -> List[AgentEffect]:
        try:
            await in_thread(files.append, folder.part(effect.part), effect.offset, effect.data)
        except OSError as error:
            return await self._refuse(effect.job, "no_room", f"A part of the job cannot be written: {error.strerror}")
        return self._session.kept(effect.job, effect.part, effect.offset + len(effect.data))

    async def _launch(self, offer: JobOffer) -> List[AgentEffect]:
        self._arriving.discard(offer.job)
        folder = self._jobs.folders.find(offer.job)
        if not folder.ended:
            try:
                wrong = await in_thread(self._go, offer, folder)
            except (OSError, supervise.CannotSupervise) as error:
                return await self._refuse(offer.job, "no_room", f"The job cannot be started: {error}")
            if wrong:
                return await self._refuse(offer.job, "digest", f"The job's {wrong} is not what its digest says.")
        self._follow(folder, 0, 0)
        return []

    def _go(self, offer: JobOffer, folder: JobFolder) -> str:
        wrong = self._jobs.folders.complete(offer, folder)
        if wrong:
            return wrong
        if not folder.alive:
            supervise.start(folder.path, folder.run, self._jobs.outside.command)
        (folder.path / "go").touch(mode=0o600)
        return ""

    async def _refuse(self, job: str, code: str, reason: str) -> List[AgentEffect]:
        self._arriving.discard(job)
        self._jobs.outside.log.warning("Job refused", job=job, code=code, reason=reason)
        if is_job(job):
            await self._jobs.forget(self._jobs.folders.find(job))
        return self._session.refuse(job, code, reason)

    # ------------------------------------------------------------ running jobs

    def _follow(self, folder: JobFolder, runner: int, live: int) -> None:
        if folder.job in self._followers or not folder.path.exists():
            return
        follower = Follower(folder, runner, live, self._around)
        task = self._jobs.outside.keeper.start(f"follow {folder.job}", follower.run())
        self._followers[folder.job] = (follower, task)

    def _acknowledge(self, effect: Acknowledged) -> None:
        following = self._followers.get(effect.job)
        if following is not None:
            following[0].acknowledged(effect.runner, effect.live)

    async def _interrupt(self, folder: JobFolder, grace_seconds: int) -> None:
        if not folder.path.exists():
            self._jobs.outside.log.warning("Asked to stop a job that is not here", job=folder.job)
            return
        self._jobs.outside.log.info("Stopping job", job=folder.job, grace_seconds=grace_seconds)
        self._arriving.discard(folder.job)
        await in_thread(supervise.stop, folder.path, grace_seconds)
        self._follow(folder, 0, 0)

    def _forget(self, folder: JobFolder) -> None:
        self._arriving.discard(folder.job)
        following = self._followers.pop(folder.job, None)
        if following is not None:
            following[1].cancel()
        if folder.path.exists() and folder.job not in self._jobs.leaving:
            self._jobs.leaving.add(folder.job)
            self._jobs.outside.keeper.start(f"forget {folder.job}", self._jobs.forget(folder))


def supervise_no_more(folder: JobFolder) -> None:
    """Tell a job's supervisor that nobody wants the job."""
    if folder.complete:
        supervise.stop(folder.path, _UNKNOWN_GRACE_SECONDS)
    elif folder.path.exists():
        (folder.path / "abandon").touch(mode=0o600)
