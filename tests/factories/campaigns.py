"""A program that makes and watches campaigns and windows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.factories.patching import Patching, change, finish
from tests.stand_ins.scripted_agent import Held, ScriptedAgent


@dataclass
class Campaigns(Patching):
    """A program with a token that speaks of campaigns."""

    async def campaign(self, *hosts: str, status: int = 201, **more: Any) -> Any:
        body = {"name": "Spring clean", "host_ids": list(hosts), **more}
        return await self.ask("POST", "/patching/campaigns", body, status=status)

    async def shown(self, campaign: Any, *, status: int = 200) -> Any:
        return await self.ask("GET", f"/patching/campaigns/{campaign['id']}", status=status)

    async def do(self, campaign: Any, verb: str, *, status: int = 200) -> Any:
        return await self.ask("POST", f"/patching/campaigns/{campaign['id']}/{verb}", status=status)

    async def hosts(self, campaign: Any) -> dict[str, Any]:
        """Return the hosts of a campaign by name."""
        found = await self.ask("GET", f"/patching/campaigns/{campaign['id']}/hosts?limit=10000")
        return {host["host_name"]: host for host in found["hosts"]}

    async def states(self, campaign: Any) -> dict[str, str]:
        return {name: host["state"] for name, host in (await self.hosts(campaign)).items()}

    async def comes(self, campaign: Any, status: str, seconds: float = 10) -> Any:
        """Ask until the campaign is in this state."""
        return await self.until_campaign(campaign, lambda found: found["status"] == status, seconds)

    async def until_campaign(self, campaign: Any, condition: Callable[[Any], Any], seconds: float = 10) -> Any:
        """Ask until something is true of the campaign."""
        async with asyncio.timeout(seconds):
            while not condition(found := await self.shown(campaign)):
                await asyncio.sleep(0.1)
        return found

    async def host_comes(self, campaign: Any, name: str, state: str, seconds: float = 10) -> Any:
        """Ask until a host of the campaign is in this state."""
        async with asyncio.timeout(seconds):
            while (found := (await self.hosts(campaign))[name])["state"] != state:
                await asyncio.sleep(0.03)
        return found

    async def window(self, *hosts: str, status: int = 201, **more: Any) -> Any:
        body = {"name": "Nightly", "cron": "0 2 * * *", "duration_minutes": 60, "host_ids": list(hosts), **more}
        return await self.ask("POST", "/patching/windows", body, status=status)


async def patched(api: Patching, agent: ScriptedAgent, held: Held, status: str = "succeeded", **more: Any) -> None:
    """End a patch run on its host."""
    await finish(api, agent, held, change("openssl"), status=status, **more)
