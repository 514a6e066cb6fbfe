"""Who answers for playbooks that operators brought: may this actor launch one, and with which secrets?

An upper room registers itself while it is imported; ``app.drawers()`` imports every room, in servers, workers and
commands alike. Built-in playbooks need no such room.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from server.automation import rules
from server.automation.errors import MayNotLaunch
from server.automation.models import ENVIRONMENT, FILES, MASKED, Order, Playbook, Variables
from server.core.call import Call
from server.core.db import Queries, Tx

Level = Literal["", "view", "launch", "edit"]
BUILTIN: Final = "builtin"
#: Origins of playbooks that an upper room keeps begin like this; its project follows.
PROJECT: Final = "project:"


@dataclass(frozen=True, slots=True)
class Provided:
    """What a launch gets from above.

    Attributes:
        secrets: variables; they travel sealed, as those that a playbook declares secret.
        files: files of the project that are encrypted there, in clear, by name; base64.
        environment: variables of the play's environment.
        masked: texts inside ``files`` that are secret.
        approval: somebody else has to approve a real run first.
        complaints: why it cannot be launched, by field.
    """

    secrets: Variables = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    approval: bool = False
    complaints: Mapping[str, str] = field(default_factory=dict)

    def sealed(self, declared: Variables) -> Variables:
        """Return everything that is sealed with a job: what it declares secret, and this."""
        apart: Variables = {FILES: {**self.files}, ENVIRONMENT: {**self.environment}, MASKED: [*self.masked]}
        return {**declared, **self.secrets, **{name: value for name, value in apart.items() if value}}


@dataclass(frozen=True, slots=True)
class Offered:
    """What a launch form offers beside the variables.

    Attributes:
        credentials: those that the actor may use, as (UUID, name, kind).
        usual: UUIDs of those that the playbook usually gets.
        approval: a real run waits for somebody else.
    """

    credentials: tuple[tuple[str, str, str], ...] = ()
    usual: tuple[str, ...] = ()
    approval: bool = False


class Librarian(Protocol):
    """The room that keeps the playbooks of operators."""

    async def levels(self, db: Queries, call: Call, names: tuple[str, ...]) -> Mapping[str, Level]:
        """Return how far the actor may go with each of these playbooks; one that is left out is not to be seen."""

    async def provide(self, tx: Tx, call: Call, playbook: Playbook, order: Order) -> Provided:
        """Return what a launch needs; called after ``levels`` allowed it."""

    async def offered(self, call: Call, playbook: Playbook) -> Offered:
        """Return what its launch form offers."""


_registered: list[Librarian] = []


def register(librarian: Librarian) -> None:
    """Let this room answer from now on; the last one counts."""
    _registered[:] = [librarian]


async def levels(db: Queries, call: Call, playbooks: list[Playbook]) -> dict[str, Level]:
    """Return how far the actor may go with each playbook; those that nobody answers for are not to be seen."""
    found: dict[str, Level] = {
        one.name: "launch" if _may(call, one.name) else "view" for one in playbooks if not _is_brought(one)
    }
    brought = tuple(one.name for one in playbooks if _is_brought(one))
    for librarian in _registered if brought else []:
        found |= await librarian.levels(db, call, brought)
    return found


async def demand(db: Queries, call: Call, playbook: Playbook) -> None:
    """Raise ``MayNotLaunch`` unless the actor may launch (and stop, approve, launch again) this playbook."""
    if (await levels(db, call, [playbook])).get(playbook.name, "") not in {"launch", "edit"}:
        needed = "launch" if _is_brought(playbook) else " or ".join(rules.launch_permissions(playbook.name))
        raise MayNotLaunch(playbook=playbook.name, permission=needed)


async def offered(call: Call, playbook: Playbook) -> Offered:
    """Return what a launch form offers beside the variables."""
    for librarian in _registered:
        return await librarian.offered(call, playbook)
    return Offered()


async def provide(tx: Tx, call: Call, playbook: Playbook, order: Order) -> Provided:
    """Return what a launch gets from above; nothing for a built-in playbook without credentials."""
    if not _is_brought(playbook) and not order.options.credentials:
        return Provided()
    for librarian in _registered:
        return await librarian.provide(tx, call, playbook, order)
    return Provided(complaints={"credentials": "are not kept by this server"} if order.options.credentials else {})


def _is_brought(playbook: Playbook) -> bool:
    return playbook.origin.startswith(PROJECT)


def _may(call: Call, name: str) -> bool:
    return any(call.actor.may(permission) for permission in rules.launch_permissions(name))
