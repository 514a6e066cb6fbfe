"""What people do on the pages of compliance: scan, cancel, remediate, set up, decide by what the fleet scans."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web
from multidict import MultiMapping

from server.compliance import guides, service
from server.compliance.errors import HostMissing
from server.compliance.guides import Offer
from server.compliance.models import Asked, Sought, Wanted
from server.compliance.pages import fleet
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE
from server.core.call import Call
from server.core.errors import Invalid, Problem
from server.core.words import counted
from server.settings import service as settings
from server.web.flash import back
from server.web.forms import page_of, posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import selection

routes: Final = Routes()
_ASKED: Final[dict[str, Asked]] = {"all": "all", "openscap": "openscap", "docker-bench": "docker-bench"}
_NAMED: Final = 5
_MOST: Final = 10_000


def _home(form: Mapping[str, object], host: str) -> str:
    return page_of(form, "/compliance", "/hosts/") or f"/compliance/hosts/{host}"


async def _do(request: web.Request, deed: Callable[[str], Awaitable[str]]) -> web.Response:
    form = await posted(request)
    host = path_text(request, "host")
    try:
        said = await deed(host)
    except HostMissing:
        # Nothing to go back to: the page of a host that is not there, or not theirs, says just that.
        raise
    except Problem as refused:
        return back(request, _home(form, host), "bad", str(refused))
    return back(request, _home(form, host), "good", said)


def _wanted(form: Mapping[str, object]) -> Wanted:
    asked = _ASKED.get(str(form.get("profile_type", "all")), "all")
    return Wanted(
        asked,
        str(form.get("profile_id") or "") or None,
        str(form.get("enable_remediation")) == "true",
        str(form.get("arf")) == "true",
    )


@routes.post("/compliance/hosts/{host}/scan")
@gated(MANAGE, module=MODULE)
async def scan(request: web.Request) -> web.Response:
    """Ask a host to scan."""

    async def deed(host: str) -> str:
        made = await service.trigger(call(request), host, _wanted(await posted(request)))
        return "Compliance scan triggered" + (". The host is away and scans when it returns." if made.offline else "")

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/cancel")
@gated(MANAGE, module=MODULE)
async def cancel(request: web.Request) -> web.Response:
    """End a host's scan."""

    async def deed(host: str) -> str:
        return f"Cancel request sent for {(await service.cancel(call(request), host)).name}"

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/remediate")
@gated(MANAGE, module=MODULE)
async def remediate(request: web.Request) -> web.Response:
    """Have a host fix one rule."""

    async def deed(host: str) -> str:
        await service.remediate(call(request), host, str((await posted(request)).get("rule", "")))
        return "Remediation triggered"

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/install")
@gated(MANAGE, module=MODULE)
async def install(request: web.Request) -> web.Response:
    """Have a host install what scans need."""

    async def deed(host: str) -> str:
        await service.install(call(request), host)
        return "The installation of the scanner is queued."

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/install/cancel")
@gated(MANAGE, module=MODULE)
async def cancel_install(request: web.Request) -> web.Response:
    """Give an installation up."""

    async def deed(host: str) -> str:
        there = await service.cancel_install(call(request), host)
        return "The installation was cancelled." if there else "No installation was in progress."

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/upgrade")
@gated(MANAGE, module=MODULE)
async def upgrade(request: web.Request) -> web.Response:
    """Have a host take this server's scanner content."""

    async def deed(host: str) -> str:
        _, version = await service.upgrade(call(request), host)
        return f"The upgrade to SSG {version} is queued."

    return await _do(request, deed)


@routes.post("/compliance/hosts/{host}/default-profile")
@gated("can_manage_hosts", module=MODULE)
async def choose_profile(request: web.Request) -> web.Response:
    """Choose the profile of scans that name none."""

    async def deed(host: str) -> str:
        profile = str((await posted(request)).get("profile_id", "")) or None
        await service.choose_profile(call(request), host, profile)
        return "The default profile was saved."

    return await _do(request, deed)


@dataclass(frozen=True, slots=True)
class BulkPage(Page):
    """templates/compliance/bulk.html; ``hosts`` are pairs of id and name."""

    template: ClassVar[str] = "compliance/bulk.html"
    title: ClassVar[str] = "Scan hosts"
    hosts: list[tuple[str, str]]
    offers: list[Offer]


@routes.post("/compliance/choose")
@gated(MANAGE, module=MODULE)
async def choose(request: web.Request) -> web.Response:
    """Ask how the chosen hosts shall scan."""
    asked = call(request)
    await posted(request)
    ids = await _chosen(asked, await request.post())
    if not ids:
        return back(request, "/compliance/hosts", "attention", "No host was chosen.")
    found = await service.targets(asked, ids)
    crumbs = (CRUMB, ("Hosts", "/compliance/hosts"), ("Scan", ""))
    return render(
        request,
        BulkPage([(one.uuid, one.name) for one in found], await guides.offers(asked, [one.uuid for one in found])),
        breadcrumbs=crumbs,
    )


async def _chosen(asked: Call, form: MultiMapping[Any]) -> list[str]:
    chosen = selection(fleet.HOSTS, form)
    if chosen.matching is None:
        return list(chosen.ids)
    sought = fleet.sought(chosen.matching, extra="mode")
    everything = Sought(sought.status, kind=sought.kind, search=sought.search, extra=sought.extra, limit=_MOST)
    return [row["id"] for row in (await service.host_list(asked, everything))[0]]


@routes.post("/compliance/scan-many")
@gated(MANAGE, module=MODULE)
async def scan_many(request: web.Request) -> web.Response:
    """Ask the chosen hosts to scan; what is refused by one stops none of the others."""
    asked = call(request)
    await posted(request)
    form = await request.post()
    ids = await _chosen(asked, form)
    if not ids:
        return back(request, "/compliance/hosts", "attention", "No host was chosen.")
    made = await service.trigger_many(asked, ids, _wanted({name: form[name] for name in form}))
    failed = [one for one in made if not one.task]
    done = len(made) - len(failed)
    if not failed:
        return back(request, "/compliance/hosts", "good", f"Compliance scan triggered on {counted(done, 'host')}.")
    named = "; ".join(f"{one.name or one.host}: {one.error}" for one in failed[:_NAMED])
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    said = f"Compliance scan triggered on {done} of {counted(len(made), 'host')}. {named}{more}"
    return back(request, "/compliance/hosts", "attention", said)


@routes.post("/compliance/clean-up")
@gated(MANAGE, module=MODULE)
async def clean_up(request: web.Request) -> web.Response:
    """End stalled scans now."""
    await posted(request)
    return back(
        request, "/compliance", "good", f"{counted(await service.clean_up(call(request)), 'stalled scan')} ended."
    )


@routes.post("/compliance/settings")
@gated(MANAGE, "can_manage_settings", module=MODULE)
async def change_settings(request: web.Request) -> web.Response:
    """Change what the fleet scans by."""
    form = await posted(request)
    changes = {
        "default_compliance_mode": str(form.get("default_compliance_mode", "")),
        "compliance_scan_interval": str(form.get("compliance_scan_interval", "")),
        "compliance_remediation_approval": str(form.get("compliance_remediation_approval", "anyone")),
    }
    try:
        await settings.change(call(request), changes)
    except Invalid as refused:
        said = "; ".join(refused.complaints.values()) or str(refused)
        return back(request, "/compliance/settings", "bad", said)
    return back(request, "/compliance/settings", "good", "Saved. Connected agents have the new interval.")
