"""What of patching the search finds: policies by name, runs by their id."""

from collections.abc import Sequence
from typing import Final

from server.core.call import Call
from server.core.ids import is_uuid
from server.identity import service as identity
from server.patching import history, policies
from server.web.searching import Hit, Searcher

_MODULE: Final = "patching"
_POLICIES: Final = "patching_policies"
_TASK: Final = "patch-run-"


async def _policies(call: Call, words: str, limit: int) -> Sequence[Hit]:
    if _POLICIES not in await identity.modules(call):
        return []
    found = [one for one in await policies.everything(call) if words.lower() in one["name"].lower()]
    return [
        Hit(one["name"], f"/patching?tab=policies&open={one['id']}", one["description"], str(one["id"]))
        for one in found[:limit]
    ]


async def _runs(call: Call, words: str, limit: int) -> Sequence[Hit]:
    run = words.lower().removeprefix(_TASK).removesuffix("-retry")
    if not is_uuid(run) or _MODULE not in await identity.modules(call):
        return []
    found = await history.chosen(call, [run])
    return [
        Hit(one.host_name, f"/patching/runs/{one.id}", one.status.replace("_", " "), one.id) for one in found[:limit]
    ]


SEARCHERS: Final = (
    Searcher("Patch policies", "clock", "can_view_hosts", _policies, kind="patch_policy"),
    Searcher("Patch runs", "package", "can_view_hosts", _runs, kind="patch_run"),
)
