"""Roles as JSON."""

from typing import Final

from aiohttp import web

from server.identity import permissions, roles, schemas
from server.identity.errors import RoleMissing
from server.web.forms import BadBody, read_json_value
from server.web.handler_code import documented
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_FLAGS: Final = {"type": "object", "properties": {key: {"type": "boolean"} for key in sorted(permissions.KEYS)}}


@routes.get("/api/v1/permissions/roles/{role}")
@gated("can_manage_settings", module="rbac_custom")
async def show_role(request: web.Request) -> web.Response:
    """Answer one role with its flags."""
    return json_answer(schemas.role(await roles.find(call(request), path_text(request, "role"))))


@routes.put("/api/v1/permissions/roles/{role}")
@documented(body=_FLAGS)
@gated("can_manage_settings", module="rbac_custom")
async def save_role(request: web.Request) -> web.Response:
    """Make a role or change the flags that are named; flags that are not named stay as they are."""
    asked, role = call(request), path_text(request, "role")
    flags = await read_json_value(request)
    if not isinstance(flags, dict) or not all(isinstance(flags.get(key, True), bool) for key in permissions.KEYS):
        raise BadBody
    try:
        before = (await roles.find(asked, role)).permissions
    except RoleMissing:
        before = frozenset()
    named = {key: flags[key] for key in permissions.KEYS if key in flags}
    wanted = {key for key in permissions.KEYS if named.get(key, key in before)}
    saved = await roles.save(asked, role, wanted)
    return json_answer({"message": "Role permissions updated successfully", "permissions": schemas.role(saved)})


@routes.delete("/api/v1/permissions/roles/{role}")
@gated("can_manage_settings", module="rbac_custom")
async def delete_role(request: web.Request) -> web.Response:
    """Remove a role that nobody has."""
    await roles.remove(call(request), path_text(request, "role"))
    return json_answer({"message": "Role deleted successfully"})
