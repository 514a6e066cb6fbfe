"""Packages over the fleet, for people's programs."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from aiohttp import web

from server.core.paging import Window
from server.hosts import service as hosts
from server.packages import fleet, schemas, sources
from server.packages.views import STATES, Asked
from server.web.exports import Row, send_csv, send_json
from server.web.filters import text
from server.web.forms import query_number, read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_PAGE_MOST: Final = 1000
_HOSTS_MOST: Final = 200
_TRUE: Final = frozenset({"1", "true", "yes"})
_SORTS: Final = {
    "name": "name",
    "latest": "latest",
    "latestVersion": "latest",
    "state": "state",
    "status": "state",
    "installs": "installs",
    "packageHosts": "installs",
    "category": "category",
}
_QUERY: Final = (
    "search",
    "category",
    "needsUpdate",
    "isSecurityUpdate",
    "filter",
    "host",
    "repository",
    "sort",
    "order",
)
_ACTIVITY_MOST: Final = 200


@routes.get("/api/v1/packages")
@documented(query=_QUERY)
@gated("can_view_packages")
async def list_packages(request: web.Request) -> web.Response:
    """Answer a page of the fleet's packages, each once."""
    window = Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=_PAGE_MOST))
    page, counts = await fleet.page_of(call(request), await _asked(request, window))
    return json_answer(
        {
            "packages": [schemas.line(one) for one in page.items],
            "totalInstalls": counts.installs,
            "pagination": page.place,
            "stats": {
                "packages": counts.packages,
                "outdatedPackages": counts.outdated,
                "securityPackages": counts.security,
                "outdatedHosts": counts.hosts,
                "outdatedHostsAtMost": counts.hosts_at_most,
                "countedAt": counts.counted_at,
            },
        }
    )


@routes.get("/api/v1/packages/categories/list")
@gated("can_view_packages")
async def list_categories(request: web.Request) -> web.Response:
    """Answer the categories there are."""
    return json_answer(await fleet.categories(call(request)))


@routes.get("/api/v1/packages/export.csv", name="packages.csv.download")
@documented(query=_QUERY, answers={200: "text/csv"})
@gated("can_view_packages")
async def export_csv(request: web.Request) -> web.StreamResponse:
    """Send every package that matches, as a table."""
    return await send_csv(request, "packages", schemas.EXPORTED, await _found(request))


@routes.get("/api/v1/packages/export.json", name="packages.json.download")
@documented(query=_QUERY, answers={200: "application/json"})
@gated("can_view_packages")
async def export_json(request: web.Request) -> web.StreamResponse:
    """Send every package that matches, as one JSON list."""
    return await send_json(request, "packages", await _found(request))


@routes.get("/api/v1/packages/{package}")
@gated("can_view_packages")
async def show(request: web.Request) -> web.Response:
    """Answer one package with the first of its hosts, those that are behind first."""
    asked = call(request)
    found = await fleet.head(asked, path_text(request, "package"))
    first = await fleet.hosts_of(asked, found, "", ("state", "desc"), Window(1, _HOSTS_MOST), pending=False)
    return json_answer(schemas.head(found, first.items, await fleet.systems(asked, found.key)))


@routes.patch("/api/v1/packages/{package}")
@gated("can_manage_packages")
async def say(request: web.Request) -> web.Response:
    """Change what is said of a package: its description, its category."""
    body = await read_json(request, schemas.PackageBody)
    after = await fleet.say(call(request), path_text(request, "package"), body.words())
    return json_answer(
        {"id": str(after.key), "name": after.name, "description": after.description, "category": after.category}
    )


@routes.get("/api/v1/packages/{package}/hosts")
@documented(query=("search", "needsUpdate"))
@gated("can_view_packages")
async def list_hosts(request: web.Request) -> web.Response:
    """Answer a page of the hosts that have a package."""
    asked = call(request)
    found = await fleet.head(asked, path_text(request, "package"))
    window = Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=_PAGE_MOST))
    pending = request.query.get("needsUpdate", "").lower() in _TRUE
    words = text(request.query.get("search", ""))
    page = await fleet.hosts_of(asked, found, words, ("name", "asc"), window, pending=pending)
    hosts_found = [schemas.host(one) for one in page.items]
    return json_answer({"hosts": hosts_found, "pagination": page.place})


@routes.get("/api/v1/packages/{package}/activity")
@gated("can_view_packages")
async def list_activity(request: web.Request) -> web.Response:
    """Answer what happened to a package, newest first."""
    asked = call(request)
    found = await fleet.head(asked, path_text(request, "package"))
    limit = query_number(request, "limit", 50, most=_ACTIVITY_MOST)
    offset = query_number(request, "offset", 0, least=0)
    page = await fleet.activity_of(asked, found.key, limit, offset)
    activities = [
        {
            "at": one.at,
            "hostId": one.host_id,
            "hostName": one.host_name,
            "kind": one.kind,
            "fromVersion": one.from_version,
            "toVersion": one.to_version,
            "wasSecurityUpdate": one.security,
        }
        for one in page
    ]
    return json_answer({"activities": activities})


async def _asked(request: web.Request, window: Window) -> Asked:
    query, asked = request.query, call(request)
    host = (await hosts.head(asked, query["host"])).key if query.get("host") else None
    repository = (await sources.find(asked, query["repository"])).key if query.get("repository") else None
    return Asked(
        search=text(query.get("search", "")),
        category=text(query.get("category", "")),
        state=_state(request),
        host_id=host,
        repository_id=repository,
        sort=_SORTS.get(query.get("sort", ""), "name"),
        direction="desc" if query.get("order", query.get("direction", "")) == "desc" else "asc",
        window=window,
    )


def _state(request: web.Request) -> str:
    query = request.query
    if query.get("isSecurityUpdate", "").lower() in _TRUE or query.get("filter") == "security-updates":
        return "security"
    if query.get("needsUpdate", "").lower() in _TRUE:
        return "regular" if query.get("isSecurityUpdate", "").lower() == "false" else "outdated"
    return query.get("filter", "") if query.get("filter") in STATES else ""


async def _found(request: web.Request) -> AsyncIterator[Sequence[Row]]:
    handfuls = fleet.export(call(request), await _asked(request, Window()))
    return ([schemas.exported(one) for one in handful] async for handful in handfuls)
