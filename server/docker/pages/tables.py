"""How each list is described, and what a query asks of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from server.core.call import Call
from server.core.paging import Page
from server.docker import fleet
from server.docker.references import SOURCES
from server.docker.views import Asked
from server.hosts import service as hosts
from server.hosts.errors import HostMissing
from server.web.filters import Filter
from server.web.routing import call
from server.web.tables import Column, Table, Wanted

_NAME: Final = Column("name", "Name", sortable=True, place="title", fixed=True)
_HOST: Final = Column("host", "Host", sortable=True)
_ACTIONS: Final = Column("actions", "Actions")
_HOST_FILTER: Final = Filter("host", "Host", hint="The id of one host")
STATUSES: Final = (("running", "Running"), ("exited", "Exited"), ("paused", "Paused"), ("restarting", "Restarting"))
#: The key of what does not exist: nothing matches it.
_NOTHING: Final = -1
_OFF: Final = "Nothing yet. Switch Docker on for a host (Integrations) and apply it: its agent reports within a minute."

STACKS: Final = Table(
    name="docker-stacks",
    path="/docker/stacks",
    noun="stack",
    columns=(
        Column("name", "Stack", sortable=True, place="title", fixed=True),
        Column("state", "Containers by status", place="state"),
        Column("host", "Host"),
        Column("containers", "Containers"),
    ),
    filters=(_HOST_FILTER,),
    search="Search stacks and hosts",
    sort="name",
    empty="No stack yet. Containers that Compose or Swarm started together appear here as one.",
    empty_icon="stack-2",
)
CONTAINERS: Final = Table(
    name="docker-containers",
    path="/docker/containers",
    noun="container",
    columns=(
        _NAME,
        Column("status", "Status", sortable=True, place="state"),
        Column("image", "Image", sortable=True),
        _HOST,
        Column("stack", "Stack", wide_only=True),
        Column("ports", "Ports", shown=False),
        Column("created", "Created", shown=False),
        Column("since", "Status since", shown=False),
        _ACTIONS,
    ),
    filters=(
        Filter("status", "Status", "choice", STATUSES),
        Filter("stack", "Stack", hint="The name of one stack"),
        _HOST_FILTER,
    ),
    search="Search by name, image or host",
    sort="status",
    empty=_OFF,
    empty_icon="box",
)
IMAGES: Final = Table(
    name="docker-images",
    path="/docker/images",
    noun="image",
    columns=(
        Column("repository", "Repository", sortable=True, place="title", fixed=True),
        Column("update", "Updates", place="state"),
        Column("source", "Source", sortable=True),
        Column("size", "Size", sortable=True, numeric=True, first="desc"),
        Column("containers", "Containers", numeric=True),
        Column("hosts", "On"),
        Column("created", "Built", shown=False),
        Column("checked", "Checked", shown=False),
        _ACTIONS,
    ),
    filters=(
        Filter("updates", "Updates available", "flag"),
        Filter("source", "Source", "choice", SOURCES),
        _HOST_FILTER,
    ),
    search="Search images",
    sort="repository",
    empty=_OFF,
    empty_icon="stack-2",
)
VOLUMES: Final = Table(
    name="docker-volumes",
    path="/docker/volumes",
    noun="volume",
    columns=(
        _NAME,
        Column("driver", "Driver", sortable=True),
        Column("mountpoint", "Mountpoint", wide_only=True),
        _HOST,
        Column("containers", "Containers", numeric=True),
        Column("created", "Created", shown=False),
        _ACTIONS,
    ),
    filters=(Filter("driver", "Driver", "choice"), _HOST_FILTER),
    search="Search volumes and hosts",
    sort="name",
    empty=_OFF,
    empty_icon="database",
)
NETWORKS: Final = Table(
    name="docker-networks",
    path="/docker/networks",
    noun="network",
    columns=(
        _NAME,
        Column("driver", "Driver", sortable=True),
        Column("scope", "Scope"),
        Column("subnet", "Subnet and gateway"),
        _HOST,
        Column("containers", "Containers", numeric=True),
        Column("created", "Created", shown=False),
        _ACTIONS,
    ),
    filters=(Filter("driver", "Driver", "choice"), _HOST_FILTER),
    search="Search networks and hosts",
    sort="name",
    empty=_OFF,
    empty_icon="network",
)
HOSTS: Final = Table(
    name="docker-hosts",
    path="/docker/hosts",
    noun="host",
    columns=(
        Column("name", "Host", sortable=True, place="title", fixed=True),
        Column("state", "Containers by status", place="state"),
        Column("containers", "Containers", sortable=True, numeric=True, first="desc"),
        Column("images", "Images", sortable=True, numeric=True, first="desc"),
        Column("version", "Engine"),
        Column("seen", "Last inventory"),
    ),
    search="Search hosts",
    sort="name",
    empty="No host has Docker switched on. Its switch is on the Integrations tab of each host.",
    empty_icon="server-2",
)
TABLES: Final[Mapping[str, Table]] = {
    "stacks": STACKS,
    "containers": CONTAINERS,
    "images": IMAGES,
    "volumes": VOLUMES,
    "networks": NETWORKS,
    "hosts": HOSTS,
}
_READERS: Final[Mapping[str, Callable[[Call, Asked], Awaitable[Page[Any]]]]] = {
    "stacks": fleet.stacks,
    "containers": fleet.containers,
    "images": fleet.images,
    "volumes": fleet.volumes,
    "networks": fleet.networks,
    "hosts": fleet.hosts,
}


async def described(request: web.Request, tab: str) -> tuple[Table, int | None]:
    """Return the list of a tab with the choices of its filters, and the key of the host it is narrowed to."""
    table, asked = TABLES[tab], call(request)
    filled: dict[str, Sequence[tuple[str, str]]] = {}
    if tab in {"volumes", "networks"}:
        filled["driver"] = [(one, one) for one in await fleet.drivers(asked, tab)]
    key = None
    if uuid := request.query.get("host", ""):
        try:
            head = await hosts.head(asked, uuid)
            key, filled["host"] = head.key, ((uuid, head.name),)
        except HostMissing:
            key = _NOTHING
    filters = tuple(replace(one, choices=filled.get(one.key, one.choices)) for one in table.filters)
    return replace(table, filters=filters), key


async def found(request: web.Request, tab: str, wanted: Wanted, host_key: int | None) -> Page[Any]:
    """Return the page of a tab that is wanted."""
    return await _READERS[tab](call(request), asked_of(wanted, host_key))


def asked_of(wanted: Wanted, host_key: int | None) -> Asked:
    """Return what a list wants; a filter that makes no sense is not in use."""

    def value(key: str) -> str:
        return wanted.value(key) if key not in wanted.complaints else ""

    return Asked(
        search=wanted.search,
        status=value("status"),
        source=value("source"),
        driver=value("driver"),
        stack=value("stack"),
        updates=value("updates") == "1",
        host_id=host_key,
        sort=wanted.sort,
        direction=wanted.direction,
        window=wanted.window,
    )
