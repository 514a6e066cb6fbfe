"""Hosts as a person adds them, and the agent that speaks for one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from agent.protocol import hashes
from server.core.call import Call
from server.hosts import service
from server.hosts.models import Credentials, NewHost

Browser = TestClient[web.Request, web.Application]


async def added(call: Call, name: str = "web-01", **changes: Any) -> Credentials:
    """Add a host."""
    return await service.create(call, NewHost(name, **changes))


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as the wire sees it: the credentials of one host over one client."""

    client: Browser
    api_id: str
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-ID": self.api_id, "X-API-KEY": self.api_key}

    async def ping(self, body: Any = None, **options: Any) -> ClientResponse:
        if body is None:
            return await self.client.post("/api/v1/hosts/ping", headers=self.headers, **options)
        return await self.client.post("/api/v1/hosts/ping", headers=self.headers, json=body, **options)

    async def update(self, body: Any) -> ClientResponse:
        return await self.client.post("/api/v1/hosts/update", headers=self.headers, json=body)

    async def get(self, path: str, **options: Any) -> ClientResponse:
        return await self.client.get(f"/api/v1{path}", headers=self.headers, **options)

    async def post(self, path: str, **options: Any) -> ClientResponse:
        return await self.client.post(f"/api/v1{path}", headers=self.headers, **options)


async def enrolled(call: Call, client: Browser, name: str = "web-01", **changes: Any) -> Agent:
    """Add a host and return its agent."""
    made = await added(call, name, **changes)
    return Agent(client, made.api_id, made.api_key.reveal())


def package(name: str, version: str = "1.0", available: str = "", **more: Any) -> dict[str, Any]:
    """A package as agents send it."""
    row: dict[str, Any] = {
        "name": name,
        "currentVersion": version,
        "needsUpdate": bool(available),
        "isSecurityUpdate": False,
    }
    if available:
        row["availableVersion"] = available
    return {**row, **more}


def repository(name: str = "debian", components: str = "main", **more: Any) -> dict[str, Any]:
    """A package source as agents send it."""
    return {
        "name": name,
        "url": "http://deb.debian.org/debian",
        "distribution": "bookworm",
        "components": components,
        "repoType": "deb",
        "isEnabled": True,
        "isSecure": False,
        **more,
    }


def full_report(
    packages: list[dict[str, Any]], repositories: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """A full report of an agent, hashes included."""
    repositories = [repository()] if repositories is None else repositories
    interfaces = [
        {
            "name": "eth0",
            "type": "ethernet",
            "macAddress": "52:54:00:aa:bb:01",
            "mtu": 1500,
            "status": "up",
            "linkSpeed": 1000,
            "duplex": "full",
            "addresses": [{"address": "10.20.0.12", "family": "inet", "netmask": "/24", "gateway": "10.20.0.1"}],
        }
    ]
    body: dict[str, Any] = {
        "packages": packages,
        "repositories": repositories,
        "osType": "Debian GNU/Linux",
        "osVersion": "12 (bookworm)",
        "hostname": "web-01.example.net",
        "ip": "10.20.0.12",
        "architecture": "x86_64",
        "agentVersion": "3.0.0",
        "machineId": "4c4c4544-0051",
        "kernelVersion": "6.1.0-26-amd64",
        "installedKernelVersion": "6.1.0-28-amd64",
        "selinuxStatus": "disabled",
        "systemUptime": "41 days, 2 hours, 5 minutes",
        "bootTime": "2026-01-02T03:04:05Z",
        "loadAverage": [0.1, 0.2, 0.3],
        "cpuModel": "AMD EPYC 7402P",
        "cpuCores": 4,
        "ramInstalled": 7.75,
        "swapSize": 1,
        "diskDetails": [
            {"name": "/dev/sda1", "size": "40.00GB (10.00GB used, 30.00GB free, 25.0% used)", "mountpoint": "/"}
        ],
        "gatewayIp": "10.20.0.1",
        "dnsServers": ["10.20.0.1", "9.9.9.9"],
        "networkInterfaces": interfaces,
        "executionTime": 1.5,
        "needsReboot": True,
        "rebootReason": "kernel",
        "packageManager": "apt",
        "agentExecutionMs": 1500,
        **more,
    }
    body.setdefault(
        "hashes",
        hashes.section_hashes(
            body["packages"], body["repositories"], body["networkInterfaces"] or [], body["hostname"]
        ),
    )
    return body


def partial_report(sections: list[str], told: dict[str, Any]) -> dict[str, Any]:
    """The partial report an agent sends after a check-in that asked for ``sections``, made of a full one."""
    always = ("osType", "osVersion", "architecture", "agentVersion", "machineId", "hashes", "agentExecutionMs")
    body = {name: told[name] for name in always}
    with_interfaces = "interfaces" in sections
    return {
        **body,
        "packages": told["packages"] if "packages" in sections else None,
        "repositories": told["repositories"] if "repos" in sections else None,
        "hostname": told["hostname"] if "hostname" in sections else "",
        "ip": told["ip"] if with_interfaces else "",
        "kernelVersion": "",
        "selinuxStatus": "",
        "systemUptime": "",
        "loadAverage": None,
        "cpuModel": "",
        "cpuCores": 0,
        "ramInstalled": 0,
        "swapSize": 0,
        "diskDetails": None,
        "gatewayIp": told["gatewayIp"] if with_interfaces else "",
        "dnsServers": told["dnsServers"] if with_interfaces else None,
        "networkInterfaces": told["networkInterfaces"] if with_interfaces else None,
        "executionTime": 0,
        "needsReboot": False,
        "packageManager": told["packageManager"] if "packages" in sections else "",
        "sections": sections,
    }


def alike(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return hosts by their ids with times read: the same moment may be written with fewer zeros."""
    times = ("last_update", "created_at", "last_patched_at")
    return {row["id"]: row | {name: row[name] and datetime.fromisoformat(row[name]) for name in times} for row in rows}
