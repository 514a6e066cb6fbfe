"""One simulated agent: an agent of the protocol without a host, and the job it imagines."""

import asyncio
import base64
import os
from typing import TYPE_CHECKING, Any, Final

import orjson

from benchmarks.wire import Socket

if TYPE_CHECKING:
    from benchmarks.swarm import Swarm

_REQUEST: Final = (
    "GET /api/v1/agents/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nX-API-ID: {api_id}\r\nX-API-KEY: {api_key}\r\n\r\n"
)


class Job:
    """A job on an imagined host: how many events it will have, has made, has sent, and are stored."""

    __slots__ = ("acked", "agent", "due", "lacking", "made", "made_at", "project", "sent", "state", "uuid")

    def __init__(self, agent: "Agent", offer: dict[str, Any]) -> None:
        self.agent = agent
        self.uuid: str = offer["job"]
        self.project: str = offer["project"]["digest"]
        self.lacking = {part: offer[part]["size"] for part in ("project", "spec")}
        self.state = "receiving"
        self.due = self.made = self.sent = self.acked = 0
        self.made_at: list[str] = []

    def position(self) -> dict[str, Any]:
        return {"job": self.uuid, "state": self.state, **self.counters()}

    def counters(self) -> dict[str, int]:
        runner = self.agent.swarm.source == "runner"
        return {"runner": self.made if runner else 0, "live": 0 if runner else self.made}


class Agent:
    """One agent; survives its connections as a host does."""

    __slots__ = ("api_id", "api_key", "digests", "jobs", "socket", "swarm", "waiting", "welcomed")

    def __init__(self, swarm: "Swarm", api_id: str, api_key: str) -> None:
        self.swarm = swarm
        self.api_id = api_id
        self.api_key = api_key
        self.socket: Socket | None = None
        self.welcomed = False
        self.waiting: asyncio.Future[None] | None = None
        self.digests: set[str] = set()
        self.jobs: dict[str, Job] = {}

    # ------------------------------------------------------------ the cable

    async def connect(self) -> None:
        host, port = self.swarm.address
        request = _REQUEST.format(
            host=f"{host}:{port}",
            key=base64.b64encode(os.urandom(16)).decode(),
            api_id=self.api_id,
            api_key=self.api_key,
        ).encode()
        # Known before it is connected: the answer to the upgrade can be here before this call returns.
        socket = self.socket = Socket(self, request)
        try:
            await asyncio.get_running_loop().create_connection(lambda: socket, host, port)
        except OSError:
            self.socket = None
            raise

    def opened(self) -> None:
        self.swarm.opened += 1
        if not self.swarm.greets:
            self.swarm.welcome(self)
            return
        self.say(type="hello", **self.swarm.hello, jobs=[job.position() for job in self.jobs.values()])

    def refused(self, status: str) -> None:
        self.swarm.refusals.append(status)

    def lost(self) -> None:
        self.socket = None
        self.welcomed = False
        self.wake()
        self.swarm.lost(self)

    def wake(self) -> None:
        """Let go whoever waits for the welcome, or for the end of the attempt."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)
        self.waiting = None

    def say(self, **message: Any) -> None:
        if self.socket is not None:
            self.socket.send(orjson.dumps(message))

    # ------------------------------------------------------------ the conversation

    def heard(self, text: bytes) -> None:
        message = orjson.loads(text)
        handler = getattr(self, "_" + message["type"], None)
        if handler is not None:
            handler(message)

    def _welcome(self, message: dict[str, Any]) -> None:
        known = {job["job"]: job for job in message["jobs"]}
        for uuid, job in list(self.jobs.items()):
            if uuid not in known:
                del self.jobs[uuid]
            elif job.state != "receiving":
                job.sent = job.acked = known[uuid][self.swarm.source]
                self.push(job)
        self.swarm.welcome(self)

    def _job_offer(self, offer: dict[str, Any]) -> None:
        self.swarm.offered(offer["job"])
        known = self.jobs.get(offer["job"])
        if known is not None and known.state != "receiving":
            self.say(type="job_state", **known.position())
            return
        job = self.jobs[offer["job"]] = Job(self, offer)
        if job.project in self.digests:
            del job.lacking["project"]
        for part in job.lacking:
            self.say(type="job_need", job=job.uuid, part=part, offset=0)

    def _job_chunk(self, chunk: dict[str, Any]) -> None:
        job = self.jobs.get(chunk["job"])
        if job is None or chunk["part"] not in job.lacking:
            return
        data = chunk["data"]
        end = chunk["offset"] + len(data) // 4 * 3 - data.count("=", -2)
        self.say(type="job_chunk_ok", job=job.uuid, part=chunk["part"], offset=end)
        if end >= job.lacking[chunk["part"]]:
            del job.lacking[chunk["part"]]
            if not job.lacking:
                self._begin(job)

    def _begin(self, job: Job) -> None:
        self.digests.add(job.project)
        job.state = "running"
        self.say(type="job_state", **{**job.position(), "state": "receiving"})
        self.say(type="job_state", **job.position())
        self.swarm.began(job)

    def _job_ack(self, message: dict[str, Any]) -> None:
        job = self.jobs.get(message["job"])
        if job is not None:
            job.acked = max(job.acked, message[self.swarm.source])
            self.swarm.acked(job)
            self.push(job)

    def _job_stop(self, message: dict[str, Any]) -> None:
        job = self.jobs.get(message["job"])
        if job is not None and job.state == "running":
            job.due = job.made
            self.end(job)

    def _job_drop(self, message: dict[str, Any]) -> None:
        if self.jobs.pop(message["job"], None) is not None:
            self.swarm.dropped()

    # ------------------------------------------------------------ events

    def push(self, job: Job) -> None:
        """Send what is made and not sent, as far as the window allows; then the end, when everything is sent."""
        swarm = self.swarm
        while self.socket is not None and self.welcomed_or_silent and job.sent < job.made:
            if job.sent - job.acked >= swarm.window:
                return
            count = min(swarm.batch, job.made - job.sent)
            stamps = job.made_at[job.sent : job.sent + count] if swarm.stamped else None
            self.socket.send(swarm.events(job, job.sent + 1, count, stamps))
            job.sent += count
        if job.state == "ended" and job.sent >= job.made:
            self._last_word(job)

    @property
    def welcomed_or_silent(self) -> bool:
        return self.welcomed or not self.swarm.greets

    def end(self, job: Job) -> None:
        job.state = "ended"
        self.push(job)

    def _last_word(self, job: Job) -> None:
        self.say(
            type="job_ended", job=job.uuid, status="succeeded", rc=0, reason="", **job.counters(),
            counters={"ok": job.made}, results=[],
        )  # fmt: skip
