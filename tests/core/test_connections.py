"""Every time and limit of the connections to PostgreSQL and Redis does what its variable says."""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.core.db import Database, DatabaseBusy, DatabaseDown, DatabaseError
from server.core.embedded import programs
from server.core.env import DatabaseLimits, Env, RedisLink, read
from server.core.fetch import FetchFailed, fetcher
from server.core.redis import RedisError, open_redis
from server.settings import rules

SAID = {"DATABASE_URL": "postgresql://x", "JWT_SECRET": "j", "SESSION_SECRET": "s"}


def limits_of(**said: str) -> DatabaseLimits:
    return read({**SAID, **said}).database


@contextlib.asynccontextmanager
async def opened(env: Env, size: int = 4, **said: str) -> AsyncIterator[Database]:
    db = await Database.open(env.database_url.reveal(), size=size, tries=1, limits=limits_of(**said))
    try:
        yield db
    finally:
        await db.close()


@pytest.mark.proves("OPS-77")
def test_the_defaults_are_those_that_are_documented() -> None:
    assert read(SAID).database == DatabaseLimits(30, 2, 20, 10, 300, 1800, 10_000, 30_000, 60_000)
    assert read(SAID).redis == RedisLink(verify=True, authority=None, connect_ms=60_000, command_ms=60_000)
    assert rules.BY_NAME["oidc_session_ttl"].default == 600
    assert (read(SAID).database_pool, read(SAID).redis_url.reveal()) == (30, "redis://localhost:6379/0")


@pytest.mark.proves("ENV-38")
async def test_waiting_for_a_free_connection_ends(env: Env) -> None:
    async with opened(env, 1, DB_POOL_TIMEOUT="1") as db, db.transaction():
        started = time.monotonic()
        with pytest.raises(DatabaseBusy, match="timeout acquiring connection"):
            await db.value("select 1")
        assert 0.9 < time.monotonic() - started < 3
    # Whoever waited in vain took nothing with them.


@pytest.mark.proves("ENV-37")
async def test_a_process_has_no_more_connections_than_its_limit(env: Env) -> None:
    size = read({**SAID, "DB_CONNECTION_LIMIT": "3"}).database_pool
    async with opened(env, size) as db:
        pids = await asyncio.gather(*(db.value("select pg_backend_pid() from pg_sleep(0.1)") for _ in range(12)))
        assert len(set(pids)) == 3


@pytest.mark.proves("ENV-39")
async def test_opening_a_connection_ends() -> None:
    async with silence() as port:
        started = time.monotonic()
        with pytest.raises(DatabaseDown, match="DB_CONNECT_TIMEOUT"):
            await Database.open(f"postgresql://u@127.0.0.1:{port}/x", tries=1, limits=limits_of(DB_CONNECT_TIMEOUT="1"))
        assert 0.9 < time.monotonic() - started < 3


@pytest.mark.proves("ENV-40")
async def test_a_connection_that_nobody_uses_is_closed(env: Env) -> None:
    async with opened(env, 4, DB_IDLE_TIMEOUT="1") as db, opened(env, 1) as other:
        pids = await asyncio.gather(*(db.value("select pg_backend_pid() from pg_sleep(0.1)") for _ in range(4)))
        assert len(set(pids)) == 4
        alive = "select count(*) from pg_stat_activity where pid = any(%(pids)s)"
        assert await other.value(alive, pids=pids) == 4
        async with asyncio.timeout(5):
            while await other.value(alive, pids=pids):
                await asyncio.sleep(0.1)
        assert await db.value("select 1") == 1


@pytest.mark.proves("ENV-41")
async def test_a_connection_is_replaced_however_busy(env: Env) -> None:
    async with opened(env, 1, DB_MAX_LIFETIME="1") as db:
        first = await db.value("select pg_backend_pid()")
        async with asyncio.timeout(5):
            while await db.value("select pg_backend_pid()") == first:
                await asyncio.sleep(0.02)
    async with opened(env, 1, DB_MAX_LIFETIME="0", DB_IDLE_TIMEOUT="0") as db:
        first = await db.value("select pg_backend_pid()")
        await asyncio.sleep(0.5)
        assert await db.value("select pg_backend_pid()") == first


@pytest.mark.proves("ENV-42")
async def test_waiting_for_a_lock_or_a_transaction_ends(env: Env) -> None:
    async with opened(env, 2, DB_TRANSACTION_MAX_WAIT="300") as db:
        await db.execute("create table notes (text text)")
        async with db.transaction() as tx:
            await tx.execute("lock table notes")
            with pytest.raises(DatabaseError, match="lock timeout"):
                await db.execute("insert into notes values ('x')")
            async with db.transaction():
                started = time.monotonic()
                with pytest.raises(DatabaseBusy):
                    async with db.transaction():
                        pass
                assert time.monotonic() - started < 2


@pytest.mark.proves("ENV-43", "ENV-44")
async def test_a_transaction_that_takes_too_long_leaves_nothing(env: Env) -> None:
    async with opened(env, 2, DB_TRANSACTION_TIMEOUT="300", DB_TRANSACTION_LONG_TIMEOUT="1200") as db:
        await db.execute("create table notes (text text)")

        async def slow(*, long: bool) -> None:
            async with db.transaction(long=long) as tx:
                await tx.execute("insert into notes values ('x')")
                await asyncio.sleep(5)

        for long, least, most in ((False, 0.2, 1.0), (True, 1.0, 3.0)):
            started = time.monotonic()
            with pytest.raises(DatabaseBusy):
                await slow(long=long)
            assert least < time.monotonic() - started < most
        assert await db.value("select count(*) from notes") == 0
        async with db.transaction(long=True) as tx:
            await tx.execute("insert into notes select 'y' from pg_sleep(0.6)")
        assert await db.value("select count(*) from notes") == 1


async def test_a_use_cases_own_timeout_stays_its_own(env: Env) -> None:
    async with opened(env) as db:
        with pytest.raises(TimeoutError):
            async with db.transaction():
                raise TimeoutError


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[int]:
    """A Valkey on TCP with a user, a password with every kind of letter, and several databases."""
    port = free_port()
    users = tmp_path / "users.acl"
    users.write_text("user default on >" + PASSWORD + " ~* &* +@all\nuser patchmon on >other ~* &* +@all\n")
    process = await asyncio.create_subprocess_exec(
        str(programs.fetch_programs().valkey), "--port", str(port), "--bind", "127.0.0.1", "--aclfile", str(users),
        "--dir", str(tmp_path), "--save", "", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
    yield port
    process.terminate()
    await process.wait()


PASSWORD = "p@ss/w:rd?#%25"


async def ask(said: dict[str, str]) -> dict[str, str]:
    """Connect as the variables say and tell who and where we are."""
    env = read({**SAID, **said})
    redis = await open_redis(env.redis_url.reveal(), tries=1, link=env.redis)
    try:
        info: dict[str, str] = await redis.client_info()  # type: ignore[assignment]
        return {"user": str(info["user"]), "db": str(info["db"])}
    finally:
        await redis.aclose()


@pytest.mark.proves("ENV-85", "ENV-86", "ENV-87", "ENV-88", "ENV-89")
async def test_redis_is_reached_as_the_variables_say(guarded: int) -> None:
    there = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(guarded)}
    assert await ask({**there, "REDIS_PASSWORD": PASSWORD}) == {"user": "default", "db": "0"}
    named = {**there, "REDIS_USER": "patchmon", "REDIS_PASSWORD": "other", "REDIS_DB": "7"}
    assert await ask(named) == {"user": "patchmon", "db": "7"}
    assert await ask({**there, "REDIS_USER": "", "REDIS_PASSWORD": PASSWORD}) == {"user": "default", "db": "0"}
    with pytest.raises(RedisError, match=r"(?i)auth"):
        await ask(there)
    with pytest.raises(RedisError):
        await ask({**there, "REDIS_PASSWORD": "wrong"})


@pytest.mark.proves("ENV-90", "ENV-91", "ENV-92")
async def test_redis_behind_tls_is_checked_unless_it_must_not_be(guarded: int, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with behind_tls(guarded, made) as port:
        there = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "REDIS_PASSWORD": PASSWORD}
        assert await ask({**there, "REDIS_TLS": "true", "REDIS_TLS_CA": str(made.file)}) != {}
        assert await ask({**there, "REDIS_TLS": "true", "REDIS_TLS_VERIFY": "false"}) != {}
        with pytest.raises(RedisError, match=r"(?i)certificate"):
            await ask({**there, "REDIS_TLS": "true"})
        with pytest.raises(RedisError):
            await ask({**there, "REDIS_COMMAND_TIMEOUT_MS": "500"})


@pytest.mark.proves("ENV-93", "ENV-94")
async def test_redis_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with silence() as port:
        there = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
        for said in (
            {"REDIS_COMMAND_TIMEOUT_MS": "300"},
            {"REDIS_TLS": "true", "REDIS_TLS_CA": str(made.file), "REDIS_CONNECT_TIMEOUT_MS": "300"},
        ):
            started = time.monotonic()
            with pytest.raises(RedisError):
                await ask({**there, **said})
            assert time.monotonic() - started < 3


@contextlib.asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A port that takes connections and never says a word."""
    held: set[asyncio.StreamWriter] = set()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in held:
            writer.close()
        server.close()


@pytest.mark.proves("ENV-178")
async def test_a_private_authority_counts_for_what_the_server_opens(tmp_path: Path) -> None:
    made = certificate(tmp_path)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.file)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    said = {**SAID, "OUTBOUND_ALLOW_PRIVATE": "127.0.0.0/8"}
    try:
        trusting = read({**said, "NODE_EXTRA_CA_CERTS": str(made.file)})
        assert (await fetcher(trusting).get(url, limit_bytes=100)).body == b"hello"
        for env in (read(said), read({**said, "NODE_EXTRA_CA_CERTS": "/nowhere.pem"})):
            with pytest.raises(FetchFailed, match=r"(?i)certificate"):
                await fetcher(env).get(url, limit_bytes=100)
    finally:
        server.close()


@dataclass(frozen=True)
class Made:
    """A certificate that vouches for itself, and its key, in one file."""

    file: Path


def certificate(folder: Path) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a private authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "tls.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return Made(file)


@contextlib.asynccontextmanager
async def behind_tls(port: int, made: Made) -> AsyncIterator[int]:
    """A port that speaks TLS and passes everything on."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.file)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()
        far_writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


def free_port() -> int:
    import socket  # noqa: PLC0415 (only here)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
