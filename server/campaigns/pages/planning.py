"""The form that says what, where, in which waves and when: for a campaign here, for a window in its own module."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.automation import service as automation
from server.automation.models import Choices
from server.campaigns import schemas, service
from server.campaigns.models import Row
from server.campaigns.pages import words
from server.campaigns.pages.frame import CAMPAIGNS, CRUMB, MANAGE, MODULE, back
from server.core.errors import Invalid
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()

_POLICY: Final = ("", "As each host's policy says")
_YES_NO: Final = (_POLICY, ("true", "Yes"), ("false", "No"))
_REBOOTS: Final = (("never", "Never"), ("if_required", "If the updates need one"), ("always", "Always"))
_WAVE: Final = re.compile(r"(\d{1,6})(\s*%)?|(rest)", re.IGNORECASE)
_ALL: Final = "all"

WHAT: Final = (
    Field(
        "what",
        "Updates",
        "choice",
        "all",
        (("all", "All updates"), ("security", "Security updates only"), ("packages", "Named packages")),
    ),
    Field("package_names", "Packages", "list", required=False, help="One name a line; only for named packages."),
    Field("reboot", "Restart afterwards", "choice", "", (_POLICY, *_REBOOTS), required=False),
    Field("snapshot", "Keep /etc and the package database first", "choice", "", _YES_NO, required=False),
    Field(
        "full_upgrade",
        "Full upgrade",
        "choice",
        "",
        _YES_NO,
        required=False,
        help="Updates too that remove other packages.",
    ),
    Field(
        "hold_patterns",
        "Leave alone",
        "list",
        required=False,
        placeholder="linux-image-*",
        help="Packages whose names fit stay as they are; one pattern a line.",
    ),
    Field(
        "allow_patterns", "Only these", "list", required=False, placeholder="openssl*", help="Empty is every package."
    ),
    Field(
        "pre_playbook",
        "Playbook before",
        "choice",
        "",
        required=False,
        help="For example to drain a host. When it fails, nothing is changed.",
    ),
    Field(
        "post_playbook",
        "Playbook after",
        "choice",
        "",
        required=False,
        help="For example to verify a service. When it fails, the run failed.",
    ),
)
WAVES: Final = (
    Field(
        "waves",
        "Waves",
        value="1, 10%, rest",
        help="Hosts, percent of all, or the rest: 1, 10%, rest. The first are the canaries.",
    ),
    Field("soak_minutes", "Soak between waves (minutes)", "number", "30", help="How long a finished wave is watched."),
    Field(
        "max_failure_percent",
        "Stop above failures (%)",
        "number",
        "10",
        help="Of a wave's hosts. 0 stops at the first one.",
    ),
    Field(
        "check_playbook",
        "Health check between waves",
        "choice",
        "",
        required=False,
        help="It has to succeed on a wave's hosts before the next wave begins.",
    ),
)
_NAME: Final = (Field("name", "Name", placeholder="November updates"),)
_WHEN: Final = (
    Field(
        "starts_at", "Not before (UTC)", required=False, placeholder="2026-11-30 02:00", help="Empty begins at once."
    ),
    Field(
        "ends_at",
        "Not after (UTC)",
        required=False,
        placeholder="2026-11-30 06:00",
        help="What did not begin by then is withdrawn.",
    ),
    Field("approve_first", "Somebody has to approve it first", "boolean", value=False, required=False),
    Field("dry_run", "Dry run: nothing on any host is changed", "boolean", value=False, required=False),
)


@dataclass(frozen=True, slots=True)
class Picked:
    """Which hosts a form names: ``hosts`` and ``groups`` are UUIDs, ``tags`` as typed."""

    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: str = ""
    everyone: bool = False
    find: str = ""


@dataclass(frozen=True, slots=True)
class NewPage(Page):
    """templates/campaigns/new.html; ``preview`` are the hosts of each wave, when they were asked for."""

    template: ClassVar[str] = "campaigns/new.html"
    title: ClassVar[str] = "New campaign"
    name: list[Field]
    what: list[Field]
    waves: list[Field]
    when: list[Field]
    picked: Picked
    choices: Choices
    complaints: Sequence[tuple[str, str] | str]
    preview: list[list[Row]] | None


# ---------------------------------------------------------------- reading the form


def plan_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a posted form under the names of ``PlanBody``; raises ``BadCampaign`` for waves nobody can read."""
    what = str(values.get("what", "all"))
    chosen = picked(values)
    found: dict[str, Any] = {
        "patch_type": "patch_package" if what == "packages" else "patch_all",
        "package_names": lines(values.get("package_names")) if what == "packages" else [],
        "security_only": None if what == "packages" else what == "security",
        "host_ids": list(chosen.hosts),
        "host_group_ids": list(chosen.groups),
        "tags": [tag for tag in re.split(r"[\s,]+", chosen.tags) if tag],
        "all_hosts": chosen.everyone,
        "waves": shares(str(values.get("waves", ""))),
        "dry_run": last(values.get("dry_run")) == "true",
        "check_playbook": str(values.get("check_playbook", "")),
    }
    for name in ("soak_minutes", "max_failure_percent"):
        found[name] = values.get(name, 0)
    for name in ("reboot", "snapshot", "full_upgrade", "pre_playbook", "post_playbook"):
        found[name] = values.get(name) or None
    for name in ("hold_patterns", "allow_patterns"):
        found[name] = lines(values.get(name)) or None
    return found


def picked(values: Mapping[str, Any]) -> Picked:
    """Return which hosts a posted form (or an address) names."""
    groups = many(values.get("group"))
    return Picked(
        tuple(many(values.get("host"))),
        tuple(one for one in groups if one != _ALL),
        str(values.get("tags", "")).strip(),
        _ALL in groups,
        str(values.get("find", "")).replace("\0", "").strip()[:100],
    )


def shares(text: str) -> list[dict[str, int]]:
    """Return waves as they are typed, ``1, 10%, rest``, under the names of ``ShareBody``."""
    found: list[dict[str, int]] = []
    for word in filter(None, (one.strip() for one in re.split(r"[,;\n]", text))):
        match = _WAVE.fullmatch(word)
        if match is None:
            raise Invalid({"waves": f"A wave is a number of hosts, a percentage or the word rest, not {word[:40]}"})
        number, percent, _ = match.groups()
        found.append({} if number is None else {"percent" if percent else "hosts": int(number)})
    return found


def lines(value: object) -> list[str]:
    """Return the lines of a text field that say something."""
    return [line.strip() for line in str(value or "").splitlines() if line.strip()]


def many(value: object) -> list[str]:
    """Return what may have been sent once or several times."""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def last(value: object) -> str:
    """Return the last of what was sent: a box comes with a hidden "false" before it."""
    return (many(value) or [""])[-1]


def moment(value: object) -> str | None:
    """Return a moment as it is typed, in UTC unless it says otherwise."""
    text = str(value or "").strip()
    if not text:
        return None
    return text if re.search(r"(Z|[+-]\d\d:?\d\d)$", text) else f"{text.replace(' ', 'T', 1)}+00:00"


# ---------------------------------------------------------------- showing it


async def with_playbooks(request: web.Request, fields: Iterable[Field]) -> list[Field]:
    """Return fields whose choice is a playbook with those that this person may launch."""
    asked = call(request)
    known = await automation.launchable(asked)
    names = tuple((one.name, one.title) for one in known)
    empty = {"pre_playbook": _POLICY, "post_playbook": _POLICY, "check_playbook": ("", "None")}
    return [replace(one, choices=(empty[one.name], *names)) if one.name in empty else one for one in fields]


async def offered(request: web.Request, chosen: Picked) -> Choices:
    """Return the hosts and groups to choose from, those that are chosen first."""
    return await automation.choices(call(request), chosen.find, chosen.hosts, chosen.groups)


def shown_values(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored plan as the fields of the form show it."""
    work = plan["work"]
    options = work["options"]
    packages = work["patch_type"] == "patch_package"
    return {
        "what": "packages" if packages else "security" if options["security_only"] else "all",
        "package_names": words.joined(work["package_names"]),
        "reboot": options["reboot"] or "",
        "snapshot": _yes_no(options["snapshot"]),
        "full_upgrade": _yes_no(options["full_upgrade"]),
        "hold_patterns": words.joined(options["hold_patterns"] or []),
        "allow_patterns": words.joined(options["allow_patterns"] or []),
        "pre_playbook": options["pre_playbook"] or "",
        "post_playbook": options["post_playbook"] or "",
        "waves": words.waves(plan),
        "soak_minutes": str(plan["soak_minutes"]),
        "max_failure_percent": str(plan["max_failure_percent"]),
        "check_playbook": plan["check_playbook"],
        "dry_run": plan["dry_run"],
    }


def _yes_no(value: bool | None) -> str:
    return "" if value is None else "true" if value else "false"


async def _page(
    request: web.Request,
    values: Mapping[str, Any],
    said: Mapping[str, str],
    *,
    preview: list[list[Row]] | None = None,
    status: int = 200,
) -> web.Response:
    shown = {**values, "approve_first": last(values.get("approve_first")), "dry_run": last(values.get("dry_run"))}
    chosen = picked(values)
    name, when = filled(_NAME, shown, said), filled(_WHEN, shown, said)
    what = filled(await with_playbooks(request, WHAT), shown, said)
    waves = filled(await with_playbooks(request, WAVES), shown, said)
    page = NewPage(
        name, what, waves, when, chosen, await offered(request, chosen),
        complained([*name, *what, *waves, *when], said), preview,
    )  # fmt: skip
    return render(request, page, status=status, breadcrumbs=(CRUMB, CAMPAIGNS, ("New", "")))


@routes.get("/patching/campaigns/new")
@gated(MANAGE, module=MODULE)
async def new(request: web.Request) -> web.Response:
    """Show the form; ``host`` and ``group`` in the address are chosen already."""
    query = request.query
    return await _page(request, {"host": query.getall("host", []), "group": query.getall("group", [])}, {})


@routes.post("/patching/campaigns")
@gated(MANAGE, module=MODULE)
async def create(request: web.Request) -> web.Response:
    """Make a campaign, keep it as a draft, or show which hosts its waves would have (``step``)."""
    values = await form_values(request)
    step = str(values.get("step", ""))
    if step == "find":
        return await _page(request, values, {})
    try:
        body = parse(schemas.CampaignBody, _body(values, draft=step == "draft"))
        if step == "preview":
            waves = await service.preview(call(request), body.plan(), body.targets())
            return await _page(request, values, {}, preview=waves)
        made = await service.create(call(request), body.wanted())
    except Invalid as refused:
        return await _page(request, values, refused.complaints or {"": str(refused)}, status=status_of(refused))
    return back(request, f"/patching/campaigns/{made['id']}", f"The campaign {made['name']} was made.")


def _body(values: Mapping[str, Any], *, draft: bool) -> dict[str, Any]:
    return {
        **plan_values(values),
        "name": str(values.get("name", "")),
        "starts_at": moment(values.get("starts_at")),
        "ends_at": moment(values.get("ends_at")),
        "approve_first": last(values.get("approve_first")) == "true",
        "draft": draft,
    }
