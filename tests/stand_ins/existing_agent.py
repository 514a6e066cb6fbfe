"""An existing PatchMon 2.x agent without a host, from the contract alone: it never says hello and posts by HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession
from websockets.asyncio.client import ClientConnection, connect

#: Every field of every command, with the type the agent insists on.
KINDS: dict[str, type] = {
    **dict.fromkeys(
        ("type", "version", "profile_type", "profile_id", "rule_id", "image_name", "container_name", "session_id",
         "host", "username", "password", "private_key", "passphrase", "terminal", "data", "patch_run_id", "patch_type",
         "package_name", "package_cache_refresh_mode"),
        str,
    ),
    **dict.fromkeys(("update_interval", "compliance_scan_interval", "package_cache_refresh_max_age", "port", "cols",
                     "rows"), int),
    **dict.fromkeys(("enable_remediation", "fetch_remote_resources", "openscap_enabled", "docker_bench_enabled",
                     "scan_all_images", "dry_run"), bool),
    "package_names": list,
    "config": dict,
}  # fmt: skip


@dataclass
class ExistingAgent:
    """Survives its connections; ``connect`` and ``drop`` are the cable, ``post`` is its HTTP client."""

    session: ClientSession
    url: str
    api_id: str
    api_key: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    _socket: ClientConnection | None = None
    _reader: asyncio.Task[None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-ID": self.api_id, "X-API-KEY": self.api_key}

    async def connect(self) -> ExistingAgent:
        self._socket = await connect(
            self.url.replace("http", "ws", 1) + "/api/v1/agents/ws", additional_headers=self.headers, compression=None,
            max_size=64 * 1024, proxy=None, ping_interval=None,
        )  # fmt: skip
        self._reader = asyncio.get_running_loop().create_task(self._read(self._socket))
        return self

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            self.raw.append(str(text))
            body = json.loads(text)
            # One field of another type, and an agent drops the whole message.
            wrong = [name for name, value in body.items() if type(value) is not KINDS.get(name, type(value))]
            assert not wrong, f"an existing agent would drop this: {wrong}"
            self.heard.append(body)

    async def drop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._socket is not None:
            self._socket.transport.abort()
        self._socket = self._reader = None

    async def until(self, condition: Callable[[dict[str, Any]], Any], seconds: float = 12) -> dict[str, Any]:
        """Wait for a command."""
        async with asyncio.timeout(seconds):
            while not (found := [body for body in self.heard if condition(body)]):
                await asyncio.sleep(0.02)
        return found[0]

    async def told(self, kind: str, run: str, seconds: float = 12) -> dict[str, Any]:
        """Wait for a command about a run."""
        return await self.until(lambda body: body["type"] == kind and body.get("patch_run_id") == run, seconds)

    async def ask(
        self, method: str, path: str, body: Any = None, *, data: bytes | None = None, headers: Any = None
    ) -> tuple[int, Any]:
        """Send a request as an agent does; return the status and the decoded body."""
        sent = data if data is not None else json.dumps(body).encode()
        async with self.session.request(
            method, f"{self.url}/api/v1{path}", data=None if method == "GET" else sent,
            headers={"Content-Type": "application/json", **(self.headers if headers is None else headers)},
        ) as answer:  # fmt: skip
            return answer.status, json.loads(await answer.text())

    async def say(self, run: str, stage: str, output: str = "", error: str = "") -> None:
        """Post about a run; empty fields are left out."""
        body = {"stage": stage, "output": output, "error_message": error}
        answer = await self.ask("POST", f"/patching/runs/{run}/output", {k: v for k, v in body.items() if v})
        assert answer == (200, {"ok": True}), answer


#: Adds a host (by name and platform) and returns its agent, not connected yet, and the host's id.
Enrol = Callable[..., Awaitable[tuple[ExistingAgent, str]]]
