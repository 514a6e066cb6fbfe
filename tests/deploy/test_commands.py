"""The server-side commands, run as an operator runs them."""

import asyncio
import sys
from pathlib import Path

import pytest

from server import __version__
from server.core.call import Call
from server.core.env import Env
from tests.factories.people import person

PATCHMON = str(Path(sys.executable).parent / "patchmon")


@pytest.fixture
def environment(env: Env) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": env.database_url.reveal(),
        "REDIS_URL": env.redis_url.reveal(),
        "AI_ENCRYPTION_KEY": env.master_key.reveal(),
        "JWT_SECRET": env.jwt_secret.reveal(),
    }


async def patchmon(environment: dict[str, str], *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        PATCHMON, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_version(environment: dict[str, str]) -> None:
    assert await patchmon(environment, "version") == (0, f"PatchMon {__version__}\n")


async def test_the_schema_is_shown_and_forced(environment: dict[str, str], call: Call) -> None:
    newest = await call.db.value("select version from schema_migrations")
    assert (await patchmon(environment, "migrate", "version"))[1].endswith(f"Version: {newest} (dirty: false)\n")
    await call.db.execute("update schema_migrations set dirty = true")
    status, said = await patchmon(environment, "migrate", "up")
    assert (status, "Fix and force version." in said) == (1, True)
    status, said = await patchmon(environment, "migrate", "force", str(newest))
    assert (status, said.endswith(f"Version: {newest} (dirty: false)\n")) == (0, True)


async def test_a_token_is_made_for_a_known_person_only(environment: dict[str, str], call: Call) -> None:
    user = await person(call, "admin")
    status, said = await patchmon(environment, "tokens", "create", user.username, "--name", "pipeline")
    assert status == 0
    assert said.splitlines()[-1].startswith("pmt_")
    status, said = await patchmon(environment, "tokens", "create", "nobody-known")
    assert status == 1
    assert "not found" in said


async def test_a_backup_comes_back(environment: dict[str, str], call: Call, tmp_path: Path) -> None:
    user = await person(call, "admin")
    target = tmp_path / "patchmon.backup"
    status, said = await patchmon(environment, "backup", str(target))
    assert status == 0, said
    assert target.stat().st_mode & 0o777 == 0o600
    status, said = await patchmon(environment, "restore", str(target))
    assert status == 1, "a database that is not empty must be refused"
    await call.db.execute("delete from users")
    await call.world.db.close()
    status, said = await patchmon(environment, "restore", str(target), "--force")
    assert status == 0, said
    status, said = await patchmon(environment, "tokens", "create", user.username)
    assert status == 0, said


async def test_a_word_it_does_not_know_is_usage(environment: dict[str, str]) -> None:
    assert (await patchmon(environment, "fly"))[0] == 2
