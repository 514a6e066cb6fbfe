"""A program that triggers, watches and decides about patch runs, and what hosts answer."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from agent.protocol.messages import Result
from server.core.bus import Bell
from tests.factories.automation import Api
from tests.stand_ins.scripted_agent import Held, ScriptedAgent


@dataclass
class Patching(Api):
    """A program with a token that speaks of runs."""

    async def trigger(self, *hosts: str, patch_type: str = "patch_all", status: int = 200, **more: Any) -> Any:
        target = {"host_id": hosts[0]} if len(hosts) == 1 else {"host_ids": list(hosts)} if hosts else {}
        return await self.ask("POST", "/patching/trigger", {**target, "patch_type": patch_type, **more}, status=status)

    async def dry(self, host: str, *packages: str, **more: Any) -> Any:
        return await self.trigger(host, patch_type="patch_package", package_names=list(packages), dry_run=True, **more)

    async def run(self, run: str, *, status: int = 200) -> Any:
        return await self.ask("GET", f"/patching/runs/{run}", status=status)

    async def becomes(self, run: str, status: str, seconds: float = 10) -> Any:
        """Ask until the run is in this state."""
        async with asyncio.timeout(seconds):
            while (found := await self.run(run))["status"] != status:
                await asyncio.sleep(0.03)
        return found

    async def act(self, run: str, verb: str, body: Any = None, *, status: int = 200) -> Any:
        return await self.ask("POST", f"/patching/runs/{run}/{verb}", body, status=status)

    async def delete(self, run: str, *, status: int = 200) -> Any:
        return await self.ask("DELETE", f"/patching/runs/{run}", status=status)

    async def policy(self, name: str = "Nightly", kind: str = "immediate", *, status: int = 201, **more: Any) -> Any:
        return await self.ask(
            "POST", "/patching/policies", {"name": name, "patch_delay_type": kind, **more}, status=status
        )

    async def assign(self, policy: Any, kind: str, target: str, *, status: int = 201) -> Any:
        body = {"target_type": kind, "target_id": target}
        return await self.ask("POST", f"/patching/policies/{policy['id']}/assignments", body, status=status)

    async def exclude(self, policy: Any, host: str, *, status: int = 201) -> Any:
        return await self.ask("POST", f"/patching/policies/{policy['id']}/exclusions", {"host_id": host}, status=status)

    async def preview(self, host: str) -> Any:
        return await self.ask("GET", f"/patching/preview-run?host_id={host}")


def change(name: str, *, requested: bool = True, **more: Any) -> dict[str, Any]:
    """A package that changed, as the module reports it."""
    return {
        "name": name, "from": "1.0", "to": "1.1", "repository": "debian", "security": False, "action": "upgrade",
        "requested": requested, **more,
    }  # fmt: skip


async def upload(session: ClientSession, agent: ScriptedAgent, url: str, result: dict[str, Any]) -> Result:
    """Hand in what module package_update found, as an agent does."""
    content = json.dumps({"module": "package_update", "result": result}).encode()
    digest = hashlib.sha256(content).hexdigest()
    async with session.put(f"{url}/api/v1/agent/results/{digest}", data=content, headers=agent.headers) as answer:
        assert answer.status in {200, 201}, await answer.text()
    return Result("package_update", digest, len(content))


async def finish(
    api: Patching, agent: ScriptedAgent, held: Held, *changes: dict[str, Any], status: str = "succeeded", **more: Any
) -> None:
    """End a run on its host with this transaction."""
    result = await upload(api.session, agent, api.url, {"manager": "apt", "changes": list(changes), **more})
    await agent.end(held, status, results=(result,))


async def heard(bell: Bell, name: str, seconds: float = 5) -> dict[str, Any]:
    """Wait for an announcement of this name."""
    async with asyncio.timeout(seconds):
        while True:
            for news in await bell.ring(within=1):
                if news["event"] == name:
                    return news
