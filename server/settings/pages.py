"""The pages of the settings."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.settings import schemas, service
from server.settings.models import Effective
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
ENTRIES: Final = (
    Entry("System", "Settings", "/settings/server-url", "settings", order=90, permission="can_manage_settings"),
)


@dataclass(frozen=True, slots=True)
class ServerUrlPage(Page):
    """templates/settings/server_url.html."""

    template: ClassVar[str] = "settings/server_url.html"
    title: ClassVar[str] = "Server URL"
    fields: list[Field]
    complaints: list[tuple[str, str] | str]
    from_environment: bool
    current_url: str


@routes.get("/settings/server-url")
@gated("can_manage_settings")
async def server_url(request: web.Request) -> web.Response:
    """Show under which URL agents and people reach the server."""
    effective = await service.decided(call(request))
    return render(request, _page(request, effective))


@routes.post("/settings/server-url")
@gated("can_manage_settings")
async def change_server_url(request: web.Request) -> web.StreamResponse:
    """Store the URL; installed agents keep theirs until their installer runs again."""
    asked = call(request)
    form = await read_form(request, schemas.UrlForm)
    unchecked = form.ignore_ssl_self_signed
    try:
        await service.change_server_url(asked, form.server_url)
        await service.change(
            asked, {"ignore_ssl_self_signed": unchecked if isinstance(unchecked, str) else unchecked[-1]}
        )
    except Invalid as refused:
        page = _page(request, await service.decided(asked), {"server_url": form.server_url}, refused.complaints)
        return render(request, page, status=400)
    answer = web.HTTPSeeOther("/settings/server-url")
    flash.say(answer, request, "good", "The server URL is saved. New install commands use it.")
    raise answer


@routes.get("/settings")
@gated()
async def settings(request: web.Request) -> web.StreamResponse:
    """Lead to the highest page that this person may see."""
    may = call(request).actor.may("can_manage_settings")
    raise web.HTTPSeeOther("/settings/server-url" if may else "/settings/profile")


def _page(
    request: web.Request,
    effective: Effective,
    typed: dict[str, object] | None = None,
    wrong: dict[str, str] | None = None,
) -> ServerUrlPage:
    settings = effective.settings
    fields = filled(
        [
            Field(
                "server_url",
                "Server URL",
                value=settings.server_url,
                help="Used in install commands and links. Installed agents keep the URL they were installed with.",
                placeholder="https://patchmon.example.com",
            ),
            Field(
                "ignore_ssl_self_signed",
                "The certificate is self-signed: agents skip its check",
                "boolean",
                value=settings.ignore_ssl_self_signed,
                help="Whoever sits between agent and server can then read and change everything. "
                "Safer: install your certificate authority in the hosts' trust store.",
                required=False,
            ),
        ],
        typed or {},
        wrong or {},
    )
    return ServerUrlPage(
        fields=fields,
        complaints=complained(fields, wrong or {}),
        from_environment=effective.sources["server_host"] == "env",
        current_url=origin(request).url,
    )
