"""Every door of the API against what nobody would send: no 500, and nothing that the description does not tell."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from tests.factories.people import person, token_of

pytestmark = [pytest.mark.real, pytest.mark.made_up]
PROGRAM = Path(sys.executable).with_name("schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance"
#: Streams do not end, sockets are no HTTP, and one's own tokens and settings have to live until the run is over.
APART = r"/stream|/agents/ws|/settings($|/environment)|/auth/(logout|sessions|admin/users/)"


@pytest.fixture
def env(env: Env) -> Env:
    many = dict.fromkeys(("RATE_LIMIT_MAX", "AUTH_RATE_LIMIT_MAX", "AGENT_RATE_LIMIT_MAX"), "10000000")
    return replace(env, given=Secret({**many, "PASSWORD_RATE_LIMIT_MAX": "10000000"}), development=False)


async def fuzz(server: TestServer, folder: Path, *options: str) -> None:
    """Send a fixed list of made-up requests, and fail with what was found."""
    command = [
        str(PROGRAM), "run", str(server.make_url("/api/v1/openapi.json")), "--checks", CHECKS, "--seed", "1",
        "--phases", "coverage,fuzzing", "--max-examples", "8", "--request-timeout", "20", "--no-shrink",
        "--continue-on-failure", "--max-time", "50", "--warnings", "off", *options,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode(errors="replace")
    assert process.returncode == 0, said[-20_000:]


async def test_no_request_of_an_administrator_breaks_the_server(server: TestServer, call: Call, tmp_path: Path) -> None:
    token = await token_of(call, await person(call, "superadmin"))
    await fuzz(server, tmp_path, "-H", f"Authorization: Bearer {token}", "--exclude-path-regex", APART)


async def test_no_change_of_the_settings_breaks_the_server(server: TestServer, call: Call, tmp_path: Path) -> None:
    token = await token_of(call, await person(call, "superadmin"))
    await fuzz(server, tmp_path, "-H", f"Authorization: Bearer {token}", "--include-path-regex", "/settings")


async def test_no_request_of_a_stranger_breaks_the_server(server: TestServer, call: Call, tmp_path: Path) -> None:
    await person(call, "superadmin")
    await fuzz(server, tmp_path, "--exclude-path-regex", "/agents/ws")
