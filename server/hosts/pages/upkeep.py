"""What a person changes on the pages of a host: fields in place, notes, integrations; and deploying its agent again."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Conflict, Invalid, Refused
from server.hosts import forms, rules, service, tags
from server.hosts.addresses import server_url
from server.hosts.pages.frame import HostPage, crumbs, framed
from server.hosts.staging import Switches
from server.settings import service as settings
from server.web import flash
from server.web.forms import form_values, parse, posted, read_form
from server.web.navigation import HostTab
from server.web.render import render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

HOST_TABS: Final = (HostTab("notes", "Notes", 80), HostTab("integrations", "Integrations", 90))
_PLACEHOLDER: Final = "YOUR_API_KEY"


@dataclass(frozen=True, slots=True)
class NotesPage(HostPage):
    """templates/hosts/notes.html."""

    template: ClassVar[str] = "hosts/notes.html"
    can_manage: bool
    editing: bool


@dataclass(frozen=True, slots=True)
class IntegrationsPage(HostPage):
    """templates/hosts/integrations.html."""

    template: ClassVar[str] = "hosts/integrations.html"
    switches: Switches
    docker_told: dict[str, Any] | None
    compliance_told: dict[str, Any] | None
    can_manage: bool


@dataclass(frozen=True, slots=True)
class DeployPage(HostPage):
    """templates/hosts/deploy.html."""

    template: ClassVar[str] = "hosts/deploy.html"
    show: str
    install_command: str
    force: bool
    can_force: bool


def _back(request: web.Request, place: str, kind: str, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": f"/hosts/{path_text(request, 'host')}{place}"})
    flash.say(answer, request, kind, text)
    return answer


@routes.post("/hosts/{host}/delete")
@gated("can_manage_hosts")
async def delete(request: web.Request) -> web.Response:
    """Remove the host."""
    gone = await service.delete(call(request), path_text(request, "host"))
    answer = web.Response(status=303, headers={"Location": "/hosts"})
    flash.say(answer, request, "good", f"The host {gone['friendly_name']} was removed.")
    return answer


@routes.post("/hosts/{host}/edit")
@gated("can_manage_hosts")
async def edit(request: web.Request) -> web.Response:
    """Change a field of the host where it stands."""
    values = await form_values(request)
    place = "/network" if "primary_interface" in await posted(request) else ""
    given = {name: values.get(name, "") for name in await posted(request)}
    try:
        await service.edit(call(request), path_text(request, "host"), parse(forms.EditBody, given).given)
    except (Invalid, Conflict, Refused) as refused:
        complaints = getattr(refused, "complaints", None)
        return _back(request, place, "bad", "; ".join(complaints.values()) if complaints else str(refused))
    return _back(request, place, "good", "Saved.")


@routes.post("/hosts/{host}/groups")
@gated("can_manage_hosts")
async def set_groups(request: web.Request) -> web.Response:
    """Set the host's groups to those that are ticked."""
    chosen = (await form_values(request)).get("group", [])
    try:
        await service.set_groups(
            call(request), path_text(request, "host"), [chosen] if isinstance(chosen, str) else chosen
        )
    except (Invalid, Conflict, Refused) as refused:
        return _back(request, "", "bad", str(refused))
    return _back(request, "", "good", "Groups saved.")


@routes.post("/hosts/{host}/tags")
@gated("can_manage_hosts")
async def set_tags(request: web.Request) -> web.Response:
    """Set the host's tags to those that are typed, with commas between them."""
    typed = str((await posted(request)).get("tags", "")).replace("\0", "")
    try:
        wanted = tags.read([text.strip() for text in typed.split(",") if text.strip()])
        await tags.replace(call(request), path_text(request, "host"), wanted)
    except (Invalid, Conflict, Refused) as refused:
        return _back(request, "", "bad", str(refused))
    return _back(request, "", "good", "Tags saved.")


@routes.get("/hosts/{host}/notes")
@gated("can_view_hosts")
async def notes(request: web.Request) -> web.Response:
    """Show the notes, or the form to change them."""
    head, tabs, actions = await framed(request, "notes")
    can_manage = call(request).actor.may("can_manage_hosts")
    page = NotesPage(head, tabs, actions, can_manage, editing=can_manage and "edit" in request.query)
    return render(request, page, breadcrumbs=crumbs(head))


@routes.post("/hosts/{host}/notes")
@gated("can_manage_hosts")
async def write_notes(request: web.Request) -> web.Response:
    """Write other notes."""
    text = str((await posted(request)).get("notes", "")).replace("\r\n", "\n").strip()
    body = parse(forms.NotesBody, {"notes": text})
    await service.edit(call(request), path_text(request, "host"), {"notes": body.notes})
    return _back(request, "/notes", "good", "Notes saved.")


@routes.get("/hosts/{host}/integrations")
@gated("can_view_hosts")
async def integrations(request: web.Request) -> web.Response:
    """Show what is switched on, what waits, and how ready the agent says it is."""
    head, tabs, actions = await framed(request, "integrations")
    asked = call(request)
    found = await service.switches(asked, head.id)
    page = IntegrationsPage(
        head,
        tabs,
        actions,
        switches=found,
        docker_told=found.told.get("docker"),
        compliance_told=found.told.get("compliance"),
        can_manage=asked.actor.may("can_manage_hosts"),
    )
    return render(request, page, breadcrumbs=crumbs(head))


@routes.post("/hosts/{host}/integrations/docker")
@gated("can_manage_hosts", module="docker")
async def stage_docker(request: web.Request) -> web.Response:
    """Let the switch of Docker wait to be applied."""
    body = await read_form(request, forms.ToggleBody)
    return await _staged(request, {"docker_enabled": body.enabled})


@routes.post("/hosts/{host}/integrations/compliance")
@gated("can_manage_hosts", module="compliance")
async def stage_compliance(request: web.Request) -> web.Response:
    """Let the mode and the scanners of compliance wait to be applied."""
    form = await posted(request)
    wanted: dict[str, object] = {"compliance_mode": parse(forms.ModeBody, {"mode": form.get("mode")}).mode}
    wanted["compliance_openscap_enabled"] = form.get("openscap_enabled") == "true"
    wanted["compliance_docker_bench_enabled"] = form.get("docker_bench_enabled") == "true"
    return await _staged(request, wanted)


async def _staged(request: web.Request, wanted: dict[str, object]) -> web.Response:
    found = await service.stage(call(request), path_text(request, "host"), wanted)
    if found.pending is None:
        return _back(request, "/integrations", "good", "Nothing waits: this is what the agent has.")
    return _back(request, "/integrations", "good", "Saved. The agent hears of it when you apply it.")


@routes.get("/hosts/{host}/deploy")
@gated("can_manage_hosts")
async def deploy(request: web.Request) -> web.Response:
    """Show how the agent is installed on this host again."""
    head, tabs, actions = await framed(request, "")
    insecure = (await settings.effective(call(request))).ignore_ssl_self_signed
    system = rules.system_of("", head.expected_platform, head.os_type)
    force = request.query.get("force") == "true" and system != "windows"
    command = rules.install_command(
        await server_url(request), system, head.api_id, _PLACEHOLDER, insecure=insecure, force=force
    )
    show = "credentials" if request.query.get("show") == "credentials" else "install"
    page = DeployPage(head, tabs, actions, show, command, force, can_force=system != "windows")
    return render(request, page, breadcrumbs=(("Hosts", "/hosts"), (head.name, head.url), ("Deploy agent", "")))
