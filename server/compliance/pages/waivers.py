"""Waivers: the list, making one, changing and revoking it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import rules, service, waivers
from server.compliance.errors import BadRequest, HostMissing, RuleMissing, WaiverMissing
from server.compliance.models import NewWaiver, Sought, Waiver, WaiverChange
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE, VIEW
from server.core.call import Call
from server.core.errors import Problem
from server.hosts.models import Tab
from server.web.fields import Field, complained, filled
from server.web.filters import Filter
from server.web.flash import back
from server.web.forms import TextBody, form_values, page_of, parse
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, settled
from server.web.tables import parse as parse_list

routes: Final = Routes()
HERE: Final = "/compliance/waivers"
_CRUMB: Final = ("Waivers", HERE)
#: By state: the word, its colour.
STATES: Final = {
    "active": ("In force", "good"),
    "expiring": ("Expires soon", "attention"),
    "expired": ("Expired", "neutral"),
    "revoked": ("Revoked", "neutral"),
}
WAIVERS: Final = Table(
    name="compliance-waivers",
    path=HERE,
    noun="waiver",
    columns=(
        Column("rule", "Rule", sortable=True, place="title", fixed=True),
        Column("state", "State", place="state"),
        Column("place", "Where", sortable=True),
        Column("until", "Until", sortable=True),
        Column("owner", "Owner", sortable=True),
        Column("reason", "Reason", place="prose"),
        Column("covers", "Hosts", numeric=True, wide_only=True),
    ),
    filters=(
        Filter(
            "status",
            "State",
            "choice",
            (
                ("active", "In force"), ("expiring", "Expires within 30 days"), ("expired", "Expired"),
                ("revoked", "Revoked"),
            ),
        ),
        Filter("host", "Host", hint="The id of one host"),
        Filter("rule", "Rule", hint="The id or the reference of one rule"),
    ),
    search="Search rules, places, owners and reasons",
    size=25,
    exports=(("CSV", "/api/v1/compliance/waivers/export.csv"),),
    empty="No waiver. Where a rule fails for a good reason, open the rule or the host, then Waive.",
    empty_icon="shield",
)  # fmt: skip
_WORDS: Final = (
    Field("reason", "Reason", "area", help="Why the rule may fail there: auditors read it."),
    Field("owner", "Owner", help="The person who answers for it."),
    Field("expires_on", "Last day", "date", help="In force until the end of this day in UTC, at most two years ahead."),
)


class WaiverForm(TextBody):
    """What the forms post, as it was typed."""

    rule: str = ""
    place: str = ""
    reason: str = ""
    owner: str = ""
    expires_on: str = ""
    here: str = ""


@dataclass(frozen=True, slots=True)
class WaiversPage(Page):
    """templates/compliance/waivers.html; ``rows`` are waivers with the word and the colour of their state."""

    template: ClassVar[str] = "compliance/waivers.html"
    title: ClassVar[str] = "Waivers"
    tabs: list[Tab]
    listing: Listing
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WaiverPage(Page):
    """templates/compliance/waiver.html; ``can_change`` is false for what was revoked, and for who may not."""

    template: ClassVar[str] = "compliance/waiver.html"
    title: ClassVar[str] = "Waiver"
    waiver: Waiver
    state: tuple[str, str]
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    can_change: bool


@dataclass(frozen=True, slots=True)
class NewWaiverPage(Page):
    """templates/compliance/waiver_new.html; ``here`` is the page that somebody came from."""

    template: ClassVar[str] = "compliance/waiver_new.html"
    title: ClassVar[str] = "Waive a rule"
    rule: dict[str, Any]
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    here: str


@routes.get(HERE)
@gated(VIEW)
async def show_all(request: web.Request) -> web.Response:
    """Show the waivers: of which rule, where, who answers for it, until when."""
    if not await frame.is_on(request):
        return frame.off(request)
    asked = call(request)
    wanted = parse_list(WAIVERS, request.query)
    headers = settled(request, wanted)
    found, total = await waivers.list_page(
        asked,
        Sought(
            status=wanted.value("status"),
            host=wanted.value("host"),
            search=wanted.search,
            sort=wanted.sort,
            direction=wanted.direction,
            limit=wanted.window.size,
            offset=wanted.window.offset,
            extra={"rule": wanted.value("rule")},
        ),
    )
    exports = WAIVERS.exports if asked.actor.may("can_export_data") else ()
    shown = listing(replace(wanted, table=replace(wanted.table, exports=exports)), total, may=asked.actor.may)
    page = WaiversPage(frame.tabs("waivers"), shown, [waiver_row(asked, one) for one in found])
    status = 400 if wanted.complaints else 200
    return render(request, page, status=status, headers=headers, breadcrumbs=(CRUMB, ("Waivers", "")))


def waiver_row(asked: Call, one: Waiver) -> dict[str, Any]:
    """Return a waiver's line with its words."""
    return {"waiver": one, "url": f"{HERE}/{one.id}", "word": STATES[rules.waiver_state(one, waivers.today(asked))]}


# ---------------------------------------------------------------- making one


@routes.get(f"{HERE}/new")
@gated(MANAGE, module=MODULE)
async def new(request: web.Request) -> web.Response:
    """Show the form that waives a rule: on a host, in a group, or everywhere."""
    query = request.query
    asked, host = call(request), query.get("host", "")
    values = {"rule": query.get("rule", ""), "place": f"host:{host}" if host else "", "owner": asked.actor.name}
    return await _new(request, {**values, "here": page_of(dict(query), "/compliance", "/hosts/")}, {})


async def _new(
    request: web.Request, values: Mapping[str, Any], said: Mapping[str, str], status: int = 200
) -> web.Response:
    asked = call(request)
    rule = await service.known_rule(asked, str(values.get("rule", "")))
    places = await _places(asked, str(values.get("place", "")))
    fields = filled((Field("place", "Where", "choice", choices=places), *_WORDS), values, said)
    page = NewWaiverPage(rule, fields, complained(fields, said), str(values.get("here", "")))
    crumbs = (CRUMB, _CRUMB, (rule["title"], f"/compliance/rules/{rule['id']}"), ("Waive", ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


async def _places(asked: Call, chosen: str) -> list[tuple[str, str]]:
    """Return where the rule can be waived, the narrowest first."""
    found = []
    if chosen.startswith("host:"):
        host = await service.target(asked, chosen.removeprefix("host:"))
        found.append((f"host:{host.uuid}", f"Host {host.name}"))
    found += [(f"group:{one['id']}", f"Group {one['name']}") for one in await waivers.groups(asked)]
    return found if asked.actor.groups is not None else [*found, ("fleet:", "Whole fleet")]


@routes.post(HERE)
@gated(MANAGE, module=MODULE)
async def create(request: web.Request) -> web.Response:
    """Waive a rule."""
    values = await form_values(request)
    told = parse(WaiverForm, values)
    target, _, place = told.place.partition(":")
    try:
        if target not in {"host", "group", "fleet"}:
            raise BadRequest.of({"place": "Say where the rule is waived"})
        made = await waivers.create(
            call(request),
            NewWaiver(told.rule, target, place, told.reason, told.owner, _day(told.expires_on)),  # type: ignore[arg-type]
        )
    except (RuleMissing, HostMissing):
        # Without them there is no form to show again.
        raise
    except Problem as refused:
        return await _new(request, values, _said(refused), status_of(refused))
    home = page_of(values, "/compliance", "/hosts/") or f"/compliance/rules/{made.rule_id}"
    said = f"Waived until {made.expires_on}: it still counts as failed, and not in the score with waivers."
    return back(request, home, "good", said)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadRequest.of({"expires_on": "Write the last day as 2027-12-31"}) from error


def _said(refused: Problem) -> dict[str, str]:
    complaints = getattr(refused, "complaints", None)
    return complaints or {"": str(refused)}


# ---------------------------------------------------------------- one


@routes.get(f"{HERE}/{{waiver}}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one waiver."""
    if not await frame.is_on(request):
        return frame.off(request)
    return await _one(request, None, {})


async def _one(
    request: web.Request, values: Mapping[str, Any] | None, said: Mapping[str, str], status: int = 200
) -> web.Response:
    asked = call(request)
    one = await waivers.fetch(asked, path_text(request, "waiver"))
    shown = {"reason": one.reason, "owner": one.owner, "expires_on": one.expires_on.isoformat()}
    fields = filled(_WORDS, shown if values is None else values, said)
    whole = one.target != "fleet" or asked.actor.groups is None
    page = WaiverPage(
        waiver=one,
        state=STATES[rules.waiver_state(one, waivers.today(asked))],
        fields=fields,
        complaints=complained(fields, said),
        can_change=frame.may_manage(request) and whole and one.revoked_at is None,
    )
    return render(request, page, status=status, breadcrumbs=(CRUMB, _CRUMB, (one.rule_title, "")))


@routes.post(f"{HERE}/{{waiver}}")
@gated(MANAGE, module=MODULE)
async def change(request: web.Request) -> web.Response:
    """Change a waiver's words, or its last day."""
    values = await form_values(request)
    told = parse(WaiverForm, values)
    try:
        day = _day(told.expires_on)
        if day is None:
            raise BadRequest.of({"expires_on": "Say until when: a waiver needs a last day, at most two years ahead"})
        one = await waivers.change(
            call(request), path_text(request, "waiver"), WaiverChange(told.reason, told.owner, day)
        )
    except WaiverMissing:
        raise
    except Problem as refused:
        typed = {name: values.get(name, "") for name in ("reason", "owner", "expires_on")}
        return await _one(request, typed, _said(refused), status_of(refused))
    return back(request, f"{HERE}/{one.id}", "good", f"Saved. In force until {one.expires_on}.")


@routes.post(f"{HERE}/{{waiver}}/revoke")
@gated(MANAGE, module=MODULE)
async def revoke(request: web.Request) -> web.Response:
    """End a waiver before its day."""
    told = parse(WaiverForm, await form_values(request))
    home = f"{HERE}/{path_text(request, 'waiver')}"
    try:
        await waivers.revoke(call(request), path_text(request, "waiver"), told.reason)
    except WaiverMissing:
        # Nothing to go back to.
        raise
    except Problem as refused:
        return back(request, home, "bad", str(refused))
    return back(request, home, "good", "Revoked: the rule counts again.")
