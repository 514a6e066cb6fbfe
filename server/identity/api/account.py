"""Signing in, sessions and permissions as JSON."""

from typing import Final

from aiohttp import web

from server import __version__
from server.core.errors import Unknown
from server.identity import cookies, entrance, people, schemas, service, sessions, setup
from server.identity.doorkeeper import REFRESH_COOKIE
from server.identity.models import SecondStep
from server.identity.sso import offers, oidc
from server.settings import service as settings
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()


@routes.post("/api/v1/auth/login")
@open_to_all("this is how one gets in", limit="auth")
async def login(request: web.Request) -> web.Response:
    """Sign in; programs use ``token`` as a bearer token, browsers get it as a cookie."""
    asked = call(request)
    body = await read_json(request, schemas.Login)
    opened = await entrance.sign_in(
        asked, body.username, body.password, cookies.browser(request), cookies.trust(request)
    )
    if isinstance(opened, SecondStep):
        return json_answer(schemas.second_step(opened))
    seconds = cookies.remaining_seconds(asked, opened)
    answer = json_answer(schemas.signed_in(opened, "Login successful", seconds))
    await cookies.give(request, asked, answer, opened)
    return answer


@routes.post("/api/v1/auth/refresh")
@open_to_all("the refresh token is what proves who asks", limit="auth")
async def refresh(request: web.Request) -> web.Response:
    """Give a living session new tokens; the refresh token is good once."""
    asked = call(request)
    token = request.cookies.get(REFRESH_COOKIE, "")
    if not token:
        raise Unknown
    opened, _ = await sessions.renew(asked, token, active=False)
    answer = json_answer({"expires_at": opened.expires_at})
    await cookies.give(request, asked, answer, opened)
    return answer


@routes.post("/api/v1/auth/logout")
@gated(while_enrolling=True)
async def logout(request: web.Request) -> web.Response:
    """End this session on the server and in the browser."""
    asked = call(request)
    ended = await sessions.sign_out(asked)
    elsewhere = await oidc.sign_out_url(asked, ended.id_token, origin(request).url) if ended.method == "oidc" else ""
    answer = json_answer({"message": "Logout successful", **({"logout_url": elsewhere} if elsewhere else {})})
    cookies.take(answer)
    return answer


@routes.post("/api/v1/auth/setup-admin")
@open_to_all(
    "nobody can sign in before there is an administrator; the one-time token of the set-up link lets in", limit="auth"
)
async def setup_admin(request: web.Request) -> web.Response:
    """Make the first administrator; the link's token comes as field or as query."""
    asked = call(request)
    body = await read_json(request, schemas.FirstAdmin)
    token = body.token or request.query.get("token", "")
    opened = await setup.create_first_admin(
        asked, body.person(), token, cookies.browser(request), server_url=body.server_url
    )
    seconds = cookies.remaining_seconds(asked, opened)
    answer = json_answer(schemas.signed_in(opened, "Admin user created successfully", seconds), status=201)
    await cookies.give(request, asked, answer, opened)
    return answer


@routes.get("/api/v1/auth/check-admin-users")
@open_to_all("the sign-in page has to know whether the set-up comes first")
async def check_admin_users(request: web.Request) -> web.Response:
    """Answer whether there is an administrator."""
    return json_answer({"hasAdminUsers": not await setup.is_needed(call(request))})


@routes.get("/api/v1/auth/signup-enabled")
@open_to_all("the sign-in page has to know")
async def signup_enabled(request: web.Request) -> web.Response:
    """Answer whether people may register themselves."""
    return json_answer({"signupEnabled": (await offers.offers(call(request))).signup})


@routes.get("/api/v1/settings/login-settings")
@open_to_all("the sign-in and set-up pages show it before anyone can sign in")
async def login_settings(request: web.Request) -> web.Response:
    """Answer what these pages need."""
    asked = call(request)
    has_admin = not await setup.is_needed(asked)
    decided = await settings.effective(asked)
    told = schemas.login_settings(decided, __version__, has_admin=has_admin)
    return json_answer({**told, **await offers.described(asked)})


@routes.post("/api/v1/auth/heartbeat")
@gated(while_enrolling=True)
async def heartbeat(_request: web.Request) -> web.Response:
    """Keep the session from falling idle; the gate has noted the activity."""
    return web.Response(status=204)


@routes.get("/api/v1/auth/profile")
@gated(while_enrolling=True)
async def profile(request: web.Request) -> web.Response:
    """Answer who asks."""
    return json_answer({"user": schemas.user(await service.me(call(request)))})


@routes.put("/api/v1/auth/profile")
@gated()
async def change_profile(request: web.Request) -> web.Response:
    """Change what the asker says about themselves."""
    body = await read_json(request, schemas.ProfileForm)
    user = await people.change_profile(call(request), body.profile())
    return json_answer({"message": "Profile updated successfully", "user": schemas.user(user)})


@routes.put("/api/v1/auth/change-password")
@gated(limit="password")
async def change_password(request: web.Request) -> web.Response:
    """Change the asker's password; their other sessions end."""
    body = await read_json(request, schemas.PasswordForm)
    await people.change_password(call(request), body.current_password, body.new_password)
    return json_answer({"message": "Password changed successfully"})


@routes.get("/api/v1/auth/sessions")
@gated()
async def list_sessions(request: web.Request) -> web.Response:
    """Answer the asker's living sessions."""
    asked = call(request)
    return json_answer({"sessions": [schemas.session(one, asked.actor.via) for one in await sessions.mine(asked)]})


@routes.delete("/api/v1/auth/sessions")
@gated()
async def end_other_sessions(request: web.Request) -> web.Response:
    """End all of the asker's sessions but this one."""
    await sessions.end_others(call(request))
    return json_answer({"message": "All other sessions revoked successfully"})


@routes.delete("/api/v1/auth/sessions/{session_id}")
@gated()
async def end_session(request: web.Request) -> web.Response:
    """End one of the asker's sessions."""
    await sessions.end(call(request), path_text(request, "session_id"))
    return json_answer({"message": "Session revoked successfully"})


@routes.get("/api/v1/me/context")
@gated(while_enrolling=True)
async def context(request: web.Request) -> web.Response:
    """Answer who asks, with permissions and modules."""
    asked = call(request)
    user = await service.me(asked)
    modules = await service.modules(asked)
    return json_answer(
        {
            "user": schemas.user(user),
            "tenant": {"multi_context": False, "host": request.host, "slug": "", "modules": modules},
            "permissions": schemas.flags(asked.actor.permissions),
            "admin_mode": False,
        }
    )


@routes.get("/api/v1/permissions/user-permissions")
@gated(while_enrolling=True)
async def user_permissions(request: web.Request) -> web.Response:
    """Answer the asker's permissions."""
    actor = call(request).actor
    return json_answer({"role": actor.role, **schemas.flags(actor.permissions)})


@routes.get("/api/v1/permissions/roles")
@gated("can_manage_users", "can_manage_settings")
async def roles(request: web.Request) -> web.Response:
    """Answer every role with its permissions."""
    return json_answer([schemas.role(one) for one in await service.roles(call(request))])
