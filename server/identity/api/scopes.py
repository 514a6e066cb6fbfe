"""The host groups that people and roles are limited to, as JSON."""

from typing import Final

from aiohttp import web

from server.identity import scope_schemas, scopes
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()


@routes.get("/api/v1/auth/admin/users/{user_id}/host-groups")
@gated("can_view_users")
async def show_user(request: web.Request) -> web.Response:
    """Answer what limits a person."""
    return json_answer(scope_schemas.limits(await scopes.of_user(call(request), path_text(request, "user_id"))))


@routes.put("/api/v1/auth/admin/users/{user_id}/host-groups")
@gated("can_manage_users")
async def limit_user(request: web.Request) -> web.Response:
    """Limit a person to exactly these host groups, or lift the limit."""
    asked, user_id = call(request), path_text(request, "user_id")
    body = await read_json(request, scope_schemas.HostGroupsBody)
    await scopes.limit_user(asked, user_id, body.host_groups)
    return json_answer(scope_schemas.limits(await scopes.of_user(asked, user_id)))


@routes.get("/api/v1/permissions/roles/{role}/host-groups")
@gated("can_manage_settings", module="rbac_custom")
async def show_role(request: web.Request) -> web.Response:
    """Answer which host groups a role is limited to."""
    return json_answer({"host_groups": await scopes.of_role(call(request), path_text(request, "role"))})


@routes.put("/api/v1/permissions/roles/{role}/host-groups")
@gated("can_manage_settings", module="rbac_custom")
async def limit_role(request: web.Request) -> web.Response:
    """Limit a role to exactly these host groups, or lift the limit."""
    asked, role = call(request), path_text(request, "role")
    body = await read_json(request, scope_schemas.HostGroupsBody)
    await scopes.limit_role(asked, role, body.host_groups)
    return json_answer({"host_groups": await scopes.of_role(asked, role)})
