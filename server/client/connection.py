"""One connection to a server's API: asking, following streams through reconnects, and what refusals mean."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import aiohttp

#: Exit codes: all is well; what was asked for failed; the command or its arguments are wrong; the server refused or
#: was not reached, or the time was over; packages are outdated and that was not to be.
OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
OUTDATED: Final = 4

_CONNECT_SECONDS: Final = 10.0
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_REFUSED: Final = 400
_BROKEN: Final = 500
#: What was asked for does not exist or makes no sense: the caller's mistake, not the server's refusal.
_MISTAKES: Final = frozenset({400, 404, 413, 422})
_PIECE_BYTES: Final = 64 * 1024

Answer: TypeAlias = Any


class Complaint(Exception):
    """What a person needs to read, and the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def opened(token: str) -> aiohttp.ClientSession:
    """Return a session that asks in the name of a token, through the proxy that the environment names."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout, trust_env=True)


@dataclass(frozen=True, slots=True)
class Client:
    """The server's API."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, path: str, body: object = None, *, key: str = "") -> Answer:
        """Ask once; refusals become complaints. With a ``key`` the same request is carried out once, however often."""
        headers = {"Idempotency-Key": key} if key else {}
        try:
            async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
                text = await answer.text()
                if answer.status >= _REFUSED:
                    raise refused(answer.status, text)
                return _decoded(text)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise Complaint(f"cannot reach {self.url}: {error}", UNREACHABLE) from error

    async def stream(self, path: str) -> AsyncIterator[tuple[str, Answer]]:
        """Follow a thing until its end, through reconnects and restarts of the server."""
        after = failures = 0
        while True:
            try:
                headers = {"Last-Event-ID": str(after)} if after else {}
                async with self.session.get(f"{self.url}/api/v1{path}", headers=headers) as answer:
                    if _REFUSED <= answer.status < _BROKEN:
                        raise refused(answer.status, await answer.text())
                    answer.raise_for_status()
                    async for name, number, data in _frames(answer.content):
                        after, failures = number or after, 0
                        yield name, data
                        if name == "end":
                            return
            except (aiohttp.ClientError, TimeoutError) as error:
                if failures >= len(_PAUSES) * 2:
                    raise Complaint(f"cannot reach {self.url}: {error}", UNREACHABLE) from error
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def download(self, path: str, target: Path) -> int:
        """Write an answer into a file that is there only when it is whole; return its size in bytes."""
        partial = target.with_name(f"{target.name}.partial")
        try:
            async with self.session.get(f"{self.url}/api/v1{path}") as answer:
                if answer.status >= _REFUSED:
                    raise refused(answer.status, await answer.text())
                with await asyncio.to_thread(partial.open, "wb") as file:
                    async for piece in answer.content.iter_chunked(_PIECE_BYTES):
                        await asyncio.to_thread(file.write, piece)
            found = await asyncio.to_thread(partial.replace, target)
            return (await asyncio.to_thread(found.stat)).st_size
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Complaint(f"cannot reach {self.url}: {error}", UNREACHABLE) from error
        except OSError as error:
            raise Complaint(f"cannot write {target}: {error.strerror}", USAGE) from error
        finally:
            await asyncio.to_thread(partial.unlink, missing_ok=True)


def path_part(text: str) -> str:
    """Return a name as part of an address."""
    return quote(text, safe="")


def _decoded(text: str) -> Answer:
    try:
        return json.loads(text) if text else {}
    except ValueError as error:
        raise Complaint(
            "the server's answer is not JSON: is PATCHMON_URL the server's address?", UNREACHABLE
        ) from error


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, int, Answer]]:
    fields: dict[str, str] = {}
    buffer = b""
    async for piece in content.iter_any():
        *lines, buffer = (buffer + piece).split(b"\n")
        for raw in lines:
            line = raw.decode().rstrip("\r")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields and "event" in fields:
                yield fields["event"], int(fields.get("id", "0")), json.loads(fields["data"])
            fields = {}


def refused(status: int, text: str) -> Complaint:
    """Return a refusal with everything the server says against what was asked."""
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    complaints = [f"{name}: {complaint}" for name, complaint in (body.get("complaints") or {}).items()]
    said = str(body.get("error") or body.get("message") or f"the server answered {status}")
    return Complaint("; ".join([said, *complaints]), USAGE if status in _MISTAKES else UNREACHABLE)
