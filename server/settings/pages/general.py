"""The pages of the settings."""

from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.settings import schemas, service
from server.settings.errors import ReadOnlyVariable
from server.settings.models import Effective, Settings, Variable
from server.web import flash
from server.web.fields import Field, Kind, complained, filled
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
ENTRIES: Final = (
    Entry("System", "Settings", "/settings", "settings", order=90, permission="can_manage_settings"),
    Entry("Settings", "Server URL", "/settings/server-url", "network", order=60, permission="can_manage_settings"),
    Entry(
        "Settings",
        "Agents",
        "/settings/agent-config",
        "server-2",
        order=40,
        permission="can_manage_settings",
        group="Hosts Management",
    ),
    Entry("Settings", "Environment", "/settings/environment", "variable", order=70, permission="can_manage_settings"),
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


@dataclass(frozen=True, slots=True)
class EnvironmentPage(Page):
    """templates/settings/environment.html."""

    template: ClassVar[str] = "settings/environment.html"
    title: ClassVar[str] = "Environment"
    groups: list[tuple[str, list[Variable]]]


@dataclass(frozen=True, slots=True)
class VariablePage(Page):
    """templates/settings/variable.html."""

    template: ClassVar[str] = "settings/variable.html"
    title: ClassVar[str] = "Environment"
    variable: Variable
    field: Field
    complaints: list[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class AgentsPage(Page):
    """templates/settings/agent_config.html."""

    template: ClassVar[str] = "settings/agent_config.html"
    title: ClassVar[str] = "Agents"
    fields: list[Field]
    complaints: list[tuple[str, str] | str]


@routes.get("/settings/environment")
@gated("can_manage_settings")
async def environment(request: web.Request) -> web.Response:
    """Show every variable, where its value comes from and whether two places disagree."""
    found = await service.environment(call(request))
    return render(
        request, EnvironmentPage([(name, [*rows]) for name, rows in groupby(found, lambda one: one.category)])
    )


@routes.get("/settings/environment/{key}")
@gated("can_manage_settings")
async def variable(request: web.Request) -> web.Response:
    """Show one variable and the form that stores a value for it."""
    return _variable_page(request, await _editable(request))


@routes.post("/settings/environment/{key}")
@gated("can_manage_settings")
async def change_variable(request: web.Request) -> web.StreamResponse:
    """Store a value for one variable."""
    known = await _editable(request)
    form = await read_form(request, schemas.VariableForm)
    value = form.value if isinstance(form.value, str) else form.value[-1]
    try:
        await service.change_variable(call(request), known.key, value)
    except Invalid as refused:
        return _variable_page(request, known, value, refused.complaints[known.key], status=400)
    raise _saved(request)


@routes.post("/settings/environment/{key}/clear")
@gated("can_manage_settings")
async def clear_variable(request: web.Request) -> web.StreamResponse:
    """Forget what is stored for one variable."""
    await service.clear_variable(call(request), path_text(request, "key"))
    raise _saved(request)


def _saved(request: web.Request) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther("/settings/environment")
    flash.say(answer, request, "good", service.SAVED)
    return answer


async def _editable(request: web.Request) -> Variable:
    found = await service.variable(call(request), path_text(request, "key"))
    if not found.editable:
        raise ReadOnlyVariable(key=found.key)
    return found


def _variable_page(
    request: web.Request, known: Variable, typed: str | None = None, complaint: str = "", status: int = 200
) -> web.Response:
    kinds: dict[str, Kind] = {"number": "number", "boolean": "choice"}
    value = known.database_value if known.database_value is not None else known.effective_value
    limits = f" From {known.min} to {known.max}." if known.type == "number" else ""
    field = Field(
        "value",
        known.description,
        kinds.get(known.type, "text"),
        value=value if typed is None else typed,
        choices=[(word, word) for word in known.allowed],
        help=f"Default: {known.default or 'empty'}.{limits} {known.advice}".strip(),
        complaint=complaint,
    )
    page = VariablePage(known, field, complained([field], {"value": complaint} if complaint else {}))
    crumbs = (("Environment", "/settings/environment"), (known.key, ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


@routes.get("/settings/agent-config")
@gated("can_manage_settings")
async def agent_config(request: web.Request) -> web.Response:
    """Show what holds for all agents."""
    return _agents_page(request, await service.effective(call(request)))


@routes.post("/settings/agent-config")
@gated("can_manage_settings")
async def change_agent_config(request: web.Request) -> web.StreamResponse:
    """Store what holds for all agents; connected ones hear of it at once."""
    asked = call(request)
    form = await read_form(request, schemas.AgentsForm)
    wanted = {
        "update_interval": form.update_interval,
        "auto_update": _ticked(form.auto_update),
        "signup_enabled": _ticked(form.signup_enabled),
    }
    try:
        await service.change(asked, wanted)
    except Invalid as refused:
        return _agents_page(request, await service.effective(asked), wanted, refused.complaints)
    answer = web.HTTPSeeOther("/settings/agent-config")
    flash.say(answer, request, "good", "Saved. Connected agents are told now, the others when they connect.")
    raise answer


def _ticked(sent: str | list[str]) -> str:
    # A box that is ticked sends its value behind the hidden one.
    return sent if isinstance(sent, str) else sent[-1]


def _agents_page(
    request: web.Request,
    settings: Settings,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> web.Response:
    fields = filled(
        [
            Field(
                "update_interval",
                "Minutes between two reports",
                "number",
                value=settings.update_interval,
                help="From 5 to 1440. Each host reports at its own moment within the interval, so that they do not "
                "all come at once.",
            ),
            Field(
                "auto_update",
                "Agents replace themselves when the server has a newer one",
                "boolean",
                value=settings.auto_update,
                help="Each host has a switch of its own too; both have to be on.",
                required=False,
            ),
            Field(
                "signup_enabled",
                "People may register themselves",
                "boolean",
                value=settings.signup_enabled,
                help="They get the default role. The first administrator never comes in this way.",
                required=False,
            ),
        ],
        dict(typed or {}),
        wrong or {},
    )
    page = AgentsPage(fields, complained(fields, wrong or {}))
    return render(request, page, status=400 if wrong else 200)


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
    asked = call(request)
    if asked.actor.may("can_view_users"):
        raise web.HTTPSeeOther("/settings/users")
    if not asked.actor.may("can_manage_settings"):
        raise web.HTTPSeeOther("/settings/profile")
    off = (await service.effective(asked)).disabled_modules
    raise web.HTTPSeeOther("/settings/server-url" if "custom_branding" in off else "/settings/branding")


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
