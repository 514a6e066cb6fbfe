"""Golden exchanges with existing agents: rows of tests/fixtures/contract, each a few steps over the real wire."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType
from yarl import URL

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.settings import service as settings
from tests.factories.hosts import full_report, partial_report

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "contract"
ROOT = FOLDER.parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the contract.

    Attributes:
        key: ``http-5.3``: the file, the section and the place in it.
        says: what it demands.
        host: how the host of its steps is added.
        steps: what is sent, and what must come back.
        by: the test that proves it where steps could not.
        agent: it binds the agent alone; what our stand-in of one does with it.
        later: why nothing answers yet.
    """

    key: str
    section: str
    says: str
    host: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    by: str = ""
    agent: str = ""
    later: str = ""


def rows(name: str) -> list[Row]:
    """Read the rows of one file."""
    found = []
    for section in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")):
        number = section["section"].partition(" ")[0]
        for place, row in enumerate(section["rows"], 1):
            steps = tuple(row.pop("steps", ()))
            found.append(Row(f"{name}-{number}.{place}", section["section"], steps=steps, **row))
    return found


# ---------------------------------------------------------------- comparing


def differences(wanted: Any, found: Any, *, exact: bool, where: str = "") -> list[str]:
    """Say where a value is not what the row wants: ``*`` is anything, ``~text`` a pattern for the whole value."""
    if wanted == "*":
        return []
    if isinstance(wanted, str) and wanted.startswith("~"):
        text = found if isinstance(found, str) else json.dumps(found)
        return (
            [] if re.fullmatch(wanted[1:], text, re.DOTALL) else [f"{where}: {found!r} does not match {wanted[1:]!r}"]
        )
    if isinstance(wanted, dict) and isinstance(found, dict):
        missing = [f"{where}.{name}: is missing" for name in wanted if name not in found]
        more = [f"{where}.{name}: {found[name]!r} is too much" for name in found if exact and name not in wanted]
        both = [
            differences(value, found[name], exact=exact, where=f"{where}.{name}")
            for name, value in wanted.items()
            if name in found
        ]
        return missing + more + [line for lines in both for line in lines]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for n, (w, f) in pairs for line in differences(w, f, exact=exact, where=f"{where}[{n}]")]
    # A number without its fraction, and true, are other values on the wire.
    same = wanted == found and type(wanted) is type(found)
    return [] if same else [f"{where}: {found!r} instead of {wanted!r}"]


# ---------------------------------------------------------------- the wire


@dataclass
class Stage:
    """Where rows are played: a server, a client, and who speaks."""

    call: Call
    session: ClientSession
    url: str
    operator: Mapping[str, str]
    known: dict[str, str] = field(default_factory=dict)
    socket: ClientWebSocketResponse | None = None
    _answer: tuple[int, Mapping[str, str], bytes] = (0, {}, b"")

    async def play(self, row: Row) -> None:
        """Do every step of a row; the first that differs fails."""
        made = await hosts.create(self.call, NewHost(f"golden {row.key}", **row.host))
        self.known = {
            "api_id": made.api_id, "api_key": made.api_key.reveal(), "host": made.uuid, "key": str(made.host_id),
            "url": self.url, "port": str(URL(self.url).port),
        }  # fmt: skip
        try:
            for number, step in enumerate(row.steps, 1):
                try:
                    await self._step(self._filled(step))
                except AssertionError as error:
                    raise AssertionError(f"{row.key}, step {number}: {error}") from None
        finally:
            if self.socket is not None:
                await self.socket.close()
                self.socket = None

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\$(\w+)", lambda found: self.known.get(found[1], found[0]), value)
        if isinstance(value, dict):
            return {self._filled(name): self._filled(inner) for name, inner in value.items()}
        return [self._filled(inner) for inner in value] if isinstance(value, list) else value

    async def _step(self, step: dict[str, Any]) -> None:
        known: dict[str, Callable[[dict[str, Any]], Any]] = {
            "ask": self._ask, "sql": self._sql, "settings": self._settings, "connect": self._connect,
            "hears": self._hears, "says": self._says, "silent": self._silent, "drop": self._drop, "file": self._file,
            "content": self._content,
        }  # fmt: skip
        kind = next(name for name in known if name in step)
        await known[kind](step)

    # ------------------------------------------------------------ requests

    def _headers(self, step: Mapping[str, Any]) -> dict[str, str]:
        speaker = {
            "host": {"X-API-ID": self.known["api_id"], "X-API-KEY": self.known["api_key"]},
            "wrong": {"X-API-ID": self.known["api_id"], "X-API-KEY": "0" * 64},
            "nobody": {},
            "operator": dict(self.operator),
        }[step.get("as", "host")]
        usual = {"Content-Type": "application/json", "Accept": "application/json"}
        merged = {**usual, **speaker, **step.get("headers", {})}
        return {name: value for name, value in merged.items() if value is not None}

    def _body(self, step: Mapping[str, Any]) -> bytes | None:
        if "raw" in step:
            return str(step["raw"]).encode("latin-1" if step.get("bytes") else "utf-8")
        if "full" in step or "partial" in step:
            full = dict(step.get("full") or {})
            told = full_report(full.pop("packages", [{"name": "bash", "currentVersion": "5.2"}]), **full)
            if "partial" in step:
                told = {**partial_report(step["partial"], told), **step.get("change", {})}
            return json.dumps(told).encode()
        if "fill" in step:
            return (
                str(step["fill"]["before"]) + "x" * int(step["fill"]["bytes"]) + str(step["fill"]["after"])
            ).encode()
        return json.dumps(step["body"]).encode() if "body" in step else None

    async def _ask(self, step: dict[str, Any]) -> None:
        method, _, path = step["ask"].partition(" ")
        url = URL(self.url + ("" if step.get("bare") else "/api/v1") + path, encoded=True)
        body = self._body(step)
        async with self.session.request(
            method, url, data=_pieces(body or b"") if step.get("chunked") else body, headers=self._headers(step),
            auto_decompress=False, skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
        ) as answer:  # fmt: skip
            self._answer = answer.status, dict(answer.headers), await answer.read()
        self._check(step)

    def _check(self, step: Mapping[str, Any]) -> None:
        status, headers, content = self._answer
        text = content.decode("utf-8", "replace")
        wrong = [] if status == step.get("status", 200) else [f"status {status}"]
        named = {name.lower(): value for name, value in headers.items()}
        wanted = {name.lower(): value for name, value in step.get("head", {}).items()}
        gone = [name for name, value in wanted.items() if value is None]
        wrong += [f"header {name} is there" for name in gone if name in named]
        wanted = {name: value for name, value in wanted.items() if value is not None}
        wrong += differences(wanted, named, exact=False, where="header ")
        if "text" in step:
            wrong += differences(step["text"], text, exact=True, where="body")
        if "json" in step or "has" in step:
            wrong += _json_differences(step, named, content, text)
        assert not wrong, f"{'; '.join(wrong)} in {status} {text[:600]}"
        for name, pattern in step.get("keep", {}).items():
            match = re.search(pattern, text, re.MULTILINE)
            assert match, f"{pattern} is not in {text[:300]}"
            self.known[name] = match[1]
        if "sha256" in step:
            self.known[step["sha256"]] = hashlib.sha256(content).hexdigest()

    # ------------------------------------------------------------ the socket

    async def _connect(self, step: dict[str, Any]) -> None:
        headers = {**self._headers(step), **step.get("headers", {})}
        self.socket = await self.session.ws_connect(
            f"{self.url}/api/v1/agents/ws", headers=headers, autoping=False, compress=0, max_msg_size=64 * 1024
        )
        async with asyncio.timeout(5):
            while not await self.call.db.value(
                "select last_connected_at from hosts where uuid = %(host)s", host=self.known["host"]
            ):
                await asyncio.sleep(0.02)

    async def _frame(self, seconds: float = 5) -> WSMessage:
        """Return the next frame that is not the server's own sign of life."""
        assert self.socket is not None
        while (frame := await self.socket.receive(timeout=seconds)).type is WSMsgType.PING:
            await self.socket.pong(frame.data)
        return frame

    async def _hears(self, step: dict[str, Any]) -> None:
        assert self.socket is not None
        frame = await self._frame(step.get("within", 5))
        if step["hears"] == "close":
            assert frame.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}, frame
            return
        if isinstance(step["hears"], dict):
            kind, payload = next(iter(step["hears"].items()))
            assert (frame.type.name.lower(), bytes(frame.data).decode()) == (kind, payload), frame
            return
        assert frame.type is WSMsgType.TEXT, frame
        wrong = differences(step["hears"], str(frame.data), exact=True, where="message")
        assert not wrong, wrong

    async def _says(self, step: dict[str, Any]) -> None:
        assert self.socket is not None
        said = step["says"]
        if isinstance(said, str):
            await self.socket.send_str(said)
        elif "ping" in said:
            await self.socket.ping(said["ping"].encode())
        elif "bytes" in said:
            await self.socket.send_str(json.dumps({"type": "unheard_of", "data": "x" * said["bytes"]}))
        elif "binary" in said:
            await self.socket.send_bytes(said["binary"].encode())
        else:
            await self.socket.send_str(json.dumps(said))

    async def _silent(self, step: dict[str, Any]) -> None:
        """Nothing comes for a while, and the socket is still good for a ping."""
        assert self.socket is not None
        await self.socket.ping(b"alive")
        frame = await self._frame()
        assert (frame.type, bytes(frame.data)) == (WSMsgType.PONG, b"alive"), f"{frame} {step}"

    async def _drop(self, _step: dict[str, Any]) -> None:
        assert self.socket is not None
        await self.socket.close()
        self.socket = None

    # ------------------------------------------------------------ behind the wire

    async def _sql(self, step: dict[str, Any]) -> None:
        """Prepare, or look at, what is stored; what background work writes is waited for."""
        if "gives" not in step:
            await self.call.db.execute(step["sql"])
            return
        found: Any = None
        for _ in range(150):
            found = await self.call.db.value(step["sql"])
            if not differences(step["gives"], found, exact=True):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{step['sql']} gives {found!r} instead of {step['gives']!r}")

    async def _settings(self, step: dict[str, Any]) -> None:
        for name, value in step["settings"].items():
            await settings.change(self.call, {name: value})

    async def _file(self, step: dict[str, Any]) -> None:
        """Lay an agent file on the server's shelf; ``null`` takes it away."""
        path = self.call.world.env.agents_dir / step["file"]
        version = step.get("version")
        if version is None:
            path.unlink(missing_ok=True)
            return
        link = f'-ldflags="-X patchmon-agent/internal/version.Version={version}"\n' if version else "no version"
        path.write_bytes(b"\x7fELF" + b"\0" * 3000 + link.encode() + b"\0" * 200)

    async def _content(self, step: dict[str, Any]) -> None:
        """Lay a file of scanner content on the server's shelf; without ``text`` it is taken away."""
        path = self.call.world.env.content_dir / step["content"]
        if "text" in step:
            path.write_text(step["text"], encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


async def _pieces(body: bytes) -> Any:
    """Send a body without its length, in two pieces."""
    yield body[: len(body) // 2]
    yield body[len(body) // 2 :]


def _json_differences(step: Mapping[str, Any], named: Mapping[str, str], content: bytes, text: str) -> list[str]:
    wrong = []
    if "json" not in named.get("content-type", ""):
        wrong.append("an agent reads only answers that say they are JSON")
    try:
        found = json.loads(content)
    except ValueError:
        return [*wrong, "no JSON"]
    if text != json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n":
        wrong.append("scripts search compact JSON with one newline")
    exact = "json" in step
    return wrong + differences(step["json"] if exact else step["has"], found, exact=exact)
