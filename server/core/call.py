"""Call: who asks, when, and over which world; what a use case takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from server.core import clock
from server.core.ids import new_uuid

if TYPE_CHECKING:
    from server.core.bus import Bus
    from server.core.db import Database, Tx
    from server.core.env import Env
    from server.core.queue import Queue
    from server.core.redis import Redis
    from server.core.scope import Groups
    from server.core.secretbox import SecretBox

ActorKind = Literal["person", "token", "agent", "system", "nobody"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        kind: person (browser session), token (API token of a person), agent (a host), system, nobody.
        id: user id of a person or token's owner, host's api_id of an agent, a word for the system.
        name: what the audit log shows.
        permissions: the permission keys that hold for this request.
        via: which session or token was used, for the audit log; empty when none.
        via_name: the name its owner gave a token.
        partial: a token that holds only some of its owner's permissions; its owner's rank is not among them.
        address: the client's address as far as proxies are trusted.
        groups: UUIDs of the host groups that the actor is limited to; ``None`` is the whole fleet.
        has_second_factor: whether more than a password is asked for at the sign-in, or somebody else takes care of it.
        factor_asked_at: since when a second factor is demanded; ``None`` while it is not.
        enrol_by: until when the actor has to set one up; ``None`` when there is nothing to set up.
        theme: light, dark or auto; empty when the person never chose.
    """

    kind: ActorKind
    id: str = ""
    name: str = ""
    role: str = ""
    permissions: frozenset[str] = frozenset()
    via: str = ""
    via_name: str = ""
    partial: bool = False
    address: str = ""
    groups: frozenset[str] | None = None
    has_second_factor: bool = True
    factor_asked_at: datetime | None = None
    enrol_by: datetime | None = None
    theme: str = ""

    @property
    def scope(self) -> "Groups":
        """The host groups as the statements take them."""
        return None if self.groups is None else sorted(self.groups)

    def may(self, permission: str) -> bool:
        """Tell whether the actor holds ``permission``; the system holds all."""
        return self.kind == "system" or permission in self.permissions


NOBODY = Actor("nobody")


def system(name: str) -> Actor:
    """Return the audited actor for work nobody asked for directly (schedules, quick start)."""
    return Actor("system", id=name, name=name)


@dataclass(frozen=True, slots=True)
class World:
    """The opened resources, built once in ``app.py`` or ``worker.py`` and handed in everywhere."""

    env: "Env"
    db: "Database"
    redis: "Redis"
    bus: "Bus"
    queue: "Queue"
    box: "SecretBox"


class Effect(Protocol):
    """Something done outside the database once the transaction is committed."""

    async def __call__(self, world: World, /) -> None:
        """Carry it out; failures are logged, the commit stands."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, task or message on its way through the rooms."""

    world: World
    actor: Actor
    now: datetime = field(default_factory=clock.now)
    request_id: str = field(default_factory=new_uuid)

    @property
    def db(self) -> "Database":
        """The database, for single reads that need no transaction."""
        return self.world.db

    @asynccontextmanager
    async def transaction(self, *, long: bool = False) -> AsyncIterator["Tx"]:
        """Open the use case's one transaction; its effects run after the commit.

        A long one stores whole inventories and may take longer.
        """
        async with self.world.db.transaction(long=long) as tx:
            yield tx
        await tx.run_effects(self.world)

    def acting_as(self, actor: Actor) -> "Call":
        """Return the same call with another actor (an agent authenticated on the way)."""
        return replace(self, actor=actor)
