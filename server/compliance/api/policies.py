"""Automatic remediation for programs: list, make, change, delete."""

from typing import Any, Final

from aiohttp import web
from pydantic import Field

from server.compliance import policies
from server.compliance.models import NewPolicy, Policy, PolicyApproval
from server.web.forms import TextBody, read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_reports"
_MANAGE: Final = "can_manage_compliance"
_MODULE: Final = "compliance"
_API: Final = "/api/v1/compliance/policies"


class PolicyBody(TextBody):
    """A policy; ``rules`` are references, and nothing else is ever fixed."""

    name: str = ""
    group_id: str = ""
    rules: list[str] = Field(default=[], max_length=1000)
    approval: PolicyApproval = "wait"
    enabled: bool = False

    def wanted(self) -> NewPolicy:
        """Return the policy."""
        return NewPolicy(self.name, self.group_id, tuple(dict.fromkeys(self.rules)), self.approval, self.enabled)


def view(one: Policy) -> dict[str, Any]:
    """Return a policy as the API tells it."""
    return {
        "id": one.id,
        "name": one.name,
        "group_id": one.group,
        "group_name": one.group_name,
        "rules": one.rules,
        "approval": one.approval,
        "enabled": one.enabled,
        "hosts": one.hosts,
        "created_by": one.made_by,
        "created_at": one.made_at,
        "changed_at": one.changed_at,
    }


@routes.get(_API)
@gated(_VIEW, module=_MODULE)
async def show_all(request: web.Request) -> web.Response:
    """Answer every policy of automatic remediation."""
    return json_answer({"policies": [view(one) for one in await policies.list_all(call(request))]})


@routes.post(_API, name="compliance.policy.create")
@gated(_MANAGE, module=_MODULE)
async def create(request: web.Request) -> web.Response:
    """Make a policy; unless told otherwise it is off, and waits for an approval."""
    body = await read_json(request, PolicyBody)
    return json_answer(view(await policies.create(call(request), body.wanted())), status=201)


@routes.get(f"{_API}/{{policy}}", name="compliance.policy")
@gated(_VIEW, module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Answer one policy."""
    return json_answer(view(await policies.fetch(call(request), path_text(request, "policy"))))


@routes.put(f"{_API}/{{policy}}", name="compliance.policy.change")
@gated(_MANAGE, module=_MODULE)
async def change(request: web.Request) -> web.Response:
    """Change a policy to what the body says; it looks at its hosts once more."""
    body = await read_json(request, PolicyBody)
    return json_answer(view(await policies.change(call(request), path_text(request, "policy"), body.wanted())))


@routes.delete(f"{_API}/{{policy}}", name="compliance.policy.delete")
@gated(_MANAGE, module=_MODULE)
async def delete(request: web.Request) -> web.Response:
    """Delete a policy."""
    await policies.delete(call(request), path_text(request, "policy"))
    return json_answer({"success": True})
