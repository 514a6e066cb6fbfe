"""Automatic remediation: the list, and the form of one policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.compliance import policies
from server.compliance.errors import PolicyMissing
from server.compliance.models import NewPolicy, Policy, PolicyApproval
from server.compliance.pages import frame
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE, VIEW
from server.core.errors import Problem
from server.hosts import service as hosts
from server.hosts.models import Tab
from server.settings import service as settings
from server.web.fields import Field, complained, filled
from server.web.flash import back
from server.web.forms import TextBody, form_values, parse
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
HERE: Final = "/compliance/policies"
_CRUMBS: Final = (CRUMB, ("Remediations", "/compliance/remedies"), ("Automatic", HERE))
_APPROVALS: Final[tuple[tuple[PolicyApproval, str], ...]] = (
    ("wait", "Try them, then wait for an approval"),
    ("apply", "Try them, and apply what the dry run foresees without a failure"),
)
_FIELDS: Final = (
    Field("name", "Name"),
    Field("rules", "Rules", "area", help="Their references, one a line. No other rule is ever fixed."),
    Field("approval", "When one of them fails", "choice", choices=_APPROVALS),
    Field("enabled", "Enabled", "boolean", value=False, help="Looks at every new OpenSCAP scan of the group's hosts."),
)


class PolicyForm(TextBody):
    """What the form posts, as it was typed."""

    name: str = ""
    group: str = ""
    rules: str = ""
    approval: PolicyApproval = "wait"
    enabled: bool = False

    def wanted(self) -> NewPolicy:
        """Return the policy."""
        return NewPolicy(self.name, self.group, policies.references(self.rules), self.approval, self.enabled)


@dataclass(frozen=True, slots=True)
class PoliciesPage(Page):
    """templates/compliance/policies.html; ``waits``: the settings demand a second person, so none applies by itself."""

    template: ClassVar[str] = "compliance/policies.html"
    title: ClassVar[str] = "Automatic remediation"
    tabs: list[Tab]
    rows: list[Policy]
    waits: bool
    can_manage: bool


@dataclass(frozen=True, slots=True)
class PolicyPage(Page):
    """templates/compliance/policy.html; ``policy`` is None for a new one."""

    template: ClassVar[str] = "compliance/policy.html"
    title: ClassVar[str] = "Automatic remediation"
    policy: Policy | None
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    can_manage: bool


@routes.get(HERE)
@gated(VIEW)
async def show_all(request: web.Request) -> web.Response:
    """Show the policies."""
    if not await frame.is_on(request):
        return frame.off(request)
    asked = call(request)
    waits = (await settings.effective(asked)).compliance_remediation_approval == "second_person"
    page = PoliciesPage(frame.tabs("remedies"), await policies.list_all(asked), waits, frame.may_manage(request))
    return render(request, page, breadcrumbs=(*_CRUMBS[:2], ("Automatic", "")))


@routes.get(f"{HERE}/new")
@gated(MANAGE, module=MODULE)
async def new(request: web.Request) -> web.Response:
    """Show an empty form; ``rule`` fills in a reference."""
    return await _form(request, None, {"rules": request.query.get("rule", "")}, {})


@routes.get(f"{HERE}/{{policy}}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one policy."""
    if not await frame.is_on(request):
        return frame.off(request)
    one = await policies.fetch(call(request), path_text(request, "policy"))
    values = {"name": one.name, "group": one.group, "rules": "\n".join(one.rules), "approval": one.approval,
              "enabled": one.enabled}  # fmt: skip
    return await _form(request, one, values, {})


async def _form(
    request: web.Request, one: Policy | None, values: Mapping[str, Any], said: Mapping[str, str], status: int = 200
) -> web.Response:
    groups = [(str(group["id"]), str(group["name"])) for group in await hosts.list_groups(call(request))]
    group = Field("group", "Host group", "choice", choices=groups, help="Whose hosts it looks after.")
    fields = filled((_FIELDS[0], group, *_FIELDS[1:]), values, said)
    page = PolicyPage(one, fields, complained(fields, said), frame.may_manage(request))
    return render(request, page, status=status, breadcrumbs=(*_CRUMBS, (one.name if one else "New", "")))


@routes.post(HERE)
@gated(MANAGE, module=MODULE)
async def create(request: web.Request) -> web.Response:
    """Make a policy."""
    values = await _typed(request)
    try:
        await policies.create(call(request), parse(PolicyForm, values).wanted())
    except Problem as refused:
        return await _form(request, None, values, _said(refused), status_of(refused))
    return back(request, HERE, "good", "Saved.")


@routes.post(f"{HERE}/{{policy}}")
@gated(MANAGE, module=MODULE)
async def change(request: web.Request) -> web.Response:
    """Change a policy."""
    values = await _typed(request)
    one = await policies.fetch(call(request), path_text(request, "policy"))
    try:
        await policies.change(call(request), one.id, parse(PolicyForm, values).wanted())
    except PolicyMissing:
        # Nothing to show the form of.
        raise
    except Problem as refused:
        return await _form(request, one, values, _said(refused), status_of(refused))
    return back(request, HERE, "good", "Saved. It looks at its hosts once more.")


@routes.post(f"{HERE}/{{policy}}/delete")
@gated(MANAGE, module=MODULE)
async def delete(request: web.Request) -> web.Response:
    """Delete a policy."""
    await form_values(request)
    gone = await policies.delete(call(request), path_text(request, "policy"))
    return back(request, HERE, "good", f"{gone.name} was deleted. What it began waits for you.")


async def _typed(request: web.Request) -> dict[str, Any]:
    """Return the form; a box that is ticked comes behind the word for one that is not."""
    values = await form_values(request)
    return {name: value[-1] if isinstance(value, list) and value else value for name, value in values.items()}


def _said(refused: Problem) -> dict[str, str]:
    return getattr(refused, "complaints", None) or {"": str(refused)}
