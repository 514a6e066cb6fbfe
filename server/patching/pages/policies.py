"""The policies: beside the runs, and the same under the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from aiohttp import web

from server.core import zones
from server.core.errors import Invalid, Problem
from server.patching import history, policies
from server.patching.errors import TargetMissing
from server.patching.pages import options, words
from server.patching.pages.frame import MANAGE, POLICIES, VIEW, is_on, off
from server.web.fields import Field, complained, filled
from server.web.flash import back
from server.web.formats import link
from server.web.forms import form_values
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_HERE: Final = "/patching/policies"
_TWIN: Final = "/settings/patch-management"
ENTRIES: Final = (
    Entry("Settings", "Patch Management", _TWIN, "package", 34, MANAGE, "Hosts Management", module=POLICIES),
)
_FIELDS: Final = (
    Field("name", "Name", placeholder="Nightly"),
    Field("description", "Description", required=False),
    Field(
        "patch_delay_type",
        "Patch delay",
        "choice",
        "immediate",
        (
            ("immediate", "Immediate"),
            ("delayed", "Delayed (run after N minutes)"),
            ("fixed_time", "Fixed time (e.g. 3:00 AM)"),
        ),
    ),
    Field("delay_minutes", "Minutes to wait", "number", "", required=False, help="From the trigger, or the approval."),
    Field(
        "fixed_time_utc",
        "Time (UTC)",
        placeholder="03:00",
        required=False,
        help="HH:MM. Runs begin at this time in UTC.",
    ),
    Field("timezone", "Timezone", "choice", "", required=False, help="Only a label: it never moves the time."),
)
_SUGGESTED: Final = 40


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy in the list."""

    id: str
    name: str
    description: str
    schedule: str
    options: list[tuple[str, str]]
    assignments: int
    exclusions: int


@dataclass(frozen=True, slots=True)
class PoliciesPage(Page):
    """templates/patching/policies.html.

    Attributes:
        home: the address of this page, of the two it has; ``base`` is where its forms go.
        opened: the policy whose assignments and exclusions are shown.
        editing: the policy that is changed, with its form; without an id a new one.
        leaving: the policy that is to be deleted.
        can_change: makes and deletes policies; who is limited to groups only gives them.
    """

    template: ClassVar[str] = "patching/policies.html"
    title: ClassVar[str] = "Patch policies"
    home: str
    base: str
    rows: list[PolicyRow]
    can_manage: bool
    can_change: bool
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    opened: Mapping[str, Any] | None = None
    editing: Mapping[str, Any] | None = None
    leaving: Mapping[str, Any] | None = None
    targets: Sequence[tuple[str, str]] = ()
    hosts: Sequence[str] = ()


def _base(request: web.Request) -> str:
    return _TWIN if request.path.startswith(_TWIN) else _HERE


def _home(request: web.Request) -> str:
    return _TWIN if request.path.startswith(_TWIN) else "/patching?tab=policies"


@routes.get(_TWIN)
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show the policies; ``new``, ``edit`` and ``delete`` in the query open a form, ``open`` a policy's hosts."""
    if not await is_on(request, POLICIES):
        return off(request, "policies")
    asked, query = call(request), request.query
    may = asked.actor.may(MANAGE)
    if may and (wanted := query.get("edit")):
        found = await policies.fetch(asked, wanted)
        return await _render(request, filled(_fields(), {**found, **options.shown(found)}, {}), editing=found)
    if may and (wanted := query.get("delete")):
        return await _render(request, leaving=await policies.fetch(asked, wanted))
    if wanted := query.get("open"):
        return await _render(request, opened=await policies.fetch(asked, wanted))
    return await _render(request, editing={"id": ""} if may and "new" in query else None)


def _fields() -> list[Field]:
    choices = (("", "UTC"), *((zone, zone) for zone in zones.offered()[1:]))
    return [replace(one, choices=choices) if one.name == "timezone" else one for one in (*_FIELDS, *options.FIELDS)]


async def _render(
    request: web.Request,
    fields: Sequence[Field] = (),
    *,
    opened: Mapping[str, Any] | None = None,
    editing: Mapping[str, Any] | None = None,
    leaving: Mapping[str, Any] | None = None,
    complaints: Sequence[tuple[str, str] | str] = (),
    status: int = 200,
) -> web.Response:
    asked = call(request)
    found = await history.named(asked, "", _SUGGESTED) if opened is not None else []
    page = PoliciesPage(
        home=_home(request),
        base=_base(request),
        rows=[_row(one) for one in await policies.everything(asked)],
        can_manage=asked.actor.may(MANAGE),
        can_change=asked.actor.may(MANAGE) and asked.actor.scope is None,
        fields=list(fields) or _fields(),
        complaints=complaints,
        opened=opened,
        editing=editing,
        leaving=leaving,
        targets=[(one.name, "group" if one.kind == "group" else "host") for one in found],
        hosts=[one.name for one in found if one.kind == "host"],
    )
    return render(request, page, status=status)


def _row(found: Mapping[str, Any]) -> PolicyRow:
    return PolicyRow(
        id=str(found["id"]),
        name=found["name"],
        description=found["description"],
        schedule=words.schedule_word(found),
        options=words.options(found),
        assignments=found["assignments_count"],
        exclusions=found["exclusions_count"],
    )


# ---------------------------------------------------------------- making and changing


@routes.post(_HERE)
@routes.post(_TWIN)
@gated(MANAGE, module=POLICIES)
async def create(request: web.Request) -> web.Response:
    """Make a policy; it holds for nobody yet."""
    values = await form_values(request)
    try:
        made = await policies.create(call(request), words.policy_of(values))
    except Problem as refused:
        return await _refused(request, {"id": ""}, values, refused)
    return back(
        request,
        link(_home(request), open=str(made["id"])),
        "good",
        f"The policy {made['name']} was created. It holds for nobody until it is assigned.",
    )


@routes.post(_HERE + "/{policy}")
@routes.post(_TWIN + "/{policy}")
@gated(MANAGE, module=POLICIES)
async def update(request: web.Request) -> web.Response:
    """Change a policy for future runs."""
    asked, policy = call(request), path_text(request, "policy")
    values = await form_values(request)
    try:
        changed = await policies.change(asked, words.policy_of(values, policy))
    except Invalid as refused:
        return await _refused(request, await policies.fetch(asked, policy), values, refused)
    return back(request, _home(request), "good", f"The policy {changed['name']} was updated, for runs from now on.")


async def _refused(
    request: web.Request, policy: Mapping[str, Any], values: dict[str, Any], refused: Problem
) -> web.Response:
    said = (refused.complaints if isinstance(refused, Invalid) else {}) or {"name": str(refused)}
    shown = filled(_fields(), values, said)
    return await _render(request, shown, editing=policy, complaints=complained(shown, said), status=status_of(refused))


@routes.post(_HERE + "/{policy}/delete")
@routes.post(_TWIN + "/{policy}/delete")
@gated(MANAGE, module=POLICIES)
async def delete(request: web.Request) -> web.Response:
    """Remove a policy; runs keep what they know of it."""
    asked, policy = call(request), path_text(request, "policy")
    found = await policies.fetch(asked, policy)
    await policies.delete(asked, policy)
    return back(
        request, _home(request), "good", f"The policy {found['name']} was deleted. Scheduled runs stay scheduled."
    )


# ---------------------------------------------------------------- giving


@routes.post(_HERE + "/{policy}/assignments")
@routes.post(_TWIN + "/{policy}/assignments")
@gated(MANAGE, module=POLICIES)
async def assign(request: web.Request) -> web.Response:
    """Give a policy to the host or group of this name."""
    return await _with_named(request, "assign")


@routes.post(_HERE + "/{policy}/assignments/{assignment}/delete")
@routes.post(_TWIN + "/{policy}/assignments/{assignment}/delete")
@gated(MANAGE, module=POLICIES)
async def unassign(request: web.Request) -> web.Response:
    """Take a policy away."""
    await policies.unassign(call(request), path_text(request, "policy"), path_text(request, "assignment"))
    return _opened(request, "good", "It no longer holds there, for runs from now on.")


@routes.post(_HERE + "/{policy}/exclusions")
@routes.post(_TWIN + "/{policy}/exclusions")
@gated(MANAGE, module=POLICIES)
async def exclude(request: web.Request) -> web.Response:
    """Leave the host of this name out of a policy."""
    return await _with_named(request, "exclude")


@routes.post(_HERE + "/{policy}/exclusions/{host}/delete")
@routes.post(_TWIN + "/{policy}/exclusions/{host}/delete")
@gated(MANAGE, module=POLICIES)
async def include(request: web.Request) -> web.Response:
    """Let a policy hold for a host again."""
    await policies.include(call(request), path_text(request, "policy"), path_text(request, "host"))
    return _opened(request, "good", "The host is no longer excluded.")


async def _with_named(request: web.Request, verb: Literal["assign", "exclude"]) -> web.Response:
    asked, policy = call(request), path_text(request, "policy")
    typed = str((await form_values(request)).get("target", "")).replace("\0", "").strip()[:200]
    try:
        kind, target = await _target(request, typed, only_hosts=verb == "exclude")
        if verb == "exclude":
            await policies.exclude(asked, policy, target)
        else:
            await policies.assign(asked, policy, kind, target)
    except (TargetMissing, Invalid) as refused:
        return _opened(request, "attention", f"{typed or 'Nothing'}: {refused}.")
    return _opened(
        request, "good", f"{typed} is excluded." if verb == "exclude" else f"It holds for {typed} from now on."
    )


async def _target(request: web.Request, typed: str, *, only_hosts: bool) -> tuple[Literal["host", "host_group"], str]:
    found = await history.named(call(request), typed, 200) if typed else []
    for one in found:
        if one.name.lower() == typed.lower() and not (only_hosts and one.kind == "group"):
            return "host_group" if one.kind == "group" else "host", one.id
    raise TargetMissing(kind="Host" if only_hosts else "Host or group")


def _opened(request: web.Request, kind: str, text: str) -> web.Response:
    return back(request, link(_home(request), open=path_text(request, "policy")), kind, text)
