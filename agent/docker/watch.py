"""What happens to containers, told at once: the engine's event stream, as long as the integration is on."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from datetime import datetime, timezone
from typing import Any, AsyncIterator, Awaitable, Callable, Deque, Dict, Optional
from urllib.parse import quote

from agent.docker.engine import Engine, EngineFailed, NoSocket, find_socket
from agent.system.log import Log
from agent.system.loop import Keeper, in_thread

_FILTER = quote(json.dumps({"type": ["container"]}))
_LINE_BYTES = 1024 * 1024
_CONNECT_SECONDS = 10.0
_PING_SECONDS = 5.0
_DELETE_SECONDS = 25.0
_FIRST_SECONDS, _FACTOR, _LAST_SECONDS = 1.0, 1.5, 30.0
_KEPT = 100
_MESSAGE_BYTES = 60 * 1024
_OK = b" 200 "
#: What engines call it (Podman has words of its own), and what it makes of a container.
_WORDS = {"died": "die", "remove": "destroy"}
_STATUS = {
    "start": "running",
    "stop": "exited",
    "die": "exited",
    "pause": "paused",
    "unpause": "running",
    "kill": "exited",
    "destroy": "removed",
}

Send = Callable[[str], Awaitable[None]]


class Watch:
    """Follows the engine while the integration is on, and says what happens while there is a connection.

    Args:
        want: have a whole inventory sent: something was missed.
    """

    def __init__(self, keeper: Keeper, log: Log, want: Callable[[], None]) -> None:
        self._keeper = keeper
        self._log = log
        self._want = want
        self._socket: Optional[str] = None
        self._task: Optional[asyncio.Task[Any]] = None
        self._send: Optional[Send] = None
        self._waiting: Deque[str] = deque()
        self._bell = asyncio.Event()
        self._missed = False

    def configure(self, *, on: bool, socket: str) -> bool:
        """Begin or end following, as the configuration says; return whether it began just now."""
        wanted = socket if on else None
        if wanted == self._socket and (self._task is None) == (not on):
            return False
        self._socket = wanted
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._waiting.clear()
        if on:
            self._task = self._keeper.start("docker-events", self._run(socket))
        return on

    def linked(self, send: Send) -> None:
        """A connection is there: say what waits, and have everything told where something was lost."""
        self._send = send
        self._bell.set()
        if self._missed:
            self._missed = False
            self._want()

    def unlinked(self) -> None:
        """The connection is gone."""
        self._send = None

    async def delete(self, body: Dict[str, object]) -> None:
        """Delete what the server asks for, and say how that went."""
        self._keeper.start("docker-delete", self._delete(body))

    async def _delete(self, body: Dict[str, object]) -> None:
        kind, target = str(body.get("kind") or ""), str(body.get("id") or "")
        error = await in_thread(self._deleted, kind, target)
        self._log.info("Docker deletion", kind=kind, id=target, error=error or "none")
        answer = {"type": "docker_deleted", "request": str(body.get("request") or ""), "ok": not error, "error": error}
        if self._send is not None:
            await self._send(json.dumps(answer))

    def _deleted(self, kind: str, target: str) -> str:
        if self._socket is None:
            return "Docker is not switched on for this host"
        try:
            Engine(find_socket(self._socket), _DELETE_SECONDS).delete(kind, target)
        except (NoSocket, EngineFailed) as error:
            return str(error)
        return ""

    # ------------------------------------------------------------ following

    async def _run(self, configured: str) -> None:
        told = self._keeper.start("docker-telling", self._tell())
        pause, followed = _FIRST_SECONDS, False
        try:
            while True:
                try:
                    async for event in self._follow(configured):
                        if event is None and followed:
                            # What happened in between is in nobody's stream.
                            self._want()
                        pause, followed = _FIRST_SECONDS, True
                        if event is not None:
                            self._put(event)
                    self._log.warning("Docker event stream ended, subscribing again")
                except NoSocket as error:
                    self._log.warning(str(error), retry_seconds=round(pause, 1))
                except (EngineFailed, OSError, asyncio.TimeoutError) as error:
                    self._log.warning(
                        "Docker daemon ping failed, retrying", error=str(error), retry_seconds=round(pause, 1)
                    )
                await asyncio.sleep(pause)
                pause = min(pause * _FACTOR, _LAST_SECONDS)
        finally:
            told.cancel()

    async def _follow(self, configured: str) -> AsyncIterator[Optional[Dict[str, Any]]]:
        """Yield nothing once the stream is open, then every event."""
        path = find_socket(configured)
        await in_thread(Engine(path, _PING_SECONDS).ping)
        opening = asyncio.open_unix_connection(path, limit=_LINE_BYTES)
        reader, writer = await asyncio.wait_for(opening, _CONNECT_SECONDS)
        try:
            # HTTP/1.0 has no chunks: after the head come the events, line by line, until the end.
            writer.write(f"GET /events?filters={_FILTER} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            await writer.drain()
            yield None
            await self._head(reader)
            while True:
                try:
                    line = await reader.readline()
                except ValueError as error:
                    raise EngineFailed("an event is too long") from error
                if not line:
                    return
                event = _event(line)
                if event is not None:
                    yield event
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> None:
        # An engine without anything to say may keep even the head back.
        status = await reader.readline()
        if status and _OK not in status:
            raise EngineFailed(f"the engine refuses its events: {status.decode('latin-1').strip()}")
        while (await reader.readline()).strip():
            pass

    # ------------------------------------------------------------ telling

    def _put(self, event: Dict[str, Any]) -> None:
        self._log.info("Docker container event", type=event["event"]["type"], name=event["name"])
        text = json.dumps(event)
        if len(self._waiting) >= _KEPT or len(text) > _MESSAGE_BYTES:
            self._missed = True
            return
        self._waiting.append(text)
        self._bell.set()

    async def _tell(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting and self._send is not None:
                text = self._waiting.popleft()
                try:
                    await self._send(text)
                except Exception as error:  # noqa: BLE001 (the link says itself why it ended; the next inventory has it)
                    self._missed = True
                    self._log.debug("Docker event was not sent", error=str(error))


def _event(line: bytes) -> Optional[Dict[str, Any]]:
    """Return a line of the stream as the server takes it; nothing for what is none of the seven events."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("Type", "container") != "container":
        return None
    word = str(told.get("Action") or told.get("status") or "")
    word = _WORDS.get(word, word)
    actor = _part(told, "Actor")
    facts = _part(actor, "Attributes")
    container = str(actor.get("ID") or told.get("id") or "")
    if word not in _STATUS or not container:
        return None
    inner: Dict[str, Any] = {
        "type": f"container_{word}",
        "container_id": container,
        "name": str(facts.get("name") or ""),
        "image": str(facts.get("image") or told.get("from") or ""),
        "status": _STATUS[word],
        "timestamp": _moment(told),
    }
    code = str(facts.get("exitCode") or facts.get("containerExitCode") or "")
    if word == "die" and code.lstrip("-").isdigit():
        inner["exit_code"] = int(code)
    outer = {name: inner[name] for name in ("container_id", "name", "status", "timestamp")}
    return {"type": "docker_status", "event": inner, **outer}


def _part(told: Dict[str, Any], name: str) -> Dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _moment(told: Dict[str, Any]) -> str:
    nanoseconds, seconds = told.get("timeNano"), told.get("time")
    if isinstance(nanoseconds, int) and nanoseconds > 0:
        return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).isoformat()
    at = seconds if isinstance(seconds, (int, float)) and seconds > 0 else None
    return (datetime.fromtimestamp(at, timezone.utc) if at else datetime.now(timezone.utc)).isoformat()
