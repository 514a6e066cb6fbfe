"""Every address of the application that can be read, as its own routes and lists have them."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import web

from server.app import build
from server.core.call import World
from server.core.loop import Keeper
from server.web.filters import Filter
from server.web.formats import link
from server.web.routing import gate_of
from server.web.tables import Table

#: What is sent without end, or is a file.
LEFT_OUT: Final = frozenset({"stream", "socket", "download", "upload"})
#: A value for each part of an address, from what is in the database.
VALUES: Final = {
    "host": "select uuid::text from hosts order by id limit 1",
    "api_id": "select api_id from hosts order by id limit 1",
    "group": "select uuid::text from host_groups order by id limit 1",
    "package": "select id::text from packages where name = 'openssl'",
    "repository": "select uuid::text from repositories order by id limit 1",
    "job": "select uuid::text from jobs order by id limit 1",
    "position": "select e.position::text from job_events e where e.job_id = (select min(id) from jobs) limit 1",
    "playbook": "select name from playbooks order by name limit 1",
    "role": "select 'admin'",
    "user_id": "select id::text from users order by created_at limit 1",
    "key": "select 'RATE_LIMIT_MAX'",
    "queue": "select 'hosts'",
    "integration": "select 'docker'",
    "container": "select uuid::text from docker_containers order by id limit 1",
    "image": "select uuid::text from docker_images order by id limit 1",
    "volume": "select uuid::text from docker_volumes order by id limit 1",
    "network": "select uuid::text from docker_networks order by id limit 1",
    "kind": "select 'containers'",
    "rule": "select uuid::text from compliance_rules order by id limit 1",
    "waiver": "select id::text from compliance_waivers order by id limit 1",
    "scan": "select uuid::text from compliance_scans order by id limit 1",
}
_TYPED: Final = {"text": "openssl", "flag": "1", "number": "1", "day": "2026-01-31"}
#: Searches and late pages of lists that are not described by a table.
MORE: Final = (
    "/hosts?search=web-fra",
    "/hosts?page=180",
    "/palette?q=web",
    "/palette?q=openssl",
    "/search?q=openssl",
    "/api/v1/search?q=openssl",
    "/api/v1/hosts/options?search=web-fra",
    "/api/v1/packages?search=openssl",
    "/api/v1/packages?page=8",
    "/jobs?page=6",
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Paths to ask for, and the patterns for which there was no value."""

    paths: list[str]
    left_out: list[str]


async def addresses(world: World) -> Addresses:
    """Return what can be read by somebody who is signed in."""
    values = {name: await world.db.value(sql) for name, sql in VALUES.items()}
    async with _keeping() as keeper:
        routes = list(build(world, keeper).router.routes())
    paths: set[str] = set()
    left_out: set[str] = set()
    for route in routes:
        gate = gate_of(route.handler)
        if route.method != "GET" or gate is None or gate.kind not in {"permission", "signed_in"} or not route.resource:
            continue
        canonical = route.resource.canonical
        names = _names(route.resource)
        if (route.name or "").rsplit(".", 1)[-1] in LEFT_OUT or any(not values.get(name) for name in names):
            left_out.add(canonical)
            continue
        paths.add(canonical.format(**{name: quote(str(values[name]), safe="") for name in names}))
    known = {path.partition("?")[0] for path in paths}
    more = {path for path in (*MORE, *of_tables()) if path.partition("?")[0] in known}
    return Addresses(sorted(paths | more), sorted(left_out))


def of_tables() -> Iterator[str]:
    """Return addresses that sort, filter, search and page every described list, one thing at a time."""
    for table in _tables():
        yield link(table.path, {"page": 8})
        if table.search:
            yield link(table.path, {"search": "web"})
        for column in table.columns:
            if column.sortable:
                yield link(table.path, {"sort": column.key, "direction": "asc"})
                yield link(table.path, {"sort": column.key, "direction": "desc"})
        for one in table.filters:
            if value := _value(one):
                yield link(table.path, {one.key: value})


def _tables() -> list[Table]:
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("server.")]
    found = {value.path: value for module in modules for value in vars(module).values() if isinstance(value, Table)}
    return list(found.values())


def _value(one: Filter) -> str:
    if one.kind in {"choice", "choices"}:
        return next((value for value, _ in one.choices if value), "")
    return _TYPED[one.kind]


@asynccontextmanager
async def _keeping() -> AsyncIterator[Keeper]:
    keeper = Keeper()
    yield keeper
    await keeper.close()


def _names(resource: web.AbstractResource) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in resource.canonical.split("{")[1:]]
