"""The daemon of an existing PatchMon 2.x agent: start, ticks, commands, patching and self-update, from the contract."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins import existing_hashes as hashes
from tests.stand_ins.existing_agent import ExistingAgent

_VERSION = re.compile(rb"Version=(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)")


@dataclass
class Machine:
    """What the agent finds on its machine, and what it keeps there."""

    hostname: str = "old-01.example.net"
    packages: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "bash", "description": "shell <GNU> ", "currentVersion": "5.2.15", "availableVersion": "5.2.21",
             "needsUpdate": True, "isSecurityUpdate": True,
             "sourceRepository": "http://deb.debian.org/debian bookworm/main"},
            {"name": "zlib1g", "currentVersion": "1:1.2.13", "needsUpdate": False, "isSecurityUpdate": False},
        ]
    )  # fmt: skip
    repositories: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "debian", "url": "http://deb.debian.org/debian", "distribution": "bookworm", "components": "main",
             "repoType": "deb", "isEnabled": True, "isSecure": False},
        ]
    )  # fmt: skip
    interfaces: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "eth0", "type": "ethernet", "macAddress": "52:54:00:AA:BB:01", "mtu": 1500, "status": "up",
             "addresses": [{"address": "192.0.2.7", "family": "inet", "netmask": "/24", "gateway": "192.0.2.1"}]},
        ]
    )  # fmt: skip
    config: dict[str, Any] = field(
        default_factory=lambda: {"update_interval": 60, "docker": False, "compliance": False}
    )


class ExistingDaemon(ExistingAgent):
    """Serves until it is stopped; ``done`` says what it did, in order."""

    machine: Machine
    version: str
    done: list[str]
    installed: bytes

    @classmethod
    def on(cls, agent: ExistingAgent, machine: Machine | None = None) -> ExistingDaemon:
        """Let an agent with credentials serve a machine."""
        made = cls(agent.session, agent.url, agent.api_id, agent.api_key)
        made.machine, made.version, made.done, made.installed = machine or Machine(), "2.1.2", [], b""
        return made

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Do what the daemon does at its start; then it listens."""
        status, told = await self.ask("GET", "/settings/update-interval")
        if status == 200 and told["updateInterval"] > 0:
            self.machine.config["update_interval"] = told["updateInterval"]
        status, told = await self.ask("GET", "/hosts/integrations")
        if status == 200:
            self.machine.config |= told["integrations"]
        await self.ask("POST", "/hosts/ping", data=b"")
        await self.connect()
        self._commands = asyncio.get_running_loop().create_task(self._obey())
        await self.report_integrations()
        await self.full_report()

    async def stop(self) -> None:
        self._commands.cancel()
        await self.drop()

    async def restart(self) -> None:
        """What its service does after another configuration or version."""
        await self.drop()
        obeying, self._commands = self._commands, None  # type: ignore[assignment]
        self.done.append("restarted")
        await self.start()
        obeying.cancel()

    # ------------------------------------------------------------ reports

    def _hashes(self) -> dict[str, str]:
        machine = self.machine
        return {
            "packagesHash": hashes.packages(machine.packages),
            "reposHash": hashes.repositories(machine.repositories),
            "interfacesHash": hashes.interfaces(machine.interfaces),
            "hostnameHash": hashes.hostname(machine.hostname),
        }

    def _report(self, sections: list[str] | None) -> dict[str, Any]:
        def part(name: str, value: Any, otherwise: Any) -> Any:
            return value if sections is None or name in sections else otherwise

        machine, full = self.machine, sections is None
        body = {
            "packages": part("packages", machine.packages, None),
            "repositories": part("repos", machine.repositories, None),
            "osType": "Debian GNU/Linux", "osVersion": "12 (bookworm)", "architecture": "x86_64",
            "agentVersion": self.version, "machineId": "m-1", "hostname": part("hostname", machine.hostname, ""),
            "ip": part("interfaces", "192.0.2.7", ""), "kernelVersion": "6.1.0-26-amd64" if full else "",
            "selinuxStatus": "disabled" if full else "", "systemUptime": "2 hours, 1 minutes" if full else "",
            "loadAverage": [0.5, 0.25, 0] if full else None, "cpuModel": "EPYC" if full else "",
            "cpuCores": 4 if full else 0, "ramInstalled": 7.5 if full else 0, "swapSize": 1 if full else 0,
            "diskDetails": [] if full else None, "gatewayIp": part("interfaces", "192.0.2.1", ""),
            "dnsServers": part("interfaces", ["192.0.2.1"], None),
            "networkInterfaces": part("interfaces", machine.interfaces, None), "executionTime": 0.8 if full else 0,
            "needsReboot": False, "packageManager": part("packages", "apt", ""), "hashes": self._hashes(),
            "agentExecutionMs": 812,
        }  # fmt: skip
        return body if sections is None else {**body, "sections": sections}

    async def full_report(self) -> None:
        status, told = await self.ask("POST", "/hosts/update", self._report(None))
        self.done.append(f"full report {status}")
        if status != 200:
            return
        if told.get("autoUpdate", {}).get("shouldUpdate") or (await self._newest()).get("hasUpdate"):
            await self.update_itself()
        if self.machine.config["docker"]:
            await self.report_docker()

    async def tick(self) -> list[str]:
        """Check in; return what the server wanted in full."""
        metrics = {"cpuCores": 4, "loadAverage": [0.5, 0.25, 0], "systemUptime": "3 hours, 1 minutes",
                   "needsReboot": False, "diskDetails": []}  # fmt: skip
        body = {"hashes": self._hashes(), "metrics": metrics, "agentVersion": self.version, "agentExecutionMs": 640}
        status, told = await self.ask("POST", "/hosts/ping", body)
        self.done.append(f"ping {status}")
        if status != 200:
            return []
        if not told.get("hashGate"):
            await self.full_report()
            return ["everything"]
        wanted: list[str] = told.get("requestFull", [])
        if parts := [one for one in wanted if one in {"packages", "repos", "interfaces", "hostname"}]:
            status, _ = await self.ask("POST", "/hosts/update", self._report(parts))
            self.done.append(f"partial report {status}")
            if status != 200:
                await self.full_report()
        return wanted

    async def report_integrations(self) -> None:
        for name in ("compliance", "docker"):
            if self.machine.config[name]:
                told: dict[str, Any] = {
                    "integration": name,
                    "enabled": True,
                    "status": "ready",
                    "message": "",
                    "components": {},
                }
                status, _ = await self.ask("POST", "/hosts/integration-status", told)
                self.done.append(f"status of {name} {status}")

    async def report_docker(self) -> None:
        container = {
            "container_id": "c1", "name": "web", "image_name": "nginx", "image_tag": "1.27", "image_id": "i1",
            "image_repository": "nginx", "image_source": "docker-hub", "status": "running", "state": "running",
        }  # fmt: skip
        body = {"containers": [container], "images": [], "updates": None, "hostname": self.machine.hostname,
                "machine_id": "m-1", "agent_version": self.version}  # fmt: skip
        status, _ = await self.ask("POST", "/integrations/docker", body)
        self.done.append(f"docker {status}")

    # ------------------------------------------------------------ its own update

    async def _newest(self) -> dict[str, Any]:
        path = f"/hosts/agent/version?arch=amd64&os=linux&type=go&currentVersion={self.version}"
        status, told = await self.ask("GET", path)
        return dict(told) if status == 200 else {}

    async def update_itself(self) -> None:
        """Download, compare the digest, let the new one check its version, swap and restart."""
        newest = await self._newest()
        address = f"{self.url}/api/v1/hosts/agent/download?arch=amd64&os=linux"
        async with self.session.get(address, headers={**self.headers, "Accept-Encoding": "gzip"}) as answer:
            content = await answer.read()
            if answer.status != 200 or hashlib.sha256(content).hexdigest() != newest.get("hash"):
                self.done.append("update refused")
                return
        found = _VERSION.search(content)
        assert found
        before, self.version = self.version, found[1].decode()
        if not await self._newest():
            self.version = before
            self.done.append("the new version cannot check its version")
            return
        self.installed = content
        self.done.append(f"updated to {self.version}")
        await self.restart()

    # ------------------------------------------------------------ commands

    async def _obey(self) -> None:
        position = len(self.heard)
        while True:
            while position < len(self.heard):
                body = self.heard[position]
                position += 1
                await self._do(body)
            await asyncio.sleep(0.01)

    async def _do(self, body: dict[str, Any]) -> None:
        kind = body["type"]
        self.done.append(f"heard {kind}")
        if kind == "report_now":
            await self.full_report()
        elif kind == "settings_update":
            if body.get("update_interval", 0) > 0:
                self.machine.config["update_interval"] = body["update_interval"]
        elif kind == "refresh_integration_status":
            await self.report_integrations()
        elif kind == "docker_inventory_refresh":
            await self.report_docker()
        elif kind == "apply_config":
            config = body["config"]
            self.machine.config |= {"docker": config["docker"], "compliance": config["compliance"]["enabled"]}
            await self.restart()
        elif kind == "update_agent":
            await self.update_itself()
        elif kind == "run_patch":
            await self._patch(body)
        elif kind == "patch_run_stop":
            await self.say(
                body["patch_run_id"], "cancelled", "--- Patch run stopped by user at 2026-01-01T00:00:00Z ---\n"
            )
            await self.full_report()

    async def _patch(self, body: dict[str, Any]) -> None:
        run = body["patch_run_id"]
        await self.say(run, "started")
        names = body.get("package_names") or [body.get("package_name", "")]
        head = f"$ apt-get {'-s ' if body['dry_run'] else ''}--only-upgrade install {' '.join(names)}\n"
        await self.say(run, "progress", head)
        if "zlib1g" in names:
            # The one that never ends by itself.
            return
        if body["dry_run"]:
            text = head + "Inst bash [5.2.15] (5.2.21 Debian:12.5/stable [amd64])\n"
            await self.say(run, "dry_run_completed", text + "--- Dry run completed at 2026-01-01T00:00:00Z ---\n")
            return
        text = head + "Unpacking bash (5.2.21) over (5.2.15) ...\nSetting up bash (5.2.21) ...\n"
        self.machine.packages[0] |= {"currentVersion": "5.2.21", "needsUpdate": False, "isSecurityUpdate": False}
        self.machine.packages[0].pop("availableVersion", None)
        await self.say(run, "completed", text + "--- Patch run completed at 2026-01-01T00:00:00Z ---\n")
        await self.full_report()
