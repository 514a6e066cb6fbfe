"""Single sign-on and Discord as JSON; the ways that browsers take are among the pages."""

from typing import Any, Final

from aiohttp import web

from server.core.call import Call
from server.identity.sso import config, discord, discovery, linked
from server.settings import service as settings
from server.settings.models import Settings
from server.web.forms import BadBody, read_json_value
from server.web.handler_code import documented, some_of
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, open_to_all

routes: Final = Routes()


@routes.get("/api/v1/auth/oidc/config")
@open_to_all("the sign-in page has to know")
async def oidc_config(request: web.Request) -> web.Response:
    """Answer what the sign-in page needs to know about single sign-on; it is on only while it works."""
    asked = call(request)
    await discovery.nudge(asked)
    ready = await discovery.ready(asked)
    decided = await settings.effective(asked)
    return json_answer(
        {
            "enabled": ready is not None,
            "buttonText": decided.oidc_button_text,
            "disableLocalAuth": ready is not None and ready[0].disable_local,
            "syncRoles": ready is not None and ready[0].sync_roles,
        }
    )


@routes.get("/api/v1/auth/oidc/settings")
@gated("can_manage_settings")
async def oidc_settings(request: web.Request) -> web.Response:
    """Answer how single sign-on is set up; of the secret only whether there is one."""
    return json_answer(await _oidc(call(request)))


@routes.put("/api/v1/auth/oidc/settings")
@documented(body=some_of(Settings, config.CHANGEABLE, **{config.FOR_OIDC: {"type": "string"}}))
@gated("can_manage_settings")
async def change_oidc_settings(request: web.Request) -> web.Response:
    """Change what is named; it counts at once."""
    asked = call(request)
    body = await _object(request)
    await config.change(asked, body)
    if isinstance(value := body.get(config.FOR_OIDC), str) and value:
        await config.change_secret(asked, config.FOR_OIDC, value)
    await discovery.look(asked)
    return json_answer(await _oidc(asked))


@routes.post("/api/v1/auth/oidc/settings/import-from-env")
@routes.post("/api/v1/auth/oidc/settings/import-env")
@gated("can_manage_settings")
async def import_environment(request: web.Request) -> web.Response:
    """Copy what the environment says into the database."""
    asked = call(request)
    await config.import_environment(asked)
    await discovery.look(asked)
    return json_answer(await _oidc(asked))


@routes.get("/api/v1/auth/discord/config")
@open_to_all("the sign-in page has to know")
async def discord_config(request: web.Request) -> web.Response:
    """Answer what the sign-in page needs to know about Discord."""
    asked = call(request)
    decided = await settings.effective(asked)
    return json_answer({"enabled": await discord.is_offered(asked), "buttonText": decided.discord_button_text})


@routes.post("/api/v1/auth/discord/unlink")
@gated()
async def unlink_discord(request: web.Request) -> web.Response:
    """Unlink Discord from the asker's account."""
    await linked.unlink(call(request), "discord")
    return json_answer({"message": "Discord account unlinked successfully"})


@routes.get("/api/v1/auth/discord/settings")
@gated("can_manage_settings")
async def discord_settings(request: web.Request) -> web.Response:
    """Answer how Discord is set up; of the secret only whether there is one."""
    return json_answer(await _discord(call(request)))


@routes.put("/api/v1/auth/discord/settings")
@documented(body=some_of(Settings, discord.CHANGEABLE, **{config.FOR_DISCORD: {"type": "string"}}))
@gated("can_manage_settings")
async def change_discord_settings(request: web.Request) -> web.Response:
    """Change what is named; it counts at once."""
    asked = call(request)
    body = await _object(request)
    await discord.change(asked, body)
    if isinstance(value := body.get(config.FOR_DISCORD), str) and value:
        await config.change_secret(asked, config.FOR_DISCORD, value)
    return json_answer({**await _discord(asked), "message": "Discord settings updated successfully"})


async def _oidc(asked: Call) -> dict[str, Any]:
    effective = await settings.decided(asked)
    decided = effective.settings
    found = await config.load(asked)
    preview = config.preview(asked)
    return {
        **{name: getattr(decided, name) for name in sorted(config.CHANGEABLE)},
        "oidc_client_secret_set": bool(found.client_secret.reveal()),
        "configured_via_env": bool(preview),
        "env_preview": preview,
        "sources": {name: effective.sources[name] for name in sorted(config.CHANGEABLE)},
        "callback_url": config.callback_url(decided),
        "initialized": await discovery.ready(asked) is not None,
        "problem": discovery.problem(asked),
    }


async def _discord(asked: Call) -> dict[str, Any]:
    decided = await settings.effective(asked)
    secret = await config.secret(asked, config.FOR_DISCORD)
    return {
        **{name: getattr(decided, name) for name in sorted(discord.CHANGEABLE)},
        "discord_client_secret_set": bool(secret.reveal()),
        "callback_url": discord.callback_url(decided),
    }


async def _object(request: web.Request) -> dict[str, Any]:
    value = await read_json_value(request)
    if not isinstance(value, dict):
        raise BadBody
    return value
