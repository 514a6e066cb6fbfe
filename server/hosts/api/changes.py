"""Changes of one host, for people's programs."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from server.hosts import forms, service
from server.hosts.api.fleet import json_text
from server.web.forms import read_json
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_HOST: Final = "/api/v1/hosts/{host}"


async def _edited(request: web.Request, wanted: Mapping[str, object], message: str) -> web.Response:
    asked, uuid = call(request), path_text(request, "host")
    await service.edit(asked, uuid, wanted)
    return json_text(f'{{"message":"{message}","host":{await service.one_as_json(asked, uuid)}}}')


@routes.patch(_HOST)
@gated("can_manage_hosts")
async def edit(request: web.Request) -> web.Response:
    """Change what is sent of a host."""
    return await _edited(request, (await read_json(request, forms.EditBody)).given, "Host updated successfully")


@routes.patch(f"{_HOST}/friendly-name")
@gated("can_manage_hosts")
async def rename(request: web.Request) -> web.Response:
    """Give a host another name."""
    body = await read_json(request, forms.FriendlyNameBody)
    return await _edited(request, {"friendly_name": body.friendly_name}, "Friendly name updated successfully")


@routes.patch(f"{_HOST}/notes")
@gated("can_manage_hosts")
async def write_notes(request: web.Request) -> web.Response:
    """Write other notes."""
    body = await read_json(request, forms.NotesBody)
    return await _edited(request, {"notes": body.notes or ""}, "Notes updated successfully")


@routes.patch(f"{_HOST}/connection")
@gated("can_manage_hosts")
async def connection(request: web.Request) -> web.Response:
    """Change the address or the host's own name."""
    given = (await read_json(request, forms.EditBody)).given
    wanted = {name: given[name] for name in ("ip", "hostname") if name in given}
    return await _edited(request, wanted, "Host connection information updated successfully")


@routes.patch(f"{_HOST}/primary-interface")
@gated("can_manage_hosts")
async def primary_interface(request: web.Request) -> web.Response:
    """Choose which interface gives the address; null detects it again."""
    body = await read_json(request, forms.InterfaceBody)
    return await _edited(
        request, {"primary_interface": body.interface_name or None}, "Primary interface updated successfully"
    )


@routes.patch(f"{_HOST}/auto-update")
@gated("can_manage_hosts")
async def auto_update(request: web.Request) -> web.Response:
    """Let the agent replace itself, or not."""
    body = await read_json(request, forms.AutoUpdateBody)
    message = f"Agent auto-update {'enabled' if body.auto_update else 'disabled'} successfully"
    return await _edited(request, {"auto_update": body.auto_update}, message)


@routes.patch(f"{_HOST}/host-down-alerts")
@gated("can_manage_hosts")
async def host_down_alerts(request: web.Request) -> web.Response:
    """Override for this host whether anybody is told when it goes down; null inherits."""
    body = await read_json(request, forms.HostDownBody)
    wanted = {"host_down_alerts_enabled": body.host_down_alerts_enabled}
    return await _edited(request, wanted, "Host down alerts updated successfully")
