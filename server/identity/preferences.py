"""What people choose for themselves: how pages look, and where they land after signing in."""

from dataclasses import dataclass, replace
from typing import Final

from server.core.call import Call
from server.identity import queries
from server.identity.errors import BadPerson, PersonMissing, PersonsOnly
from server.identity.models import Preferences

THEMES: Final = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Landing:
    """A page to land on."""

    key: str
    word: str
    path: str


LANDINGS: Final = (
    Landing("", "Overview", "/"),
    Landing("hosts", "Hosts", "/hosts"),
    Landing("packages", "Packages", "/packages"),
    Landing("jobs", "Jobs", "/jobs"),
)


async def mine(call: Call) -> Preferences:
    """Return what the asker chose."""
    found = await queries.find_preferences(call.db, call.actor.id)
    if found is None:
        raise PersonMissing
    return found


async def choose(call: Call, *, theme: str | None = None, landing: str | None = None) -> None:
    """Keep what the asker chose; ``None`` leaves it as it is. Raises ``BadPerson``."""
    if call.actor.kind != "person":
        raise PersonsOnly
    if theme is not None and theme not in THEMES:
        raise BadPerson({"theme": f"must be one of {', '.join(THEMES)}"})
    if landing is not None and landing not in {one.key for one in LANDINGS}:
        raise BadPerson({"landing": "must be one of the pages offered"})
    async with call.transaction() as tx:
        before = await queries.find_preferences(tx, call.actor.id)
        if before is None:
            raise PersonMissing
        after = replace(
            before,
            theme=before.theme if theme is None else theme,
            landing=before.landing if landing is None else landing,
        )
        await queries.update_preferences(tx, call.actor.id, after)


async def way_in(call: Call, user_id: str, return_to: str) -> str:
    """Return where somebody goes who just signed in: where they wanted to, else where they like to land."""
    if return_to != "/":
        return return_to
    found = await queries.find_preferences(call.db, user_id)
    chosen = found.landing if found else ""
    return next((one.path for one in LANDINGS if one.key == chosen), "/")
