"""Repositories over the fleet, for people's programs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from server.core.paging import Window
from server.hosts import service as hosts
from server.packages import schemas, sources
from server.packages.views import RepositoriesAsked
from server.web.exports import Row, send_csv, send_json
from server.web.filters import text
from server.web.forms import query_number, read_json
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_MOST: Final = 10_000
_HOSTS_MOST: Final = 1000
_SORTS: Final = {
    "name": "name",
    "url": "url",
    "distribution": "distribution",
    "security": "security",
    "type": "security",
    "status": "state",
    "state": "state",
    "hosts": "hosts",
    "hostCount": "hosts",
    "host_count": "hosts",
}
_QUERY: Final = ("search", "host", "status", "type", "sort", "order")


@routes.get("/api/v1/repositories")
@documented(query=(*_QUERY, "limit"))
@gated("can_view_hosts")
async def list_repositories(request: web.Request) -> web.Response:
    """Answer the repositories: all as a list, or a part with its place where ``limit`` is given."""
    asked = call(request)
    limit, offset = query_number(request, "limit", 50, most=1000), query_number(request, "offset", 0, least=0)
    wanted = await _asked(request)
    if "limit" not in request.query:
        page = await sources.page_of(asked, replace(wanted, window=Window(1, _MOST)))
        return json_answer([schemas.repository(one) for one in page.items])
    items, total = await sources.part_of(asked, wanted, limit, offset)
    found = [schemas.repository(one) for one in items]
    return json_answer({"items": found, "total": total, "limit": limit, "offset": offset})


@routes.get("/api/v1/repositories/stats/summary")
@gated("can_view_hosts")
async def summary(request: web.Request) -> web.Response:
    """Answer how many repositories there are, active and secure."""
    found = await sources.counts(call(request))
    return json_answer(
        {
            "totalRepositories": found.total,
            "activeRepositories": found.active,
            "secureRepositories": found.secure,
            "enabledHostRepositories": found.links,
            "securityPercentage": found.score,
        }
    )


@routes.get("/api/v1/repositories/export.csv", name="repositories.csv.download")
@documented(query=_QUERY, answers={200: "text/csv"})
@gated("can_view_hosts")
async def export_csv(request: web.Request) -> web.StreamResponse:
    """Send every repository that matches, as a table."""
    return await send_csv(request, "repositories", schemas.REPOSITORIES_EXPORTED, await _found(request))


@routes.get("/api/v1/repositories/export.json", name="repositories.json.download")
@documented(query=_QUERY, answers={200: "application/json"})
@gated("can_view_hosts")
async def export_json(request: web.Request) -> web.StreamResponse:
    """Send every repository that matches, as one JSON list."""
    return await send_json(request, "repositories", await _found(request))


@routes.get("/api/v1/repositories/host/{host}")
@gated("can_view_hosts")
async def of_host(request: web.Request) -> web.Response:
    """Answer the repositories of a host."""
    asked = call(request)
    key = (await hosts.head(asked, path_text(request, "host"))).key
    page = await sources.page_of(asked, RepositoriesAsked(host_id=key, window=Window(1, _MOST)))
    return json_answer([schemas.repository(one) for one in page.items])


@routes.delete("/api/v1/repositories/cleanup/orphaned")
@gated("can_manage_hosts")
async def clean_up(request: web.Request) -> web.Response:
    """Delete the repositories that no host uses."""
    gone = await sources.remove_unused(call(request))
    return json_answer(
        {
            "message": f"Cleaned up {len(gone)} orphaned repositories",
            "deletedCount": len(gone),
            "deletedRepositories": gone,
        }
    )


@routes.get("/api/v1/repositories/{repository}")
@gated("can_view_hosts")
async def show(request: web.Request) -> web.Response:
    """Answer one repository with (the first of) the hosts that use it."""
    asked = call(request)
    found = await sources.find(asked, path_text(request, "repository"))
    page = await sources.hosts_of(asked, found.key, "", Window(1, _HOSTS_MOST))
    links = [schemas.repository_host(one) for one in page.items]
    return json_answer({**schemas.repository(found), "host_repositories": links})


@routes.put("/api/v1/repositories/{repository}")
@gated("can_manage_hosts")
async def edit(request: web.Request) -> web.Response:
    """Change a repository's record."""
    body = await read_json(request, schemas.RepositoryBody)
    return json_answer(
        schemas.repository(await sources.edit(call(request), path_text(request, "repository"), body.edit()))
    )


@routes.delete("/api/v1/repositories/{repository}")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Delete a repository's record."""
    gone = await sources.delete(call(request), path_text(request, "repository"))
    told = {"id": gone.id, "name": gone.label, "url": gone.url, "hostCount": gone.hosts}
    return json_answer({"message": "Repository deleted successfully", "deletedRepository": told})


@routes.patch("/api/v1/repositories/host/{host}/repository/{repository}")
@gated("can_manage_hosts")
async def enable(request: web.Request) -> web.Response:
    """Say of one host whether it has a repository enabled."""
    asked, host, repository = call(request), path_text(request, "host"), path_text(request, "repository")
    await hosts.head(asked, host)
    body = await read_json(request, schemas.FlagBody)
    row = await sources.enable(asked, host, repository, enabled=body.is_enabled)
    word = "enabled" if body.is_enabled else "disabled"
    return json_answer({"message": f"Repository {word} for host", "hostRepository": row})


async def _asked(request: web.Request) -> RepositoriesAsked:
    query, asked = request.query, call(request)
    host = (await hosts.head(asked, query["host"])).key if query.get("host") else None
    # Programs say "type" for what the page calls security, which exports get as it stands in the page's address.
    security = query.get("type", "") or query.get("security", "")
    return RepositoriesAsked(
        search=text(query.get("search", "")),
        security={"https": "secure", "http": "insecure"}.get(security, security if security in _SECURITY else ""),
        state=query.get("status", "") if query.get("status") in _STATES else "",
        host_id=host,
        sort=_SORTS.get(query.get("sort", ""), "name"),
        direction="desc" if query.get("order", query.get("direction", "")) == "desc" else "asc",
    )


_SECURITY: Final = ("secure", "insecure")
_STATES: Final = ("active", "inactive")


async def _found(request: web.Request) -> AsyncIterator[Sequence[Row]]:
    handfuls = sources.export(call(request), await _asked(request))
    return ([schemas.repository_exported(one) for one in handful] async for handful in handfuls)
