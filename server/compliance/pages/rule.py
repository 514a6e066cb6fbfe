"""One rule over the fleet."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import rules, service, waivers
from server.compliance.models import Sought
from server.compliance.pages import frame
from server.compliance.pages.fleet import sought
from server.compliance.pages.frame import CRUMB, STATE_WORDS, STATES, VIEW
from server.compliance.pages.waivers import waiver_row
from server.web.filters import Filter
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, parse, settled

routes: Final = Routes()
_WAIVERS: Final = 100

AFFECTED: Final = Table(
    name="compliance-affected",
    path="/compliance/rules/{rule}",
    noun="host",
    columns=(
        Column("host", "Host", place="title", fixed=True),
        Column("status", "Status", sortable=True, place="state"),
        Column("why", "Why (this host)", place="prose"),
        Column("scanned", "Scanned"),
        Column("waive", "Waiver", fixed=True),
    ),
    filters=(Filter("status", "Status", "choice", STATES),),
    sort="status",
    size=25,
    empty="No host was held against this rule lately.",
    empty_icon="server-2",
)


@dataclass(frozen=True, slots=True)
class RulePage(Page):
    """templates/compliance/rule.html; ``fix`` says in one line what the remediation does.

    Attributes:
        waived: on how many hosts it fails or warns and is waived; ``waivers`` are those of this rule.
    """

    template: ClassVar[str] = "compliance/rule.html"
    title: ClassVar[str] = "Rule"
    rule: dict[str, Any]
    scanner: str
    fix: str
    total: int
    passing: int
    failing: int
    warnings: int
    waived: int
    waivers: list[dict[str, Any]]
    can_waive: bool
    listing: Listing
    rows: list[dict[str, Any]]


@routes.get("/compliance/rules/{rule}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show a rule: its words, and how it stands where."""
    if not await frame.is_on(request):
        return frame.off(request)
    name = path_text(request, "rule")
    wanted = parse(replace(AFFECTED, path=f"/compliance/rules/{name}"), request.query)
    headers = settled(request, wanted)
    found = await service.rule(call(request), name, sought(wanted))
    counts = found.counts
    page = RulePage(
        rule=found.rule,
        scanner=frame.scanner_word(found.rule["kind"]),
        fix=rules.fix_sentence(found.rule["remediation"]),
        total=sum(counts.values()),
        passing=counts.get("p", 0),
        failing=counts.get("f", 0),
        warnings=counts.get("w", 0),
        waived=found.waived,
        waivers=await _waivers(request, found.rule["ref"]),
        can_waive=frame.may_manage(request),
        listing=listing(wanted, found.total, may=call(request).actor.may),
        rows=[
            {
                **row,
                "url": f"/compliance/hosts/{row['host_id']}",
                "word": STATE_WORDS[row["state"]],
                "why": rules.why(row["finding"] or []),
                "can_waive": row["state"] in rules.WAIVABLE and row["waived_until"] is None,
            }
            for row in found.hosts
        ],
    )
    crumbs = (CRUMB, ("Scan Results", "/compliance/rules"), (found.rule["title"], ""))
    return render(request, page, headers=headers, breadcrumbs=crumbs)


async def _waivers(request: web.Request, ref: str) -> list[dict[str, Any]]:
    asked = call(request)
    found, _ = await waivers.list_page(asked, Sought(status="active", limit=_WAIVERS, extra={"rule": ref}))
    return [waiver_row(asked, one) for one in found]
