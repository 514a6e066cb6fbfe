"""How the lists of this room open: as the address says, else as this person keeps them."""

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from server.hosts import service as hosts
from server.hosts.errors import HostMissing
from server.lists import service as lists
from server.packages import sources
from server.packages.errors import RepositoryMissing
from server.settings import service as settings
from server.web.routing import call, is_fragment
from server.web.tables import Table, Wanted, parse

#: The key of what does not exist: nothing matches it.
NOTHING: Final = -1


async def opened(request: web.Request, table: Table, query: MultiDict[str] | None = None) -> Wanted:
    """Return what is asked of a list; one opened without any wish opens as its reader keeps it."""
    choice = await lists.choice(call(request), table.name)
    given = MultiDict(request.query) if query is None else query
    if not given and choice.query and not is_fragment(request):
        given = MultiDict(parse_qsl(choice.query))
    return parse(table, given, kept=choice.columns)


async def named_host(request: web.Request, table: Table) -> tuple[Table, int | None]:
    """Return the key of the host that ``host`` names, and the list with its name for the chip."""
    uuid = request.query.get("host", "")
    if not uuid:
        return table, None
    try:
        head = await hosts.head(call(request), uuid)
    except HostMissing:
        return table, NOTHING
    return _with_word(table, "host", uuid, head.name), head.key


def may_patch(request: web.Request) -> bool:
    """Tell whether this person starts updates, and patching is switched on."""
    asked = call(request)
    return asked.actor.may("can_manage_patching") and "patching" not in settings.modules_off(asked.world)


async def can_be_patched(request: web.Request) -> bool:
    """Tell whether updates of the one host the list is of can be started from here; Windows updates itself."""
    return (await hosts.head(call(request), request.query["host"])).expected_platform != "windows"


async def named_repository(request: web.Request, table: Table) -> tuple[Table, int | None]:
    """Return the key of the repository that ``repository`` names, and the list with its name for the chip."""
    uuid = request.query.get("repository", "")
    if not uuid:
        return table, None
    try:
        found = await sources.find(call(request), uuid)
    except RepositoryMissing:
        return table, NOTHING
    return _with_word(table, "repository", uuid, found.label), found.key


def _with_word(table: Table, key: str, value: str, word: str) -> Table:
    filters = tuple(replace(one, choices=((value, word),)) if one.key == key else one for one in table.filters)
    return replace(table, filters=filters)
