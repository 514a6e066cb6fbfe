"""What is done with many hosts, and tags, for people's programs."""

from typing import Final

from aiohttp import web

from server.core.words import counted
from server.hosts import bulk, fleet, tags
from server.hosts.api.listing import as_json
from server.hosts.errors import HostMissing
from server.hosts.listed import ForEach, Listed
from server.hosts.schemas import BulkGroupsBody, HostsBody, TagsBody, TagsChangeBody
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


def _results(uuids: list[str], result: ForEach) -> list[dict[str, object]]:
    """Return what became of each host that was named."""
    refused = dict(result.skipped)
    return [{"id": uuid, "success": uuid not in refused, "error": refused.get(uuid)} for uuid in uuids]


@routes.delete("/api/v1/hosts/bulk")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Remove many hosts; each is told of by itself."""
    body = await read_json(request, HostsBody)
    uuids = bulk.ids_of(body.host_ids)
    result = await bulk.delete(call(request), uuids)
    return json_answer(
        {
            "message": f"{counted(result.done, 'host')} deleted successfully",
            "deletedCount": result.done,
            "requestedCount": len(body.host_ids),
            "results": _results(uuids, result),
        }
    )


@routes.put("/api/v1/hosts/bulk/groups")
@gated("can_manage_hosts")
async def set_groups(request: web.Request) -> web.Response:
    """Set the groups of many hosts to exactly these."""
    body = await read_json(request, BulkGroupsBody)
    asked, uuids = call(request), bulk.ids_of(body.host_ids)
    result = await bulk.set_groups(asked, uuids, body.group_ids)
    changed, _ = await fleet.part(asked, Listed(selected=uuids), len(uuids) or 1, 0)
    return json_answer(
        {
            "message": f"Successfully updated {counted(result.done, 'host')}",
            "updatedCount": result.done,
            "hosts": [as_json(row) for row in changed],
            "results": _results(uuids, result),
        }
    )


@routes.put("/api/v1/hosts/bulk/tags")
@gated("can_manage_hosts")
async def change_tags(request: web.Request) -> web.Response:
    """Give many hosts tags and take others away; the rest of their tags stay."""
    body = await read_json(request, TagsChangeBody)
    add, remove = tags.read(body.added), tags.read(body.remove)
    done = await tags.change(call(request), bulk.ids_of(body.host_ids), add, sorted(remove))
    return json_answer({"message": f"{counted(done, 'host')} tagged", "updatedCount": done})


@routes.get("/api/v1/hosts/tags")
@gated("can_view_hosts")
async def known_tags(request: web.Request) -> web.Response:
    """Answer every tag in use with the number of its hosts."""
    found = await tags.known(call(request))
    return json_answer([{"tag": one.text, "key": one.key, "value": one.value, "count": one.hosts} for one in found])


@routes.get("/api/v1/hosts/{host}/tags")
@gated("can_view_hosts")
async def show_tags(request: web.Request) -> web.Response:
    """Answer a host's tags."""
    asked, uuid = call(request), path_text(request, "host")
    found, _ = await fleet.part(asked, Listed(selected=bulk.ids_of([uuid])), 1, 0)
    if not found:
        raise HostMissing
    return json_answer({"tags": dict(found[0].tags)})


@routes.put("/api/v1/hosts/{host}/tags")
@gated("can_manage_hosts")
async def set_tags(request: web.Request) -> web.Response:
    """Make these a host's tags."""
    body = await read_json(request, TagsBody)
    after = await tags.replace(call(request), path_text(request, "host"), tags.read(body.texts))
    return json_answer({"message": "Tags updated successfully", "tags": after})
