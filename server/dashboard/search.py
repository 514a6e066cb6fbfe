"""What the search finds across rooms; every room keeps the page that a hit leads to."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from server.core.call import Call
from server.core.db import Database
from server.core.scope import Groups
from server.dashboard.models import Found
from server.dashboard.queries import search as rows
from server.web.searching import Hit, Searcher

Read = Callable[[Database, Groups, str, int], Awaitable[list[Found]]]


def _search(read: Read, page: str) -> Callable[[Call, str, int], Awaitable[Sequence[Hit]]]:
    async def search(call: Call, words: str, limit: int) -> Sequence[Hit]:
        found = await read(call.db, call.actor.scope, words, limit)
        return [Hit(one.name, page.format(one.id), one.note, one.id) for one in found]

    return search


async def _people(call: Call, words: str, limit: int) -> Sequence[Hit]:
    found = await rows.list_people(call.db, words, limit)
    can_open = call.actor.may("can_manage_users")
    return [
        Hit(one.name, f"/settings/users/{one.id}" if can_open else "/settings/users", one.note, one.id) for one in found
    ]


SEARCHERS: Final = (
    Searcher(
        "Hosts",
        "server-2",
        "can_view_hosts",
        _search(rows.list_hosts, "/hosts/{}"),
        more="/hosts?search=",
        kind="host",
    ),
    Searcher(
        "Packages",
        "package",
        "can_view_packages",
        _search(rows.list_packages, "/packages/{}"),
        more="/packages?search=",
        kind="package",
    ),
    Searcher(
        "Repositories",
        "database",
        "can_view_packages",
        _search(rows.list_repositories, "/repositories/{}"),
        more="/repositories?search=",
        kind="repository",
    ),
    Searcher(
        "Host groups", "stack-2", "can_view_hosts", _search(rows.list_groups, "/hosts?group={}"), kind="host_group"
    ),
    Searcher("Jobs", "player-play", "can_view_hosts", _search(rows.list_jobs, "/jobs/{}"), kind="job"),
    Searcher("People", "users", "can_view_users", _people, kind="user"),
)
