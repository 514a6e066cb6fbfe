"""Our extension of the scoped API: what a token may change when its scopes say so."""

from dataclasses import replace
from typing import Final

from aiohttp import web

from server.automation import service as automation
from server.automation.models import Order
from server.core.call import Call
from server.hosts import service as hosts
from server.identity.errors import ModuleOff
from server.integrations import write_schemas as schemas
from server.integrations.api.doors import asking, worded
from server.patching import service as patching
from server.patching.models import Wanted, Work
from server.settings import service as settings
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.repeats import key_of, replay_headers
from server.web.routing import Routes, open_to_all, path_text

routes: Final = Routes()

_GROUPS: Final = "/api/v1/api/host_groups"
_HOST: Final = "/api/v1/api/hosts/{host}"
_WHY: Final = "the token in the Basic credentials is what proves who asks"
#: What a scope lets its token do in the rooms that ask for permissions; each for its own door only.
_HOLDS: Final = {
    "patch": frozenset({"can_view_hosts", "can_manage_patching"}),
    "job": frozenset({"can_view_hosts", "can_manage_patching", "can_manage_automation"}),
}


async def _asking(request: web.Request, resource: str, action: str) -> Call:
    asked, _ = await asking(request, "api", action, resource)
    return asked.acting_as(replace(asked.actor, permissions=_HOLDS.get(resource, frozenset())))


@routes.get(_GROUPS)
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch host groups")
async def list_groups(request: web.Request) -> web.Response:
    """Answer every group."""
    return json_answer({"host_groups": await hosts.list_groups(await _asking(request, "host_group", "get"))})


@routes.post(_GROUPS)
@open_to_all(_WHY, limit="general")
@worded("Failed to create the host group")
async def create_group(request: web.Request) -> web.Response:
    """Add a group."""
    asked = await _asking(request, "host_group", "post")
    body = await read_json(request, schemas.GroupBody)
    return json_answer(await hosts.create_group(asked, body.name, body.description, body.color), 201)


@routes.put(f"{_GROUPS}/{{group}}")
@open_to_all(_WHY, limit="general")
@worded("Failed to change the host group")
async def change_group(request: web.Request) -> web.Response:
    """Change a group."""
    asked = await _asking(request, "host_group", "put")
    body = await read_json(request, schemas.GroupBody)
    return json_answer(
        await hosts.change_group(asked, path_text(request, "group"), body.name, body.description, body.color)
    )


@routes.delete(f"{_GROUPS}/{{group}}")
@open_to_all(_WHY, limit="general")
@worded("Failed to delete the host group")
async def delete_group(request: web.Request) -> web.Response:
    """Remove a group that no host is in."""
    await hosts.delete_group(await _asking(request, "host_group", "delete"), path_text(request, "group"))
    return json_answer({"message": "Host group deleted successfully"})


@routes.put(f"{_HOST}/groups")
@open_to_all(_WHY, limit="general")
@worded("Failed to change the host's groups")
async def set_groups(request: web.Request) -> web.Response:
    """Put a host into exactly these groups."""
    asked = await _asking(request, "host_group", "put")
    body = await read_json(request, schemas.MembershipBody)
    await hosts.set_groups(asked, path_text(request, "host"), body.group_ids)
    return json_answer({"message": "Host groups updated successfully"})


@routes.get(f"{_HOST}/tags")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch tags")
async def list_tags(request: web.Request) -> web.Response:
    """Answer a host's tags."""
    asked = await _asking(request, "tag", "get")
    host = path_text(request, "host")
    return json_answer({"host_id": host, "tags": await hosts.tags_of(asked, host)})


@routes.put(f"{_HOST}/tags")
@open_to_all(_WHY, limit="general")
@worded("Failed to change tags")
async def set_tags(request: web.Request) -> web.Response:
    """Make these a host's tags."""
    asked = await _asking(request, "tag", "put")
    body = await read_json(request, schemas.TagsBody)
    host = path_text(request, "host")
    after = await hosts.replace_tags(asked, host, hosts.read_tags(body.texts()))
    return json_answer({"host_id": host, "tags": after})


@routes.put(f"{_HOST}/notes")
@open_to_all(_WHY, limit="general")
@worded("Failed to change notes")
async def write_notes(request: web.Request) -> web.Response:
    """Write other notes about a host."""
    asked = await _asking(request, "note", "put")
    body = await read_json(request, schemas.NotesBody)
    host = path_text(request, "host")
    await hosts.edit(asked, host, {"notes": body.notes})
    return json_answer({"host_id": host, "notes": body.notes})


@routes.post("/api/v1/api/patch")
@open_to_all(_WHY, limit="general")
@worded("Failed to start the patch runs")
async def patch(request: web.Request) -> web.Response:
    """Make one patch run per host, by its policy."""
    asked = await _asking(request, "patch", "post")
    body = await read_json(request, schemas.PatchBody)
    if "patching" in (await settings.effective(asked)).disabled_modules:
        raise ModuleOff
    work = Work("patch_package" if body.packages else "patch_all", body.packages, body.dry_run)
    wanted = Wanted(work, body.hosts, body.groups, validate_only=body.dry_run, submit=body.submit_for_approval)
    made, replayed = await patching.trigger_once(asked, wanted, key_of(request))
    runs = [schemas.run_view(one) for one in made]
    return json_answer({"runs": runs}, 201, replay_headers(replayed=replayed))


@routes.post("/api/v1/api/jobs")
@open_to_all(_WHY, limit="general")
@worded("Failed to start the job")
async def launch(request: web.Request) -> web.Response:
    """Run a built-in playbook on hosts or groups."""
    asked = await _asking(request, "job", "post")
    body = await read_json(request, schemas.JobBody)
    order = Order(body.playbook, body.hosts, body.groups, body.variables, check=body.check, title=body.title)
    job = await automation.launch(asked, replace(order, idempotency_key=key_of(request)))
    # What was launched under the same key before was not made by this request.
    return json_answer(schemas.job_view(job), 201, replay_headers(replayed=job.created_at != asked.now))


@routes.get("/api/v1/api/jobs/{job}")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch the job")
async def show_job(request: web.Request) -> web.Response:
    """Answer where a job stands."""
    asked = await _asking(request, "job", "get")
    return json_answer(schemas.job_view(await automation.fetch(asked, path_text(request, "job"))))
