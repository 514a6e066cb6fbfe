"""Databases for tests: copies of the migrated one, made ahead of time and dropped when nobody is inside any more."""

import asyncio
import uuid
from typing import Final

from server.core.db import Database, DatabaseError
from server.core.loop import Keeper

TEMPLATE: Final = "patchmon_template"
_PATIENCE_SECONDS: Final = 0.25
_LOOKS: Final = 50
_LOOK_AGAIN_SECONDS: Final = 0.002
_TRIES: Final = 20


class Databases:
    """Gives each test a database of its own; while a test runs, the next one is copied."""

    def __init__(self, admin: Database, keeper: Keeper) -> None:
        self._admin = admin
        self._keeper = keeper
        self._spare: asyncio.Task[str] | None = None

    async def take(self) -> str:
        """Return the name of a fresh copy."""
        name = await (self._spare or self._ahead())
        self._spare = self._ahead()
        return name

    async def drop(self, name: str) -> None:
        """Drop a test's database.

        PostgreSQL itself looks again only after a tenth of a second when a session is about to go, and cannot end a
        vacuum that is inside just then; both are soon over.
        """
        await self._emptied(name)
        for attempt in range(1, _TRIES + 1):
            try:
                await self._admin.execute(f"drop database {name} with (force)")
            except DatabaseError:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                return

    async def close(self) -> None:
        """Wait for the copy that is being made: the server cannot stop cleanly in the middle of it."""
        if self._spare is not None:
            await self._spare

    async def _emptied(self, name: str) -> None:
        for _ in range(_LOOKS):
            if not await self._admin.value("select count(*) from pg_stat_activity where datname = %(name)s", name=name):
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _ahead(self) -> asyncio.Task[str]:
        return self._keeper.start("spare database", self._copy())

    async def _copy(self) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        # Copying files takes half as long as logging every block, and here nothing need survive a crash.
        await self._admin.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        return name
