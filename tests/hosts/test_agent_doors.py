"""What agents and their installers ask for, as the contract words it."""

import hashlib
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from subprocess import run

import bcrypt
import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import build
from server.core.call import Call, World
from server.core.env import Env
from server.core.loop import Keeper, in_thread
from server.core.redis import key
from server.settings import service as settings
from tests.factories.hosts import Agent, Browser, added, enrolled


@pytest.fixture
def env(env: Env, tmp_path: Path) -> Env:
    """The shelf of agent files is a folder of the test."""
    return replace(env, agents_dir=tmp_path)


def put_pyz(folder: Path, version: str = "3.1.0") -> bytes:
    path = folder / "patchmon-agent.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("agent/__init__.py", f'"""Agent."""\n\n__version__ = "{version}"\n')
    return path.read_bytes()


def put_go(folder: Path, name: str = "patchmon-agent-linux-amd64", version: str = "2.1.9") -> bytes:
    content = (
        b"\x7fELF"
        + b"\0" * 5000
        + f'-ldflags="-X patchmon-agent/internal/version.Version={version}"\n'.encode()
        + b"\0" * 500
    )
    (folder / name).write_bytes(content)
    return content


def complaints_of(command: list[str]) -> str:
    done = run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
async def test_an_imported_bcrypt_key_works_and_becomes_fast(client: Browser, call: Call, prefix: bytes) -> None:
    made = await added(call)
    stored = bcrypt.hashpw(made.api_key.reveal().encode(), bcrypt.gensalt(4)).replace(b"$2b$", b"$" + prefix + b"$")
    await call.db.execute("update hosts set api_key = %(stored)s", stored=stored.decode())
    assert (await Agent(client, made.api_id, "0" * 64).ping()).status == 401
    assert await call.db.value("select api_key from hosts") == stored.decode()
    agent = Agent(client, made.api_id, made.api_key.reveal())
    assert (await agent.ping()).status == 200
    assert await call.db.value("select api_key from hosts") == call.world.box.verifier(made.api_key.reveal())
    assert (await agent.ping()).status == 200


async def test_a_plain_legacy_key_works_and_is_hidden(client: Browser, call: Call) -> None:
    made = await added(call)
    await call.db.execute("update hosts set api_key = 'old and plain'")
    assert (await Agent(client, made.api_id, "other").ping()).status == 401
    assert (await Agent(client, made.api_id, "old and plain").ping()).status == 200
    assert str(await call.db.value("select api_key from hosts")).startswith("hmac-sha256:")
    assert (await Agent(client, made.api_id, "old and plain").ping()).status == 200


async def test_a_stored_verifier_is_not_itself_a_key(client: Browser, call: Call) -> None:
    made = await added(call)
    stored = await call.db.value("select api_key from hosts")
    assert (await Agent(client, made.api_id, str(stored)).ping()).status == 401
    await call.db.execute("update hosts set api_key = '$2b$10$damaged'")
    assert (await Agent(client, made.api_id, made.api_key.reveal()).ping()).status == 401
    await call.db.execute("update hosts set api_key = ''")
    assert (await Agent(client, made.api_id, made.api_key.reveal()).ping()).status == 401


async def test_the_interval_and_the_integrations(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, docker_enabled=True)
    answer = await agent.get("/settings/update-interval")
    assert await answer.text() == '{"updateInterval":60}\n'
    answer = await agent.get("/hosts/integrations")
    assert await answer.json() == {
        "success": True,
        "integrations": {"docker": True, "compliance": False},
        "compliance_mode": "disabled",
        "compliance_openscap_enabled": True,
        "compliance_docker_bench_enabled": False,
    }


async def test_integration_status_is_kept(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    steps = [{"step": "detect_os", "status": "done", "message": "", "timestamp": "2026-01-01T00:00:00Z"}]
    told = {
        "integration": "compliance",
        "enabled": True,
        "status": "installing",
        "message": "m",
        "install_events": steps,
    }
    answer = await agent.post("/hosts/integration-status", json=told)
    assert await answer.json() == {"success": True, "message": "Integration status received"}
    assert await call.db.value("select compliance_mode from hosts") == "disabled"
    ready = {"integration": "compliance", "enabled": True, "status": "ready", "components": {"openscap": "ready"}}
    await agent.post("/hosts/integration-status", json=ready)
    known = (await call.db.value("select integration_status from hosts"))["compliance"]
    assert known["install_events"] == steps
    assert known["components"] == {"openscap": "ready"}
    assert known["timestamp"]
    assert await call.db.value("select compliance_mode from hosts") == "enabled"
    await agent.post(
        "/hosts/integration-status", json={"integration": "docker", "status": "ready", "install_events": []}
    )
    both = await call.db.value("select integration_status from hosts")
    assert set(both) == {"compliance", "docker"}
    assert both["docker"]["components"] == {}
    await agent.post("/hosts/integration-status", json={**ready, "install_events": []})
    assert (await call.db.value("select integration_status from hosts"))["compliance"]["install_events"] == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"enabled": "perhaps"}', b'{"status": 4}'])
async def test_a_status_that_is_none_is_refused(client: Browser, call: Call, body: bytes) -> None:
    agent = await enrolled(call, client)
    answer = await agent.post("/hosts/integration-status", data=body)
    assert answer.status == 400
    assert await answer.json() == {"error": "Invalid JSON body"}


@pytest.mark.proves("AGENT-API-01", "AGENT-API-02", "AGENT-ENR-09")
async def test_a_script_s_token_is_exchanged_once(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    answer = await agent.get("/hosts/install")
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    assert "patchmon_install.sh" in answer.headers["Content-Disposition"]
    script = await answer.text()
    assert agent.api_key not in script
    assert agent.api_id not in script
    found = re.search(r"^BOOTSTRAP_TOKEN=(\w+)$", script, re.MULTILINE)
    assert found
    token = found[1]
    sealed = await call.world.redis.get(key("bootstrap", token))
    assert agent.api_key not in str(sealed)
    assert 290 < await call.world.redis.ttl(key("bootstrap", token)) <= 300
    answer = await client.post("/api/v1/hosts/bootstrap/exchange", json={"token": token})
    assert answer.status == 200
    assert await answer.text() == f'{{"apiId":"{agent.api_id}","apiKey":"{agent.api_key}"}}\n'
    answer = await client.post("/api/v1/hosts/bootstrap/exchange", json={"token": token})
    assert answer.status == 401
    assert await answer.json() == {"error": "Invalid or expired bootstrap token"}


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"token":""}'])
async def test_an_exchange_without_a_token_is_refused(client: Browser, body: bytes) -> None:
    answer = await client.post("/api/v1/hosts/bootstrap/exchange", data=body)
    assert answer.status == 400
    assert await answer.json() == {"error": "Bootstrap token required"}


async def test_what_the_script_is_made_with(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install?force=true&arch=arm64")).text()
    assert "FORCE_INSTALL=true" in script
    assert "ARCHITECTURE=arm64" in script
    assert "CURL_FLAGS=-s\n" in script
    assert f"PATCHMON_URL=http://127.0.0.1:{client.port}\n" in script
    await settings.change(call, {"ignore_ssl_self_signed": True})
    await settings.change_server_url(call, "https://patch.example.com")
    script = await (await agent.get("/hosts/install?arch=sparc;rm")).text()
    assert "CURL_FLAGS=-sk\n" in script
    assert "SKIP_SSL_VERIFY=true\n" in script
    assert "PATCHMON_URL=https://patch.example.com\n" in script
    assert "ARCHITECTURE=''" in script
    assert "sparc" not in script


@pytest.mark.proves("AGENT-API-06")
async def test_the_removal_script_is_public(client: Browser) -> None:
    answer = await client.get("/api/v1/hosts/remove")
    assert answer.status == 200
    script = await answer.text()
    assert "CURL_FLAGS=-s" in script
    assert "Removal Summary" in script
    answer = await client.get("/api/v1/hosts/remove?os=windows")
    assert answer.status == 200
    assert "Removal Summary" in await answer.text()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", ["install", "remove"])
async def test_the_scripts_are_clean(client: Browser, call: Call, script: str, tmp_path: Path) -> None:
    agent = await enrolled(call, client)
    path = tmp_path / script
    path.write_text(await (await agent.get(f"/hosts/{script}")).text())
    for shell in ("sh", "bash"):
        assert await in_thread(complaints_of, ["shellcheck", "-s", shell, str(path)]) == ""


@pytest.mark.parametrize("script", ["install", "remove"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
async def test_the_scripts_parse(client: Browser, call: Call, script: str, shell: str, tmp_path: Path) -> None:
    agent = await enrolled(call, client)
    path = tmp_path / script
    path.write_text(await (await agent.get(f"/hosts/{script}")).text())
    assert await in_thread(complaints_of, [shell, "-n", str(path)]) == ""


async def test_our_agent_is_handed_out(client: Browser, call: Call, env: Env) -> None:
    agent = await enrolled(call, client)
    content = put_pyz(env.agents_dir)
    answer = await agent.get("/hosts/agent/version?arch=amd64&os=linux&type=pyz&currentVersion=v3.0.0")
    assert answer.status == 200
    assert await answer.json() == {
        "currentVersion": "3.0.0",
        "latestVersion": "3.1.0",
        "hasUpdate": False,
        "autoUpdateDisabled": True,
        "autoUpdateDisabledReason": "Agent auto-update is disabled in server settings",
        "downloadUrl": "/api/v1/hosts/agent/download?arch=amd64&os=linux",
        "releaseNotes": "",
        "minServerVersion": None,
        "architecture": "amd64",
        "agentType": "pyz",
        "hash": hashlib.sha256(content).hexdigest(),
    }
    answer = await agent.get("/hosts/agent/download?arch=amd64&os=linux&type=pyz&force=binary")
    assert answer.status == 200
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="patchmon-agent.pyz"'
    assert await answer.read() == content


@pytest.mark.proves("AGENT-UPD-02", "AGENT-UPD-07")
async def test_an_update_is_offered_when_both_switches_are_on(client: Browser, call: Call, env: Env) -> None:
    agent = await enrolled(call, client)
    put_go(env.agents_dir)
    await settings.change(call, {"auto_update": True})
    path = "/hosts/agent/version?arch=amd64&os=linux&type=go&currentVersion="
    assert (await (await agent.get(path + "2.1.8")).json())["hasUpdate"] is True
    assert (await (await agent.get(path + "2.1.9-rc.4")).json())["hasUpdate"] is True
    assert (await (await agent.get(path + "2.1.9")).json())["hasUpdate"] is False
    assert (await (await agent.get(path + "2.1.10")).json())["hasUpdate"] is False
    put_go(env.agents_dir, version="2.1.11")
    assert (await (await agent.get(path + "2.1.10")).json())["hasUpdate"] is True
    await call.db.execute("update hosts set auto_update = false")
    told = await (await agent.get(path + "2.1.10")).json()
    assert told["hasUpdate"] is False
    assert told["autoUpdateDisabledReason"] == "Agent auto-update is disabled for this host"


async def test_existing_agents_get_their_own_file(client: Browser, call: Call, env: Env) -> None:
    agent = await enrolled(call, client)
    content = put_go(env.agents_dir)
    put_pyz(env.agents_dir)
    answer = await agent.get("/hosts/agent/download?arch=amd64&os=linux")
    assert await answer.read() == content
    assert answer.headers["Vary"] == "Accept-Encoding"
    answer = await agent.get("/hosts/agent/download?arch=arm64&os=linux")
    assert 'filename="patchmon-agent.pyz"' in answer.headers["Content-Disposition"]
    part = await client.get(
        "/api/v1/hosts/agent/download?arch=amd64&os=linux", headers={**agent.headers, "Range": "bytes=0-3"}
    )
    assert part.status == 206
    assert await part.read() == b"\x7fELF"


async def test_a_missing_or_unversioned_file_is_missing(client: Browser, call: Call, env: Env) -> None:
    agent = await enrolled(call, client)
    (env.agents_dir / "patchmon-agent-linux-amd64").write_bytes(b"\x7fELF no version here")
    answer = await agent.get("/hosts/agent/version?type=go&currentVersion=2.0.0")
    assert answer.status == 404
    body = await answer.json()
    assert body.pop("error").startswith("Agent binary not found for linux/amd64.")
    assert body["latestVersion"] is None
    assert body["hasUpdate"] is False
    assert body["currentVersion"] == "2.0.0"
    assert (await (await agent.get("/hosts/agent/version")).json())["currentVersion"] == "unknown"
    assert (await agent.get("/hosts/agent/download")).status == 404


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("os=plan9", "Invalid os. Must be one of: linux, freebsd, windows"),
        ("arch=sparc", "Invalid architecture for linux. Must be one of: 386, amd64, arm, arm64"),
        ("os=windows&arch=386", "Invalid architecture for windows. Must be one of: amd64, arm64"),
    ],
)
@pytest.mark.parametrize("door", ["version", "download"])
async def test_what_no_agent_exists_for(client: Browser, call: Call, query: str, text: str, door: str) -> None:
    agent = await enrolled(call, client)
    answer = await agent.get(f"/hosts/agent/{door}?{query}")
    assert answer.status == 400
    assert await answer.json() == {"error": text}


async def test_doors_of_agents_stay_closed_to_people(as_admin: Browser, world: World, keeper: Keeper) -> None:
    for path in ("install", "integrations", "agent/version", "agent/download"):
        assert (await as_admin.get(f"/api/v1/hosts/{path}")).status == 401
    async with TestClient(TestServer(build(world, keeper))) as stranger:
        assert (await stranger.get("/api/v1/settings/update-interval")).status == 401
