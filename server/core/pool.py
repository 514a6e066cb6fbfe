"""Connections to PostgreSQL and the pool of them: aiopg's, with what it lacks."""

import asyncio
import os
import sys
import weakref
from typing import Any, Final, cast

import aiopg
import orjson
import psycopg2
import psycopg2.extensions
import psycopg2.extras

from server.core.env import DatabaseLimits

_NEVER_SECONDS: Final = 1e9
_TIDY_SECONDS: Final = 30.0
_CONNECTING: Final = 20  # psycopg2's connection status while libpq still talks to the server's door


class Link(aiopg.Connection):
    """A connection that watches its own duplicate of libpq's socket.

    libpq closes its socket by itself when the server goes away, while uvloop still watches that number: from then on
    every connection that is given the same number fails. A duplicate is closed by nobody but us, after unwatching.

    Attributes:
        opened_at: in the loop's seconds, for the end of a connection's life.
        told: its statements are logged.
        prepared: the names of those that it has planned.
    """

    told = False

    def __init__(self, dsn: str, timeout: float, **options: Any) -> None:
        super().__init__(dsn, timeout, enable_json=False, enable_hstore=False, enable_uuid=False, **options)
        self.opened_at, self.prepared = self._loop.time(), dict[str, str]()
        self._loop.remove_reader(self._conn.fileno())
        self._watch()

    async def _poll(self, waiter: "asyncio.Future[None]", timeout: float) -> None:  # noqa: ASYNC109 (aiopg's own name)
        """Wait for the answer as aiopg does, but never lose that the task is to end.

        Its ``asyncio.wait_for`` forgets a cancellation that comes in the moment of the answer (before Python 3.12),
        and whoever follows something would follow it for ever.
        """
        self._ready(self._weakref)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except (asyncio.CancelledError, TimeoutError):
            await asyncio.shield(self.close())
            raise
        except psycopg2.extensions.QueryCanceledError as error:
            raise asyncio.CancelledError from error
        finally:
            self._waiter = None

    def _watch(self, *, writing: bool = False) -> None:
        self._fileno = os.dup(self._conn.fileno())
        self._writing = writing
        self._loop.add_reader(self._fileno, self._ready, self._weakref)
        if writing:
            self._loop.add_writer(self._fileno, self._ready, self._weakref)

    def _unwatch(self) -> None:
        if self._fileno is not None:
            self._loop.remove_reader(self._fileno)
            if self._writing:
                self._loop.remove_writer(self._fileno)
            os.close(self._fileno)
            self._fileno = None
            self._writing = False

    @staticmethod
    def _ready(weak_self: "weakref.ref[Any]") -> None:
        aiopg.Connection._ready(weak_self)  # noqa: SLF001 (the hook between libpq and the loop)
        link = weak_self()
        if link is not None:
            link._follow()  # noqa: SLF001 (a static method of its own class)

    def _follow(self) -> None:
        if self._fileno is None:
            return
        if self._conn.closed:
            self._unwatch()
        elif self._conn.status == _CONNECTING and not os.path.sameopenfile(self._fileno, self._conn.fileno()):
            # The name has several addresses, and libpq went on to the next one with a new socket.
            writing = self._writing
            self._unwatch()
            self._watch(writing=writing)

    def _close(self) -> None:
        self._unwatch()
        super()._close()


class Pool(aiopg.Pool):
    """aiopg's pool, filled with our connections."""

    limits: DatabaseLimits = DatabaseLimits()
    _tidying: asyncio.TimerHandle | None = None

    async def _fill_free_pool(self, override_min: bool) -> None:
        self._drop_old()
        most = self.maxsize or sys.maxsize
        while self.size < self.minsize or (override_min and not self._free and self.size < most):
            self._acquiring += 1
            try:
                async with asyncio.timeout(self.limits.connect_seconds):
                    link = cast("Link", await Link(self._dsn, self._timeout, **self._conn_kwargs))
                link.told = self.limits.statements
                psycopg2.extras.register_default_jsonb(link.raw, loads=orjson.loads)
                self._free.append(link)
                self._cond.notify()
            except TimeoutError as error:
                message = f"connecting took longer than {self.limits.connect_seconds:g} s (DB_CONNECT_TIMEOUT)"
                raise psycopg2.OperationalError(message) from error
            finally:
                self._acquiring -= 1

    def _drop_old(self) -> None:
        """Close connections that nobody uses and that are idle or old enough; those in use are looked at later."""
        now = self._loop.time()
        for link in [*self._free]:
            idle = now - link.last_usage > (self.limits.idle_seconds or _NEVER_SECONDS)
            old = now - getattr(link, "opened_at", now) > (self.limits.lifetime_seconds or _NEVER_SECONDS)
            if link.closed or idle or old:
                self._drop(link)

    def _drop(self, link: aiopg.Connection) -> None:
        self._free.remove(link)
        if not link.closed:
            link.close()

    def tidy(self) -> None:
        """Look for such connections from now on, also while nobody asks for one."""
        self._drop_old()
        limits = (self.limits.idle_seconds, self.limits.lifetime_seconds)
        every = min([_TIDY_SECONDS, *(max(0.1, seconds / 2) for seconds in limits if seconds)])
        self._tidying = self._loop.call_later(every, self.tidy)

    def close(self) -> None:
        """Close it, and stop looking."""
        if self._tidying is not None:
            self._tidying.cancel()
        super().close()
