"""`patchmon demo-fleet` at the command line."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.env import Env


async def run(env: Env, *arguments: str) -> tuple[int, str, str]:
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "patchmon"),
        "demo-fleet",
        *arguments,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": env.database_url.reveal(),
            "REDIS_URL": env.redis_url.reveal(),
            "AI_ENCRYPTION_KEY": "test master key",
            "JWT_SECRET": "test jwt secret " * 3,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await program.communicate()
    return program.returncode or 0, out.decode(), errors.decode()


@pytest.mark.real
async def test_it_fills_says_what_it_did_and_removes(env: Env, call: Call) -> None:
    code, said, progress = await run(env, "--hosts", "200")
    assert code == 0, progress
    assert re.search(r"Made 200 hosts with 40.000 packages, 8 jobs with [\d\u202f]+ events and 6.000 reports", said)
    assert "Hosts, packages, reports" in progress
    assert await call.db.value("select count(*) from hosts") == 200
    code, said, _ = await run(env, "--remove")
    assert (code, said.startswith("Removed 200 hosts")) == (0, True)
    _, said, _ = await run(env, "--remove")
    assert said == "There is no demonstration fleet.\n"


@pytest.mark.real
async def test_it_says_why_it_refuses(env: Env, call: Call) -> None:
    await call.db.execute("insert into hosts (friendly_name, api_id, api_key) values ('web-01', 'patchmon_1', '')")
    code, _, errors = await run(env, "--hosts", "5")
    assert code == 1
    assert "This database has 1 host that the demonstration did not make" in errors
