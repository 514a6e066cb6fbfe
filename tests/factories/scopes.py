"""A fleet in two host groups, and people who see one of them."""

from dataclasses import dataclass
from typing import Any

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.identity import scopes
from server.identity.models import User
from tests.factories.people import person, token_of


@dataclass(frozen=True, slots=True)
class Fleet:
    """Two groups, each with a host of its own; ``both`` is in both, ``alone`` in none. All UUIDs."""

    north: str
    south: str
    inside: str
    outside: str
    both: str
    alone: str


async def group(call: Call, name: str) -> str:
    """Return the UUID of a new host group."""
    return str((await hosts.create_group(call, name, "", "#3B82F6"))["id"])


async def fleet(call: Call) -> Fleet:
    """Return four hosts in two groups."""
    north, south = await group(call, "north"), await group(call, "south")
    placed = {"inside": (north,), "outside": (south,), "both": (north, south), "alone": ()}
    made = {name: (await hosts.create(call, NewHost(name, groups))).uuid for name, groups in placed.items()}
    return Fleet(north, south, **made)


async def limited(call: Call, *groups: str, role: str = "host_manager") -> User:
    """Return a new person with this role who sees only these groups."""
    user = await person(call, role)
    await scopes.limit_user(call, user.id, groups)
    return user


async def program_of(call: Call, user: User) -> dict[str, Any]:
    """Return the headers of a program that acts for this person."""
    return {"Authorization": f"Bearer {await token_of(call, user)}", "Accept": "application/json"}
