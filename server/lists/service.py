"""Keeping views of lists under a name, and how a list opens for somebody."""

from collections.abc import Sequence
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.ids import is_uuid
from server.lists import queries
from server.lists.errors import PeopleOnly, TooManyViews, ViewMissing
from server.lists.models import Choice, NewView, View

MOST_VIEWS: Final = 200


async def views(call: Call, path: str = "") -> list[View]:
    """Return the views of a list (of all lists without a path) that the asker keeps, and those shared with everyone.

    Whether the asker may open the lists themselves is for the doors to say.
    """
    return await queries.list_views(call.db, _person(call), path)


async def links(call: Call, path: str) -> list[tuple[str, str]]:
    """Return the views of a list as its template takes them: name and address."""
    return [(view.name, view.address) for view in await views(call, path)]


async def find(call: Call, view_id: str) -> View:
    """Return a view that the asker may see."""
    found = await queries.find_view(call.db, _person(call), view_id) if is_uuid(view_id) else None
    if found is None:
        raise ViewMissing
    return found


async def keep(call: Call, new: NewView) -> View:
    """Keep a view; one of that name on that list is replaced. Raises ``PeopleOnly`` or ``TooManyViews``."""
    user_id = _demand_person(call)
    async with call.transaction() as tx:
        if await queries.count_views(tx, user_id) >= MOST_VIEWS:
            raise TooManyViews(most=MOST_VIEWS)
        view_id = await queries.keep_view(tx, user_id, new, call.now)
        if new.shared:
            await audit.record(tx, call, "lists.view_shared", Subject("view", view_id, new.name), {"list": new.path})
    return await find(call, view_id)


async def remove(call: Call, view_id: str) -> None:
    """Remove an own view, or as an administrator a shared one of anybody."""
    user_id = _demand_person(call)
    async with call.transaction() as tx:
        gone = await queries.delete_view(tx, user_id, view_id) if is_uuid(view_id) else None
        if gone is None and is_uuid(view_id) and call.actor.may("can_manage_settings"):
            gone = await queries.delete_view(tx, None, view_id)
        if gone is None:
            raise ViewMissing
        if gone["shared"]:
            subject = Subject("view", str(gone["id"]), gone["name"])
            await audit.record(tx, call, "lists.view_removed", subject, {"list": gone["path"]})


async def choice(call: Call, name: str) -> Choice:
    """Return how the list of that name opens for the asker."""
    user_id = _person(call)
    row = await queries.find_choice(call.db, user_id, name) if user_id else None
    return Choice(tuple(row["columns"]), row["query"]) if row else Choice()


async def choose(call: Call, name: str, columns: Sequence[str], query: str) -> None:
    """Let a list open like this for the asker from now on."""
    user_id = _demand_person(call)
    async with call.transaction() as tx:
        await queries.keep_choice(tx, user_id, name, columns, query)


async def forget(call: Call, name: str) -> None:
    """Let a list open as usual again."""
    user_id = _demand_person(call)
    async with call.transaction() as tx:
        await queries.delete_choice(tx, user_id, name)


def _person(call: Call) -> str | None:
    """Return whose views they are: a person's, also when a token of theirs asks."""
    return call.actor.id if call.actor.kind in {"person", "token"} and is_uuid(call.actor.id) else None


def _demand_person(call: Call) -> str:
    user_id = _person(call)
    if user_id is None:
        raise PeopleOnly
    return user_id
