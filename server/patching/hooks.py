"""What may run around a patch run: playbooks of the library, chosen by people who may launch them."""

from server.automation import service as automation
from server.automation.errors import PlaybookMissing
from server.core.call import Call
from server.patching.errors import BadRun, HookRefused
from server.patching.models import RunOptions


async def demand(call: Call, options: RunOptions) -> None:
    """Raise ``BadRun`` for a hook that is no playbook, and ``HookRefused`` for one that the actor may not launch."""
    for field, name in (("pre_playbook", options.pre_playbook), ("post_playbook", options.post_playbook)):
        if not name:
            continue
        try:
            found = await automation.playbook(call, name)
        except PlaybookMissing as missing:
            raise BadRun.of({field: str(missing)}) from missing
        if not await automation.may_launch(call, name):
            raise HookRefused(playbook=name)
        if (await automation.offered(call, found)).approval:
            raise BadRun.of({field: f"{name} needs an approval of its own, which nobody is asked for around a run"})
