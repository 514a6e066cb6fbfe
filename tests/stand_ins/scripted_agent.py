"""An agent without a host: a real WebSocket client that speaks the agent's end as a test tells it to."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from agent.protocol.codec import decode, encode
from agent.protocol.messages import (
    Hello,
    JobAck,
    JobDrop,
    JobEnded,
    JobOffer,
    JobPosition,
    JobStop,
    Message,
    Result,
    Welcome,
)
from agent.protocol.session import (
    Acknowledged,
    AgentEffect,
    AgentSession,
    Consider,
    Forget,
    Interrupt,
    Keep,
    Launch,
    Resume,
    Send,
)


@dataclass
class Held:
    """A job on the imagined host: what arrived of it, and its spool."""

    offer: JobOffer
    parts: dict[str, bytearray] = field(default_factory=lambda: {"project": bytearray(), "spec": bytearray()})
    state: str = "receiving"
    spool: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"runner": [], "live": []})
    ended: JobEnded | None = None
    acked: tuple[int, int] = (0, 0)
    starts: int = 0

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bytes(self.parts["spec"]))
        return found


class ScriptedAgent:
    """Survives its connections as a host does: jobs and spools stay, ``connect`` and ``drop`` are the cable."""

    def __init__(self, url: str, api_id: str, api_key: str, **hello: Any) -> None:
        self.url = url.replace("http", "ws", 1) + "/api/v1/agents/ws"
        self.headers = {"X-API-ID": api_id, "X-API-KEY": api_key}
        self.hello = {
            "agent": "3.0.0", "python": "3.11.7", "os": "linux", "arch": "x86_64", "boot_id": "b1",
            "executors": ("on_host",), "abilities": ("stages",), **hello,
        }  # fmt: skip
        self.jobs: dict[str, Held] = {}
        self.projects: dict[str, bytes] = {}
        self.heard: list[Message] = []
        self.raw: list[dict[str, Any]] = []
        self.refuse_with: tuple[str, str] | None = None
        #: Says nothing to offers; pulls the cable after so many bytes of a project.
        self.silent = False
        self.deaf_after: int | None = None
        self.on_launch: Callable[[Held], None] | None = None
        self._socket: ClientConnection | None = None
        self._session: AgentSession | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    # ------------------------------------------------------------ the cable

    async def connect(self, *, greet: bool = True) -> ScriptedAgent:
        self._socket = await connect(
            self.url,
            additional_headers=self.headers,
            compression=None,
            max_size=64 * 1024,
            proxy=None,
            ping_interval=None,
        )
        jobs = tuple(
            JobPosition(job, held.state, len(held.spool["runner"]), len(held.spool["live"]))
            for job, held in self.jobs.items()
        )
        self._session = AgentSession(Hello(jobs=jobs, **self.hello))
        self._reader = asyncio.get_running_loop().create_task(self._read(self._socket))
        if greet:
            await self._do(self._session.opened())
            await self.until(lambda: self._session is not None and self._session.welcomed)
        return self

    async def drop(self) -> None:
        """Pull the cable."""
        if self._reader is not None:
            self._reader.cancel()
        if self._socket is not None:
            self._socket.transport.abort()
        self._socket = self._reader = None

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self.drop()

    @property
    def connected(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                body = json.loads(text)
                self.raw.append(body)
                message = decode(body)
                if message is not None and self._session is not None:
                    self.heard.append(message)
                    await self._do(self._session.received(message))
                self._changed.set()
        except Exception as error:  # noqa: BLE001 (the end of a connection, whatever kind, is what tests look at)
            self.lost = error
        finally:
            self._changed.set()

    async def send_text(self, text: str | bytes) -> None:
        assert self._socket is not None
        await self._socket.send(text)

    async def send(self, message: Message) -> None:
        await self.send_text(encode(message))

    # ------------------------------------------------------------ the host

    async def _do(self, effects: list[AgentEffect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                await self.send(effect.message)
            elif isinstance(effect, Consider):
                await self._consider(effect.offer)
            elif isinstance(effect, Keep):
                await self._keep(effect)
            elif isinstance(effect, Launch):
                self._launch(effect.offer)
            elif isinstance(effect, Resume):
                await self._resume(effect)
            elif isinstance(effect, Acknowledged) and effect.job in self.jobs:
                self.jobs[effect.job].acked = (effect.runner, effect.live)
            elif isinstance(effect, Forget):
                self.jobs.pop(effect.job, None)
            elif isinstance(effect, Interrupt):
                pass

    async def _consider(self, offer: JobOffer) -> None:
        assert self._session is not None
        if self.silent:
            return None
        if self.refuse_with is not None:
            await self._do(self._session.refuse(offer.job, *self.refuse_with))
            return None
        held = self.jobs.get(offer.job)
        if held is not None and held.state != "receiving":
            position = JobPosition(offer.job, held.state, len(held.spool["runner"]), len(held.spool["live"]))
            await self._do(self._session.already(position))
            return None
        held = self.jobs.setdefault(offer.job, Held(offer))
        if offer.project.digest in self.projects:
            held.parts["project"][:] = self.projects[offer.project.digest]
        return await self._do(self._session.accept(offer, {part: len(content) for part, content in held.parts.items()}))

    async def _keep(self, effect: Keep) -> None:
        assert self._session is not None
        held = self.jobs.get(effect.job)
        if held is None:
            return
        assert len(held.parts[effect.part]) == effect.offset
        held.parts[effect.part] += effect.data
        if self.deaf_after is not None and effect.part == "project" and len(held.parts["project"]) >= self.deaf_after:
            await self.drop()
            return
        await self._do(self._session.kept(effect.job, effect.part, len(held.parts[effect.part])))

    def _launch(self, offer: JobOffer) -> None:
        held = self.jobs[offer.job]
        for part in ("project", "spec"):
            assert hashlib.sha256(held.parts[part]).hexdigest() == getattr(offer, part).digest
        self.projects[offer.project.digest] = bytes(held.parts["project"])
        held.state = "running"
        held.starts += 1
        self._changed.set()
        if self.on_launch is not None:
            self.on_launch(held)

    async def _resume(self, effect: Resume) -> None:
        held = self.jobs[effect.job]
        for source, stored in (("runner", effect.runner), ("live", effect.live)):
            items = held.spool[source][stored:]
            if items:
                await self._send_events(effect.job, source, stored + 1, items)
        if held.ended is not None:
            await self.send(held.ended)

    async def _send_events(self, job: str, source: str, first: int, items: list[dict[str, Any]]) -> None:
        assert self._session is not None
        await self._do(self._session.events(job, source, first, tuple(items)))

    # ------------------------------------------------------------ what tests tell it

    async def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until something is true after messages arrived."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        return found

    async def job(self, number: int = 1, state: str = "running") -> Held:
        """Wait for the n-th job to be here and in this state."""

        def found() -> Held | None:
            held = list(self.jobs.values())[number - 1 : number]
            return held[0] if held and held[0].state == state else None

        result: Held = await self.until(found)
        return result

    def spool(self, held: Held, *items: dict[str, Any], source: str = "runner") -> int:
        """Write events without sending them; return the counter of the first."""
        first = len(held.spool[source]) + 1
        for number, item in enumerate(items, first):
            at = f"2026-01-01T00:00:{number % 60:02d}.000Z"
            held.spool[source].append({"counter": number, "at": at, "event": "runner_on_ok", **item})
        return first

    async def tell(self, held: Held, *items: dict[str, Any], source: str = "runner") -> None:
        """Write events and send them."""
        first = self.spool(held, *items, source=source)
        if self.connected:
            await self._send_events(held.offer.job, source, first, held.spool[source][first - 1 :])

    async def end(
        self, held: Held, status: str = "succeeded", *, results: tuple[Result, ...] = (), **fields: Any
    ) -> None:
        """Say the last word about a job."""
        held.state = "ended"
        held.ended = JobEnded(
            held.offer.job, status, runner=len(held.spool["runner"]), live=len(held.spool["live"]), results=results,
            **{"rc": 0 if status == "succeeded" else 2, "counters": {"ok": len(held.spool["runner"])}, **fields},
        )  # fmt: skip
        if self.connected:
            await self.send(held.ended)

    async def dropped(self, held: Held) -> None:
        """Wait until the server let us forget the job."""
        await self.until(lambda: held.offer.job not in self.jobs)

    async def heard_times(self, kind: type[Message], times: int) -> None:
        await self.until(lambda: len(self.heard_of(kind)) >= times)

    def heard_of(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]


__all__ = ["Held", "JobAck", "JobDrop", "JobStop", "ScriptedAgent", "Welcome"]
