"""Which policy holds for which host, and when a run that begins now would be due."""

from collections.abc import Sequence
from typing import Final

from server.core.call import Call
from server.core.db import Queries
from server.core.ids import HostId
from server.identity import service as identity
from server.patching import rules
from server.patching.models import DEFAULT, Policy, Preview, Target, Work
from server.patching.queries import policies as policy_rows

_MODULE: Final = "patching_policies"


async def policies(db: Queries, call: Call, hosts: Sequence[HostId]) -> dict[HostId, Policy]:
    """Return the policies that hold for these hosts now; those without one are not in it, nor any while all are off."""
    if _MODULE not in await identity.modules(call):
        return {}
    return await policy_rows.list_effective(db, hosts)


async def previews(call: Call, targets: Sequence[Target]) -> list[Preview]:
    """Return for each host which policy holds, and when a run that is triggered or approved now would begin."""
    found = await policies(call.db, call, [target.id for target in targets])
    return [_preview(call, target, found.get(target.id, DEFAULT)) for target in targets]


def _preview(call: Call, target: Target, policy: Policy) -> Preview:
    work, notes = rules.work_for(Work("patch_all"), policy, target)
    return Preview(target, policy, rules.run_at(policy, call.now) or call.now, work.options, notes)
