"""PostgreSQL: statements with named parameters, and transactions."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast, overload

import aiopg
import orjson
import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras

from server.core.env import DatabaseLimits
from server.core.log import get_log
from server.core.pool import Pool
from server.core.prepared import Prepared

if TYPE_CHECKING:
    from server.core.call import Effect, World

log = get_log(__name__)

#: Rows, the names of their columns, and how many rows a statement touched.
_Found: TypeAlias = tuple[list[tuple[Any, ...]], list[str], int]
Row = TypeVar("Row")
Result = TypeVar("Result")

_UUID: Final = psycopg2.extensions.new_type((2950,), "uuid", psycopg2.STRING)
_UUIDS: Final = psycopg2.extensions.new_array_type((2951,), "uuid[]", _UUID)
#: Connection errors, shutting or starting up, no such database any more, too many connections.
_AWAY: Final = ("08", "57P", "3D000", "53300")
_ENDLESS: Final = "set local lock_timeout = 0; set local statement_timeout = 0"
_ATTEMPTS: Final = 4
_BACKOFF_SECONDS: Final = 0.025
_BACKOFF_LIMIT_SECONDS: Final = 0.5


class DatabaseDown(ConnectionError):
    """PostgreSQL did not answer after all tries; the text names the address, never the password."""


class DatabaseBusy(psycopg2.OperationalError):
    """No connection was free in time, or a transaction took longer than it may; asking again later may help."""


class Queries:
    """What a transaction and the database itself have in common: statements with named parameters."""

    async def _run(self, sql: str, params: dict[str, Any], *, fetch: bool) -> _Found:
        raise NotImplementedError

    @overload
    async def all(self, sql: str, /, **params: Any) -> list[dict[str, Any]]: ...

    @overload
    async def all(self, sql: str, kind: type[Row], /, **params: Any) -> list[Row]: ...

    async def all(self, sql: str, kind: type[Any] = dict, /, **params: Any) -> list[Any]:
        """Return every row as ``kind(**columns)``; without a kind, as a dict."""
        rows, names, _ = await self._run(sql, params, fetch=True)
        found = map(dict, map(zip, repeat(names), rows))
        return [*found] if kind is dict else [kind(**row) for row in found]

    @overload
    async def one(self, sql: str, /, **params: Any) -> dict[str, Any] | None: ...

    @overload
    async def one(self, sql: str, kind: type[Row], /, **params: Any) -> Row | None: ...

    async def one(self, sql: str, kind: type[Any] = dict, /, **params: Any) -> Any:
        """Return the first row, or ``None``."""
        rows, names, _ = await self._run(sql, params, fetch=True)
        return kind(**dict(zip(names, rows[0], strict=True))) if rows else None

    async def value(self, sql: str, /, **params: Any) -> Any:
        """Return the first column of the first row, or ``None``."""
        rows, _, _ = await self._run(sql, params, fetch=True)
        return rows[0][0] if rows else None

    async def column(self, sql: str, /, **params: Any) -> list[Any]:
        """Return the first column of every row."""
        rows, _, _ = await self._run(sql, params, fetch=True)
        return [row[0] for row in rows]

    async def execute(self, sql: str, /, **params: Any) -> int:
        """Run a statement that returns nothing; return how many rows it touched."""
        _, _, count = await self._run(sql, params, fetch=False)
        return count


class Tx(Queries):
    """One transaction on one connection: never share it between concurrent coroutines."""

    def __init__(self, connection: aiopg.Connection) -> None:
        self._connection = connection
        self._effects: list[Effect] = []

    async def _run(self, sql: str, params: dict[str, Any], *, fetch: bool) -> _Found:
        return await _statement(self._connection, sql, params, fetch=fetch)

    def after_commit(self, effect: "Effect") -> None:
        """Do this outside the database, only if and after the transaction commits."""
        self._effects.append(effect)

    async def run_effects(self, world: "World") -> None:
        """Run the effects in order; one that fails is logged and does not stop the others."""
        for effect in self._effects:
            try:
                await effect(world)
            except Exception:
                log.exception("effect_failed", effect=repr(effect))


class Database(Queries):
    """A pool of connections in UTC, each statement in its own transaction unless ``transaction`` is used."""

    def __init__(self, pool: aiopg.Pool, limits: DatabaseLimits) -> None:
        self._pool = pool
        self._limits = limits

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        size: int = 20,
        tries: int = 30,
        pause_seconds: float = 2.0,
        limits: DatabaseLimits = DatabaseLimits(),  # noqa: B008 (frozen)
    ) -> "Database":
        """Connect, waiting for a database that is still starting; ``DatabaseDown`` after all tries."""
        options = f"-c timezone=UTC -c lock_timeout={limits.wait_ms} -c statement_timeout={limits.long_transaction_ms}"
        statement_seconds = limits.long_transaction_ms / 1000 + 5
        for attempt in range(1, tries + 1):
            try:
                pool = Pool(
                    dsn, 1, size, statement_seconds, enable_json=False, enable_hstore=False, enable_uuid=False,
                    echo=False, on_connect=None, pool_recycle=-1, options=options,
                )  # fmt: skip
                pool.limits = limits
                async with pool.acquire():
                    pass
            except psycopg2.OperationalError as error:
                reason = str(error).strip().splitlines()[0]
                if attempt == tries:
                    message = f"database: {_address(dsn)}: connect: {reason[:1].lower()}{reason[1:]}"
                    raise DatabaseDown(message) from error
                log.warning("database_not_ready", attempt=attempt, of=tries, reason=reason)
                await asyncio.sleep(pause_seconds)
            else:
                pool.tidy()
                return cls(pool, limits)
        raise AssertionError

    async def close(self) -> None:
        """Close every connection, waiting for those in use."""
        self._pool.close()
        await self._pool.wait_closed()

    async def _run(self, sql: str, params: dict[str, Any], *, fetch: bool) -> _Found:
        async with self._connection(self._limits.pool_seconds) as connection:
            return await _statement(connection, sql, params, fetch=fetch)

    @asynccontextmanager
    async def _connection(self, within_seconds: float) -> AsyncIterator[aiopg.Connection]:
        try:
            async with asyncio.timeout(within_seconds):
                connection = await self._pool.acquire()
        except TimeoutError as error:
            raise self._exhausted(within_seconds) from error
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    def _exhausted(self, waited_seconds: float) -> DatabaseBusy:
        # The exact words stand in the operators' documentation; they search the log for them.
        log.error("DATABASE CONNECTION POOL EXHAUSTED!", waited_seconds=waited_seconds)
        log.error(f"Current limit: DB_CONNECTION_LIMIT={self._pool.maxsize}")  # noqa: G004
        log.error(f"Pool timeout: DB_POOL_TIMEOUT={self._limits.pool_seconds:g}s")  # noqa: G004
        log.error("Suggestion: Increase DB_CONNECTION_LIMIT in your .env file")
        return DatabaseBusy("timeout acquiring connection: connection pool exhausted")

    @asynccontextmanager
    async def transaction(self, *, long: bool = False, endless: bool = False) -> AsyncIterator[Tx]:
        """Begin, and commit at the end; an exception, a cancellation or the end of its time rolls back.

        A long one stores whole inventories; an endless one changes the schema, which takes as long as it takes.
        """
        limits = self._limits
        most_ms = limits.long_transaction_ms if long else limits.transaction_ms
        wait_seconds = min(limits.pool_seconds, limits.wait_ms / 1000 or limits.pool_seconds)
        async with self._connection(wait_seconds) as connection:
            deadline = asyncio.timeout(None if endless else most_ms / 1000)
            try:
                async with deadline:
                    await _statement(connection, "begin", {}, fetch=False)
                    if endless:
                        await _statement(connection, _ENDLESS, {}, fetch=False)
                    yield Tx(connection)
                    await _statement(connection, "commit", {}, fetch=False)
            except TimeoutError as error:
                await _roll_back(connection)
                if not deadline.expired():
                    raise
                name = "DB_TRANSACTION_LONG_TIMEOUT" if long else "DB_TRANSACTION_TIMEOUT"
                log.warning("transaction_too_long", limit_ms=most_ms, variable=name)
                message = f"context deadline exceeded: the transaction took longer than {most_ms} ms ({name})"
                raise DatabaseBusy(message) from error
            except BaseException:
                await _roll_back(connection)
                raise


def _address(dsn: str) -> str:
    parts = psycopg2.extensions.parse_dsn(dsn)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}"


async def _statement(connection: aiopg.Connection, sql: str, params: dict[str, Any], *, fetch: bool) -> _Found:
    if getattr(connection, "told", False):
        log.debug("statement", sql=" ".join(sql.split()))
    async with connection.cursor() as cursor:
        # It and its transaction, which we do not use, hold each other: the collector would have to find every cursor.
        cursor._transaction = None  # type: ignore[assignment]  # noqa: SLF001 (nothing public parts them)
        if isinstance(sql, Prepared):
            sql = await sql.ready(connection, cursor)
        await cursor.execute(sql, params or None)
        if not fetch or cursor.description is None:
            return [], [], cursor.rowcount
        rows = cast("list[tuple[Any, ...]]", await cursor.fetchall())
        return rows, [column.name for column in cursor.description], cursor.rowcount


async def _roll_back(connection: aiopg.Connection) -> None:
    try:
        await _statement(connection, "rollback", {}, fetch=False)
    except psycopg2.Error:
        # A connection that cannot even roll back (the server died, the call was cancelled mid-statement)
        # must not return to the pool; closing it makes PostgreSQL roll back by itself.
        connection.close()


def as_json(value: Any) -> str:
    """Return ``value`` as the JSON text a ``jsonb`` parameter takes: the way a list enters one statement."""
    return orjson.dumps(value).decode()


def containing(words: str) -> str:
    """Return the pattern with which ``like`` finds what contains these words, whatever signs stand in them."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def violates(error: BaseException, constraint: str) -> bool:
    """Tell whether ``error`` is a violation of the named constraint or unique index."""
    return isinstance(error, psycopg2.IntegrityError) and error.diag.constraint_name == constraint


def is_away(error: BaseException) -> bool:
    """Tell whether the database could not be reached or went away: nothing is wrong with what was asked of it."""
    if not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return False
    return error.pgcode is None or error.pgcode.startswith(_AWAY)


IntegrityError = psycopg2.IntegrityError
DatabaseError = psycopg2.Error


async def retried(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Run a whole use case again when PostgreSQL chose it as the victim of a deadlock or a conflict.

    Four attempts with full jitter (25 ms base, 500 ms cap): agents do not retry a refused report for an hour,
    so slow success beats failure.
    """
    for number in range(1, _ATTEMPTS + 1):
        try:
            return await attempt()
        except (psycopg2.errors.DeadlockDetected, psycopg2.errors.SerializationFailure):
            if number == _ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0, min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_SECONDS * 2**number)))  # noqa: S311 (jitter)
    raise AssertionError
