"""The accounts of others as JSON, for administrators."""

from typing import Final

from aiohttp import web

from server.core.paging import Window
from server.identity import accounts, cookies, entrance, schemas
from server.identity.models import SignedIn
from server.web.forms import query_number, read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()


@routes.post("/api/v1/auth/signup")
@open_to_all("people register themselves where the operator allows it", limit="auth")
async def sign_up(request: web.Request) -> web.Response:
    """Make one's own account and sign in."""
    asked = call(request)
    body = await read_json(request, schemas.SignUp)
    user = await accounts.register(asked, body.person())
    opened = await entrance.sign_in(asked, user.username, body.password, cookies.browser(request))
    assert isinstance(opened, SignedIn)
    seconds = cookies.remaining_seconds(asked, opened)
    answer = json_answer(schemas.signed_in(opened, "Account created successfully", seconds), status=201)
    await cookies.give(request, asked, answer, opened)
    return answer


@routes.get("/api/v1/auth/admin/users")
@gated("can_view_users")
async def list_users(request: web.Request) -> web.Response:
    """Answer accounts page by page, or ``all=true`` at once."""
    if request.query.get("all") == "true":
        found, total = await accounts.everybody(call(request))
        window = Window(1, max(1, total))
    else:
        window = Window(query_number(request, "page", 1), query_number(request, "pageSize", 50, most=200))
        found, total = await accounts.everybody(call(request), window.size, window.offset)
    pages = -(-total // window.size)
    pagination = {"total": total, "page": window.page, "pageSize": window.size, "totalPages": pages}
    return json_answer({"data": [schemas.user(one) for one in found], "pagination": pagination})


@routes.get("/api/v1/auth/users/for-assignment")
@gated("can_view_users")
async def pick_list(request: web.Request) -> web.Response:
    """Answer who can be given something to do."""
    found, _ = await accounts.everybody(call(request))
    return json_answer({"data": [schemas.pick(one) for one in found if one.is_active]})


@routes.post("/api/v1/auth/admin/users")
@gated("can_manage_users")
async def create_user(request: web.Request) -> web.Response:
    """Make an account that works at once."""
    body = await read_json(request, schemas.NewUser)
    user = await accounts.create(call(request), body.person(), body.role)
    return json_answer({"message": "User created successfully", "user": schemas.user(user)}, status=201)


@routes.put("/api/v1/auth/admin/users/{user_id}")
@gated("can_manage_users")
async def change_user(request: web.Request) -> web.Response:
    """Change what is named; the rest stays."""
    body = await read_json(request, schemas.UserChange)
    user = await accounts.change(call(request), path_text(request, "user_id"), body.change())
    return json_answer({"message": "User updated successfully", "user": schemas.user(user)})


@routes.delete("/api/v1/auth/admin/users/{user_id}")
@gated("can_manage_users")
async def delete_user(request: web.Request) -> web.Response:
    """Remove an account for good."""
    await accounts.remove(call(request), path_text(request, "user_id"))
    return json_answer({"message": "User deleted successfully"})


@routes.post("/api/v1/auth/admin/users/{user_id}/reset-password")
@gated("can_manage_users")
async def reset_password(request: web.Request) -> web.Response:
    """Give somebody another password; they sign in anew everywhere."""
    body = await read_json(request, schemas.NewPassword)
    user = await accounts.reset_password(call(request), path_text(request, "user_id"), body.new_password)
    return json_answer({"message": "Password reset successfully", "user": schemas.user(user)})
