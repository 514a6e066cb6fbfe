"""Repositories over all hosts that somebody sees: lists, one of them, and what people say about its record."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.ids import is_uuid
from server.core.paging import Page, Window
from server.hosts import service as hosts
from server.packages import fleet
from server.packages.errors import RepositoryMissing, RepositoryNotUsed, WholeFleetNeeded
from server.packages.queries import sources
from server.packages.views import (
    Asked,
    Edit,
    PackageLine,
    RepositoriesAsked,
    Repository,
    RepositoryCounts,
    RepositoryHost,
)

_HANDFUL: Final = 500
_HIDDEN: Final = frozenset({"total", "enabled"})


async def page_of(call: Call, asked: RepositoriesAsked) -> Page[Repository]:
    """Return a page of repositories."""
    found, total = await part_of(call, asked, asked.window.size, asked.window.offset)
    return Page(found, total, asked.window)


async def part_of(call: Call, asked: RepositoriesAsked, limit: int, offset: int) -> tuple[list[Repository], int]:
    """Return a part of the repositories, and how many there are in all."""
    rows = await sources.list_repositories(call.db, call.actor.scope, asked, limit, offset)
    return [_repository(row) for row in rows], rows[0]["total"] if rows else 0


async def counts(call: Call, host_id: int | None = None) -> RepositoryCounts:
    """Return the numbers of all repositories, or of those one host uses."""
    return await sources.count_repositories(call.db, call.actor.scope, host_id)


async def export(call: Call, asked: RepositoriesAsked) -> AsyncIterator[list[Repository]]:
    """Return everything that matches, handful by handful."""
    number = 1
    while True:
        part = await page_of(call, replace(asked, window=Window(number, _HANDFUL)))
        yield part.items
        if number >= part.pages:
            return
        number += 1


async def find(call: Call, uuid: str) -> Repository:
    """Return one repository. Raises ``RepositoryMissing``, also for what none of the asker's hosts uses."""
    row = await sources.find_repository(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise RepositoryMissing
    return _repository(row)


async def hosts_of(call: Call, key: int, search: str, window: Window) -> Page[RepositoryHost]:
    """Return a page of the hosts that use a repository."""
    rows = await sources.list_hosts(call.db, call.actor.scope, key, search, window)
    found = [
        RepositoryHost(
            os=f"{row['os_type']} {row['os_version']}".strip(), **{name: row[name] for name in _HOST_COLUMNS}
        )
        for row in rows
    ]
    return Page(found, rows[0]["total"] if rows else 0, window)


_HOST_COLUMNS: Final = ("id", "name", "hostname", "ip", "enabled", "priority", "seen_at")


async def packages_of(call: Call, key: int, asked: Asked) -> Page[PackageLine]:
    """Return a page of the packages that come from a repository."""
    return await fleet.lines_of(call, replace(asked, repository_id=key))


async def edit(call: Call, uuid: str, wanted: Edit) -> Repository:
    """Change a repository's record; the hosts keep what they have.

    Raises ``RepositoryMissing`` or ``WholeFleetNeeded``: the record is everybody's.
    """
    before = await find(call, uuid)
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        await sources.update_repository(tx, before.key, wanted)
        row = await sources.find_repository(tx, call.actor.scope, uuid)
        if row is None:
            raise RepositoryMissing
        after = _repository(row)
        changed = {
            name: {"from": getattr(before, name), "to": getattr(after, name)}
            for name in ("name", "description", "switched_off", "priority")
            if getattr(before, name) != getattr(after, name)
        }
        if changed:
            await audit.record(tx, call, "packages.repository_changed", _subject(after), changed)
    return after


async def delete(call: Call, uuid: str) -> Repository:
    """Delete a repository's record; hosts that have it are asked to tell everything again, so it comes back.

    Raises ``RepositoryMissing`` or ``WholeFleetNeeded``.
    """
    found = await find(call, uuid)
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        used_by = await sources.delete_repository(tx, found.key)
        await sources.recount_links(tx, used_by)
        await hosts.ask_for_packages(tx, used_by)
        await audit.record(
            tx, call, "packages.repository_deleted", _subject(found), {"url": found.url, "hosts": found.hosts}
        )
    return found


async def enable(call: Call, host_uuid: str, uuid: str, *, enabled: bool) -> dict[str, Any]:
    """Say of one host whether it has a repository enabled, until it reports that otherwise; return the link.

    Raises ``RepositoryNotUsed``.
    """
    async with call.transaction() as tx:
        row = None
        if is_uuid(host_uuid) and is_uuid(uuid):
            row = await sources.update_link(tx, call.actor.scope, host_uuid, uuid, enabled=enabled)
        if row is None:
            raise RepositoryNotUsed
        detail = {"host": row["friendly_name"], "enabled": enabled}
        subject = Subject("repository", str(row["repository_id"]), row["name"])
        await audit.record(tx, call, "packages.repository_of_host_changed", subject, detail)
    return row


async def remove_unused(call: Call) -> list[dict[str, Any]]:
    """Delete the repositories that no host uses; return their ids, names and addresses.

    Raises ``WholeFleetNeeded``.
    """
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        gone = await sources.delete_orphans(tx)
        if gone:
            names = [row["name"] or row["url"] for row in gone]
            await audit.record(tx, call, "packages.unused_repositories_removed", detail={"repositories": names[:100]})
    return gone


def _demand_whole_fleet(call: Call) -> None:
    if call.actor.scope is not None:
        raise WholeFleetNeeded


def _subject(one: Repository) -> Subject:
    return Subject("repository", one.id, one.label)


def _repository(row: dict[str, Any]) -> Repository:
    return Repository(**{name: value for name, value in row.items() if name not in _HIDDEN})
