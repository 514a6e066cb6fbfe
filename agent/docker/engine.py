"""The engine's HTTP interface over its UNIX socket: Docker's, and Podman's that speaks the same."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple
from urllib.parse import quote

#: Where engines listen, in the order of asking.
SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
REQUEST_SECONDS = 20.0
_MOST_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_OK = 300
_PATHS = {"container": "/containers/", "image": "/images/", "volume": "/volumes/", "network": "/networks/"}
_TARGET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-/:@]{0,511}")


class NoSocket(Exception):
    """There is no engine on this host, or its socket is elsewhere."""


class EngineFailed(Exception):
    """The engine did not answer, or not with what was asked for; the text is its own where it said something."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def find_socket(configured: str = "") -> str:
    """Return the engine's socket.

    Raises:
        NoSocket: there is none.
    """
    wanted = (configured,) if configured else SOCKETS
    for path in wanted:
        if Path(path).is_socket():
            return path
    raise NoSocket(f"Docker socket not found: {', '.join(wanted)}")


class Engine:
    """A blocking client of one engine; everything it does ends by ``deadline`` on the monotonic clock."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path = path
        self._deadline = time.monotonic() + seconds

    def get(self, path: str) -> Any:
        """Return what is at ``path``.

        Raises:
            EngineFailed: no answer, no time left, or not with JSON.
        """
        status, body = self._send("GET", path)
        if status >= _OK:
            raise EngineFailed(_message(status, body))
        try:
            return json.loads(body)
        except ValueError as error:
            raise EngineFailed(f"{path} is answered with something that is no JSON") from error

    def rows(self, path: str) -> List[Dict[str, Any]]:
        """Return the list at ``path``."""
        found = self.get(path)
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    def one(self, path: str) -> Dict[str, Any]:
        """Return the object at ``path``; empty where it is gone meanwhile."""
        try:
            found = self.get(path)
        except EngineFailed:
            return {}
        return found if isinstance(found, dict) else {}

    def ping(self) -> None:
        """Ask whether the engine is there.

        Raises:
            EngineFailed: it is not.
        """
        status, body = self._send("GET", "/_ping")
        if status >= _OK:
            raise EngineFailed(_message(status, body))

    def delete(self, kind: str, target: str) -> None:
        """Delete something, without force: what is used stays.

        Raises:
            EngineFailed: with the engine's words.
        """
        start = _PATHS.get(kind)
        if start is None or not _TARGET.fullmatch(target) or ".." in target:
            raise EngineFailed(f"{kind} {target!r} is nothing that can be deleted")
        status, body = self._send("DELETE", start + quote(target, safe="/:@" if kind == "image" else ""))
        if status >= _OK:
            raise EngineFailed(_message(status, body))

    @property
    def seconds_left(self) -> float:
        """How long there is."""
        return self._deadline - time.monotonic()

    def _send(self, method: str, path: str) -> Tuple[int, bytes]:
        seconds = min(REQUEST_SECONDS, self.seconds_left)
        if seconds <= 0:
            raise EngineFailed("the engine took too long")
        connection = _Connection(self.path, seconds)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, self._read(response)
        except (OSError, http.client.HTTPException) as error:
            raise EngineFailed(str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while True:
            piece = response.read(_PIECE_BYTES)
            if not piece:
                return bytes(body)
            body += piece
            if len(body) > _MOST_BYTES:
                raise EngineFailed(f"the engine sends more than {_MOST_BYTES} bytes")
            if self.seconds_left <= 0:
                raise EngineFailed("the engine took too long")


def _message(status: int, body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    text = found.get("message") if isinstance(found, dict) else None
    return str(text or body[:300].decode("utf-8", "replace").strip() or f"the engine answers {status}")


def opened(configured: str, seconds: float) -> Engine:
    """Return the engine of this host once it answered.

    Raises:
        NoSocket: there is none.
        EngineFailed: it is installed and does not run.
    """
    engine = Engine(find_socket(configured), seconds)
    engine.ping()
    return engine


def readiness(configured: str) -> Tuple[str, str, Dict[str, str]]:
    """Return how ready the integration is: a status, a sentence, and the state of its parts."""
    try:
        engine = opened(configured, 5.0)
    except NoSocket as error:
        return "error", str(error), {"socket": "unavailable"}
    except EngineFailed as error:
        return "error", f"The engine does not answer: {error}", {"socket": "ready", "engine": "failed"}
    told = engine.one("/version")
    text = f"{engine_name(told)} {told.get('Version') or ''} at {engine.path}"
    return "ready", text, {"socket": "ready", "engine": "ready"}


def engine_name(version: Dict[str, Any]) -> str:
    """Return what the engine calls itself."""
    names = [str(one.get("Name")) for one in version.get("Components") or () if isinstance(one, dict)]
    return "Podman" if any("podman" in name.lower() for name in names) else "Docker"
