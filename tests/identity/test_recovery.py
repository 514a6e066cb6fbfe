"""Getting back in when nobody can: plain SQL on the documented columns, and the server's own command line."""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import bcrypt
import pyotp
import pytest

from server.core.call import Call
from server.core.env import Env
from tests.conftest import Browser
from tests.factories.people import PASSWORD, person, sign_in
from tests.identity.conftest import Move

ROOT: Final = Path(__file__).resolve().parents[2]
LOGIN: Final = "/api/v1/auth/login"


async def attempt(client: Browser, name: str, password: str = PASSWORD) -> tuple[int, dict[str, object]]:
    answer = await client.post(LOGIN, json={"username": name, "password": password})
    return answer.status, await answer.json()


async def with_second_step(client: Browser, username: str) -> str:
    """Turn the second step on, sign out, and return the secret of the codes."""
    await sign_in(client, username)
    secret = str((await (await client.get("/api/v1/tfa/setup")).json())["secret"])
    proved = await client.post("/api/v1/tfa/verify-setup", json={"token": pyotp.TOTP(secret).now()})
    assert proved.status == 200, await proved.text()
    await client.post("/api/v1/auth/logout")
    return secret


async def command(env: Env, *words: str, typed: str = "") -> tuple[int, str]:
    """Run ``patchmon`` against the test's database and return its status and everything it says."""
    given = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        "ENV_FILE": "",
        "DATABASE_URL": env.database_url.reveal(),
        "REDIS_URL": env.redis_url.reveal(),
        "AI_ENCRYPTION_KEY": env.master_key.reveal(),
        "JWT_SECRET": env.jwt_secret.reveal(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", *words, cwd=ROOT, env=given,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.proves("RECOV-01")
async def test_the_columns_that_recovery_edits_exist_and_no_command_resets_anything(call: Call, env: Env) -> None:
    columns = await call.db.column("select column_name from information_schema.columns where table_name = 'users'")
    assert set(columns) >= {
        "id", "username", "email", "role", "is_active", "password_hash", "created_at", "updated_at",
        "failed_login_attempts", "locked_until", "tfa_enabled", "tfa_secret", "tfa_backup_codes",
    }  # fmt: skip
    nullable = """
        select is_nullable
          from information_schema.columns
         where table_name = 'users' and column_name = 'password_hash'
    """
    assert await call.db.value(nullable) == "YES"
    _, said = await command(env, "--help")
    assert "create-admin" in said
    assert not {"reset-password", "disable-tfa", "unlock", "disable-2fa"} & set(said.replace(",", " ").split())


@pytest.mark.proves("RECOV-03", "LOCK-03")
async def test_the_documented_statement_unlocks_at_once(client: Browser, call: Call) -> None:
    user = await person(call)
    for _ in range(5):
        await attempt(client, user.username, "wrong")
    assert (await attempt(client, user.username))[0] == 429
    await call.db.execute(
        "UPDATE users SET failed_login_attempts=0, locked_until=NULL WHERE username=%(name)s", name=user.username
    )
    assert (await attempt(client, user.username))[0] == 200


@pytest.mark.proves("RECOV-04")
async def test_the_documented_statement_turns_the_second_step_off_at_once(client: Browser, call: Call) -> None:
    user = await person(call)
    await with_second_step(client, user.username)
    status, body = await attempt(client, user.username)
    assert (status, body.get("requiresTfa")) == (200, True)
    await call.db.execute(
        "UPDATE users SET tfa_enabled=false, tfa_secret=NULL, tfa_backup_codes=NULL WHERE username=%(name)s",
        name=user.username,
    )
    status, body = await attempt(client, user.username)
    assert (status, "token" in body) == (200, True)


@pytest.mark.proves("RECOV-06")
async def test_a_lock_of_the_second_step_ends_by_sql_and_by_time(client: Browser, call: Call, pass_time: Move) -> None:
    user = await person(call)
    secret = await with_second_step(client, user.username)

    async def code(token: str) -> int:
        _, first = await attempt(client, user.username)
        answer = await client.post("/api/v1/auth/verify-tfa", json={"tfa_ticket": first["tfaTicket"], "token": token})
        return answer.status

    assert [await code("000000") for _ in range(5)] == [401] * 4 + [429]
    good = pyotp.TOTP(secret)
    assert await code(good.at(int(time.time()) + 30)) == 429
    await call.db.execute(
        "UPDATE users SET tfa_failed_attempts=0, tfa_locked_until=NULL WHERE username=%(name)s", name=user.username
    )
    assert await code(good.at(int(time.time()) + 30)) == 200
    assert [await code("000000") for _ in range(5)] == [401] * 4 + [429]
    pass_time(timedelta(minutes=30, seconds=2))
    assert await code(good.at(int(time.time()) + 1802)) == 200


async def test_a_password_from_sql_lets_the_only_administrator_back_in(client: Browser, call: Call) -> None:
    user = await person(call, "superadmin")
    old = (await sign_in(client, user.username))["token"]
    stored = bcrypt.hashpw(b"Rescued-1!", bcrypt.gensalt(10)).decode()
    await call.db.execute(
        "UPDATE users SET password_hash=%(hash)s, updated_at=NOW() WHERE username=%(name)s",
        hash=stored,
        name=user.username,
    )
    assert (await attempt(client, user.username, "Rescued-1!"))[0] == 200
    assert (await attempt(client, user.username))[0] == 401
    # The browser signed in anew, so its session of before is gone.
    late = await client.get("/api/v1/auth/profile", headers={"Authorization": f"Bearer {old}"})
    assert late.status == 401


async def test_the_command_line_makes_an_administrator(client: Browser, call: Call, env: Env) -> None:
    weak = await command(env, "create-admin", "root", "root@example.com", typed="short\n")
    assert weak[0] == 1
    assert "password: Password does not meet the password policy: " in weak[1]
    status, said = await command(
        env, "create-admin", "rescuer", "r@example.com", "--first-name", "Ada", typed=f"{PASSWORD}\n"
    )
    assert (status, said.strip().splitlines()[-1]) == (0, "rescuer administers this server from now on.")
    assert PASSWORD not in said
    body = await sign_in(client, "rescuer")
    assert (body["user"]["role"], body["user"]["first_name"]) == ("superadmin", "Ada")
    taken = await command(env, "create-admin", "Rescuer", "other@example.com", typed=f"{PASSWORD}\n")
    assert (taken[0], "already in use" in taken[1]) == (1, True)
    made = await call.db.one("select actor_kind, actor_name from audit_log where action = 'identity.user_created'")
    assert made == {"actor_kind": "system", "actor_name": "command line"}
    assert await call.db.value("select count(*) from users") == 1
