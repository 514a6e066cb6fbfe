"""What is in deploy/ is read by the tools it is for, and the start command it names is run."""

import asyncio
import re
import shutil
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

from server.core.env import Env

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VARIABLES = re.compile(r"^([A-Z][A-Z0-9_]+)=", re.MULTILINE)


async def output_of(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda path: path.name)
async def test_units_are_understood_by_systemd(unit: Path, tmp_path: Path) -> None:
    # Where the program will be installed is not where it is now; everything else must be right.
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={program}", unit.read_text(), flags=re.MULTILINE))
    status, text = await output_of("systemd-analyze", "verify", "--man=no", str(copy))
    complaints = [line for line in text.splitlines() if unit.name in line]
    assert complaints == []
    assert status == 0, text


def test_the_compose_file_waits_for_healthy_services_and_names_what_exists() -> None:
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    services = compose["services"]
    server = services["server"]
    assert set(server["depends_on"]) == set(services) - {"server"}
    assert all(wait["condition"] == "service_healthy" for wait in server["depends_on"].values())
    assert all("healthcheck" in services[name] for name in server["depends_on"])
    assert all(
        service["restart"] == "unless-stopped" and service["env_file"] == ".env" for service in services.values()
    )
    folder = DEPLOY / "compose"
    assert (folder / server["build"]["context"]).resolve() == ROOT
    assert (ROOT / server["build"]["dockerfile"]).is_file()
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert used == set(compose["volumes"])


def test_every_variable_of_the_example_is_documented() -> None:
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/settings.md").read_text()))
    ours = {
        name
        for name in VARIABLES.findall((DEPLOY / "compose/env.example").read_text())
        if not name.startswith("POSTGRES_")
    }
    assert ours - documented == set()


def test_the_image_copies_files_that_exist_and_starts_the_server() -> None:
    text = (DEPLOY / "container/Dockerfile.server").read_text()
    joined = re.sub(r"\\\n\s*", " ", text)
    instructions = [line.split(maxsplit=1) for line in joined.splitlines() if line and not line.startswith("#")]
    names = {instruction[0] for instruction in instructions}
    assert names <= {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert ["USER", "patchmon"] in instructions
    assert ["CMD", '["patchmon", "serve"]'] in instructions
    targets = re.search(r"RUN make (.*?) &&", joined)
    assert targets is not None
    makefile = (
        (ROOT / "Makefile")
        .read_text()
        .replace("$(VENV)", ".venv")
        .replace("$(VENDOR_STAMP)", "server/web/static/vendor/.stamp")
    )
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in targets[1].split())


async def test_the_start_command_serves_with_a_given_database_and_redis(env: Env, unused_tcp_port: int) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "patchmon"), "serve",
        env={
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": env.database_url.reveal(),
            "REDIS_URL": env.redis_url.reveal(),
            "AI_ENCRYPTION_KEY": "key", "JWT_SECRET": "secret", "PORT": str(unused_tcp_port),
        },
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as browser, asyncio.timeout(20):
            while True:
                try:
                    answer = await browser.get(f"http://127.0.0.1:{unused_tcp_port}/health")
                except aiohttp.ClientConnectionError:
                    assert process.returncode is None, (await process.communicate())[1].decode()
                    await asyncio.sleep(0.1)
                else:
                    break
        assert answer.status == 200
        assert await answer.text() == "healthy"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await process.communicate()
    assert process.returncode == 0
