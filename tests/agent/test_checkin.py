"""Check-ins and reports on the wire, as the contract has them."""

import asyncio
import base64
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from tests.agent.conftest import Agent
from tests.stand_ins.agent_server import AgentServer, Request

FULL_KEYS = {
    "packages", "repositories", "osType", "osVersion", "architecture", "agentVersion", "machineId", "hostname", "ip",
    "kernelVersion", "selinuxStatus", "systemUptime", "bootTime", "loadAverage", "cpuModel", "cpuCores", "ramInstalled",
    "swapSize", "diskDetails", "gatewayIp", "dnsServers", "networkInterfaces", "executionTime", "needsReboot",
    "packageManager", "hashes", "agentExecutionMs",
}  # fmt: skip
#: What is told only where there is something to tell, or where the machine says it.
AS_FAR_AS_KNOWN = {
    "rebootReason", "installedKernelVersion", "unfinishedPackages", "cpuSockets", "cpuMhz", "ramUsed", "ramFree",
    "hardwareVendor", "hardwareProduct", "hardwareSerial",
}  # fmt: skip


async def checked_in(agent: Agent, server: AgentServer) -> tuple[Request, list[Request]]:
    done = await agent.run("check-in")
    assert done.code == 0, done.err
    return server.seen("/hosts/ping")[0], server.seen("/hosts/update")


async def test_nothing_changed(agent: Agent, server: AgentServer) -> None:
    ping, updates = await checked_in(agent, server)
    assert updates == []
    assert set(ping.json) == {"hashes", "metrics", "agentVersion", "agentExecutionMs"}
    assert set(ping.json["hashes"]) == {"packagesHash", "reposHash", "interfacesHash", "hostnameHash"}
    assert all(len(digest) == 64 for digest in ping.json["hashes"].values())
    metrics = ping.json["metrics"]
    assert metrics["cpuCores"] >= 1
    assert metrics["ramInstalled"] > 0
    assert metrics["needsReboot"] in (True, False)
    assert set(metrics["diskDetails"][0]) == {"name", "size", "mountpoint"}
    assert ping.headers["Content-Type"] == "application/json"
    assert ping.headers["User-Agent"] == f"patchmon-agent/{__version__}"


@pytest.mark.parametrize(
    ("asked", "claimed", "filled"),
    [
        (["packages"], ["packages"], {"packages", "packageManager"}),
        (["hostname", "repos"], ["repos", "hostname"], {"repositories", "hostname"}),
        (["interfaces", "docker", "later"], ["interfaces"], {"networkInterfaces", "ip", "gatewayIp", "dnsServers"}),
    ],
)
async def test_what_is_asked_for(
    agent: Agent, server: AgentServer, asked: list[str], claimed: list[str], filled: set[str]
) -> None:
    server.request_full = asked
    ping, updates = await checked_in(agent, server)
    assert len(updates) == 1
    body = updates[0].json
    assert body["sections"] == claimed
    always = {
        "osType",
        "osVersion",
        "architecture",
        "agentVersion",
        "machineId",
        "hashes",
        "agentExecutionMs",
        "sections",
    }
    assert {key for key, value in body.items() if value} - always == filled - {key for key in filled if not body[key]}
    assert body["hashes"] == ping.json["hashes"]
    # Numbers of parts that were not asked for are whole zeros, lists are null.
    assert body["cpuCores"] == 0
    assert body["loadAverage"] is None


async def test_only_other_sections_are_asked_for(agent: Agent, server: AgentServer) -> None:
    server.request_full = ["docker", "compliance"]
    _, updates = await checked_in(agent, server)
    assert updates == []


async def test_a_server_without_the_gate_gets_everything(agent: Agent, server: AgentServer) -> None:
    server.hash_gate = False
    _, updates = await checked_in(agent, server)
    body: dict[str, Any] = updates[0].json
    assert set(body) - AS_FAR_AS_KNOWN == FULL_KEYS
    assert isinstance(body["executionTime"], float)
    assert body["selinuxStatus"] in ("enabled", "permissive", "disabled")
    assert isinstance(body["loadAverage"], list)
    assert len(body["loadAverage"]) == 3
    assert {"name", "url", "distribution", "components", "repoType", "isEnabled", "isSecure"} == set(
        body["repositories"][0]
    )
    assert body["packageManager"] == "apt"


async def test_a_refused_part_is_followed_by_everything(agent: Agent, server: AgentServer) -> None:
    server.request_full = ["packages"]
    server.statuses["/hosts/update"] = 400
    done = await agent.run("check-in")
    assert done.code == 1
    bodies = [request.json for request in server.seen("/hosts/update")]
    assert [("sections" in body) for body in bodies] == [True, False]


@pytest.mark.proves("AGENT-RUN-09")
async def test_a_deleted_host_is_logged(agent: Agent, server: AgentServer) -> None:
    server.statuses["/hosts/ping"] = 401
    done = await agent.run("check-in")
    assert done.code == 1
    assert "401 Unauthorized" in agent.log


@pytest.mark.proves("AGENT-RUN-13", "AGENT-RUN-12", "ENV-158", "ENV-159", "AGENT-DIFF-05")
async def test_certificates_are_checked_unless_told_otherwise(agent: Agent, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command = [*make, "-keyout", str(key), "-out", str(certificate), *subject]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_tls, args=(listener, context), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        agent.configure(f"https://127.0.0.1:{port}")
        refused = await agent.run("ping")
        assert "TLS: failed to verify certificate" in refused.err
        agent.configure(f"https://127.0.0.1:{port}", skip_ssl_verify=True)
        assert (await agent.run("ping")).code == 0
        agent.configure(f"https://127.0.0.1:{port}")
        agent.environment["PATCHMON_SKIP_SSL_VERIFY"] = "true"
        assert (await agent.run("ping")).code == 0
        agent.configure(f"https://127.0.0.1:{port}", skip_ssl_verify=True)
        agent.environment["PATCHMON_ENV"] = "production"
        assert "TLS: failed to verify certificate" in (await agent.run("ping")).err


def _answer_tls(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    body = b'{"message":"Ping successful"}'
                    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                    secure.sendall(head.encode() + body)
            except (OSError, ssl.SSLError):
                continue


@pytest.mark.proves("AGENT-RUN-11")
async def test_requests_go_through_the_proxy(agent: Agent) -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_proxy, args=(listener, seen), daemon=True)
        thread.start()
        agent.environment["HTTP_PROXY"] = f"http://me:word@127.0.0.1:{listener.getsockname()[1]}"
        agent.configure("http://patchmon.example")
        assert (await agent.run("ping")).code == 0
    assert seen[0].startswith(b"POST http://patchmon.example/api/v1/hosts/ping HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:word") in seen[0]


def _proxy(listener: socket.socket, seen: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
