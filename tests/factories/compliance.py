"""What scanners report, and a program that asks for scans."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from server.compliance import service
from server.core.call import Call
from tests.factories.automation import Api
from tests.stand_ins.existing_agent import ExistingAgent

PREFIX = "xccdf_org.ssgproject.content_rule_"


def result(name: str, status: str = "pass", severity: str = "medium", **more: Any) -> dict[str, Any]:
    """One rule as a scanner reports it."""
    return {
        "rule_ref": f"{PREFIX}{name}", "title": f"Rule {name}", "status": status, "severity": severity,
        "section": "5.2", "description": f"About {name}", "rationale": f"Because of {name}",
        "remediation": f"chmod 0600 /etc/{name}", **more,
    }  # fmt: skip


def scan(*results: dict[str, Any], kind: str = "openscap", **more: Any) -> dict[str, Any]:
    """One scan as agents send it."""
    name = {"openscap": "level1_server", "docker-bench": "Docker Bench for Security"}.get(kind, kind)
    return {"profile_name": name, "profile_type": kind, "status": "completed", "results": list(results), **more}


def decided(passed: int, failed: int) -> list[dict[str, Any]]:
    """Rules of which some pass and some fail."""
    return [
        *(result(f"good_{n:04}") for n in range(passed)),
        *(result(f"bad_{n:04}", "fail", "high", finding=f"bad_{n}") for n in range(failed)),
    ]


async def hand_in(agent: ExistingAgent, *scans: dict[str, Any], status: int = 200, **more: Any) -> Any:
    """Post scans as an existing agent does."""
    found, answer = await agent.ask("POST", "/compliance/scans", {"scans": list(scans), **more})
    assert found == status, answer
    return answer


async def connect(agent: ExistingAgent, call: Call, host: str) -> None:
    """Connect, and wait until pages know: the handshake is answered a moment before the link is on record."""
    await agent.connect()
    async with asyncio.timeout(5):
        while not await service.is_connected(call, await service.target(call, host)):
            await asyncio.sleep(0.02)


async def confirm(agent: ExistingAgent, **more: Any) -> None:
    """Say that the scan began."""
    socket = agent._socket
    assert socket is not None
    await socket.send(json.dumps({"type": "compliance_scan_progress", "phase": "started", "progress": 5, **more}))


@dataclass
class Compliance(Api):
    """A program with a token that speaks of compliance."""

    async def get(self, path: str, *, status: int = 200) -> Any:
        return await self.ask("GET", f"/compliance/{path}", status=status)

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        return await self.ask("POST", f"/compliance/{path}", body, status=status)

    async def trigger(self, host: str, *, status: int = 200, **more: Any) -> Any:
        return await self.post(f"trigger/{host}", more, status=status)

    async def running(self, number: int = 1, seconds: float = 12) -> list[dict[str, Any]]:
        """Ask until so many scans run."""
        async with asyncio.timeout(seconds):
            while (found := await self.get("scans/active"))["count"] != number:
                await asyncio.sleep(0.05)
        scans: list[dict[str, Any]] = found["activeScans"]
        return scans

    async def history(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(f"scans/history{query}"))["scans"]
        return found

    async def scanned(self, number: int, seconds: float = 90) -> dict[str, Any]:
        """Ask until so many scans are over; return the newest."""
        async with asyncio.timeout(seconds):
            while len(found := await self.history()) < number or found[0]["status"] == "running":
                await asyncio.sleep(0.2)
        return found[0]
