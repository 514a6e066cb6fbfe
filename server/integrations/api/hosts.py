"""The scoped API: hosts for the programs of others."""

from collections.abc import Sequence
from typing import Final

import orjson
from aiohttp import web

from server.core.ids import is_uuid
from server.hosts import service as hosts
from server.integrations import rules, schemas, service
from server.integrations.api.doors import asking, worded
from server.integrations.errors import BadHostId
from server.integrations.models import Facts
from server.web.problems import json_answer
from server.web.routing import Routes, open_to_all, path_text

routes: Final = Routes()

_HOSTS: Final = "/api/v1/api/hosts"
_HOST: Final = "/api/v1/api/hosts/{host}"
_WHY: Final = "the token in the Basic credentials is what proves who asks"
_ROWS: Final = 10
_ROWS_MOST: Final = 100
_LONGEST_QUERY: Final = 20_000


def _text(text: str) -> web.Response:
    return web.Response(text=text + "\n", content_type="application/json")


def _listed(request: web.Request, name: str) -> list[str]:
    parts = request.query.get(name, "")[:_LONGEST_QUERY].replace("\0", "").split(",")
    return [part.strip() for part in parts if part.strip()]


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", "")
    return int(given) if given.isdecimal() and len(given) <= 3 and 1 <= int(given) <= _ROWS_MOST else _ROWS  # noqa: PLR2004 (keeps int() small)


@routes.get(_HOSTS)
@routes.get(f"{_HOSTS}/")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch hosts")
async def list_hosts(request: web.Request) -> web.Response:
    """Answer every host, or those of groups given by name or id."""
    asked, _ = await asking(request, "api", "get")
    chosen = _listed(request, "hostgroup")
    stats = any(part.lower() == "stats" for part in _listed(request, "include"))
    rows, total = await service.list_hosts(asked, chosen or None, stats=stats)
    filtered = _filter_told(chosen)
    return _text(f'{{"hosts":{rows},"total":{total}{filtered}}}')


def _filter_told(chosen: Sequence[str]) -> str:
    return f',"filtered_by_groups":{orjson.dumps(chosen).decode()}' if chosen else ""


@routes.get(f"{_HOST}/stats")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch host statistics")
async def stats(request: web.Request) -> web.Response:
    """Answer how many packages and updates a host has."""
    asked, _ = await asking(request, "api", "get")
    return json_answer(await service.count_packages(asked, path_text(request, "host")))


@routes.get(f"{_HOST}/info")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch host information")
async def info(request: web.Request) -> web.Response:
    """Answer who a host is."""
    return json_answer(schemas.info(await _host(request)))


@routes.get(f"{_HOST}/network")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch network information")
async def network(request: web.Request) -> web.Response:
    """Answer a host's addresses and interfaces."""
    return json_answer(rules.network(await _host(request)))


@routes.get(f"{_HOST}/system")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch system information")
async def system(request: web.Request) -> web.Response:
    """Answer what a host is made of."""
    return json_answer(rules.system(await _host(request)))


@routes.get(f"{_HOST}/packages")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch packages")
async def packages(request: web.Request) -> web.Response:
    """Answer a host's packages, security updates first."""
    asked, _ = await asking(request, "api", "get")
    host = await service.find_host(asked, path_text(request, "host"))
    rows, total = await service.list_packages(asked, host, updates_only=request.query.get("updates_only") == "true")
    named = orjson.dumps({name: host[name] for name in ("id", "hostname", "friendly_name")}).decode()
    return _text(f'{{"host":{named},"packages":{rows},"total":{total}}}')


@routes.get(f"{_HOST}/package_reports")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch package reports")
async def reports(request: web.Request) -> web.Response:
    """Answer a host's newest reports."""
    asked, _ = await asking(request, "api", "get")
    uuid = path_text(request, "host")
    found = await service.list_reports(asked, uuid, _limit(request))
    return json_answer({"host_id": uuid, "reports": found, "total": len(found)})


@routes.get(f"{_HOST}/agent_queue")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch agent queue")
async def agent_queue(request: web.Request) -> web.Response:
    """Answer what waits for a host and what ran on it."""
    asked, _ = await asking(request, "api", "get")
    host = await service.find_host(asked, path_text(request, "host"))
    return json_answer(await service.agent_queue(asked, host, _limit(request)))


@routes.get(f"{_HOST}/notes")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch notes")
async def notes(request: web.Request) -> web.Response:
    """Answer a host's notes."""
    host = await _host(request)
    return json_answer({"host_id": host["id"], "notes": host["notes"]})


@routes.get(f"{_HOST}/integrations")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch integrations")
async def integrations(request: web.Request) -> web.Response:
    """Answer which integrations a host has."""
    return json_answer(rules.integrations(await _host(request)))


@routes.delete(_HOST)
@open_to_all(_WHY, limit="general")
@worded("Failed to delete host")
async def delete(request: web.Request) -> web.Response:
    """Remove a host and everything known about it."""
    asked, _ = await asking(request, "api", "delete")
    uuid = path_text(request, "host")
    if not is_uuid(uuid):
        raise BadHostId
    return json_answer({"message": "Host deleted successfully", "deleted": await hosts.delete(asked, uuid)})


async def _host(request: web.Request) -> Facts:
    asked, _ = await asking(request, "api", "get")
    return await service.find_host(asked, path_text(request, "host"))
