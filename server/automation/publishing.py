"""The playbooks that can be launched: those on disk, and those that an upper room publishes."""

from server.automation import catalogue, librarian
from server.automation.errors import MayNotLaunch, PlaybookMissing
from server.automation.librarian import BUILTIN, Level
from server.automation.models import Playbook, Project
from server.automation.queries import library as rows
from server.core.call import Call
from server.core.db import Tx

_LAUNCH: frozenset[Level] = frozenset({"launch", "edit"})


async def publish_builtin(call: Call) -> None:
    """Make the playbooks on disk launchable; several servers starting together agree."""
    library = catalogue.builtin()
    async with call.transaction() as tx:
        await publish_in(tx, library.project, library.playbooks, origin=BUILTIN)


async def publish_in(tx: Tx, project: Project | None, playbooks: tuple[Playbook, ...], *, origin: str) -> None:
    """Make exactly these playbooks of an origin launchable; jobs of those that go keep their project.

    Without a project, and so without playbooks, the origin has nothing any more.
    """
    if project is not None:
        await rows.insert_project(tx, project)
        await rows.upsert_playbooks(tx, playbooks)
    await rows.delete_playbooks_but(tx, origin, tuple(one.name for one in playbooks))


async def playbooks(call: Call) -> list[Playbook]:
    """Return every playbook that the actor may see, by name."""
    found = await rows.list_playbooks(call.db)
    seen = await librarian.levels(call.db, call, found)
    return [one for one in found if seen.get(one.name)]


async def launchable(call: Call) -> list[Playbook]:
    """Return every playbook that the actor may launch, by name."""
    found = await rows.list_playbooks(call.db)
    seen = await librarian.levels(call.db, call, found)
    return [one for one in found if seen.get(one.name) in _LAUNCH]


async def playbook(call: Call, name: str) -> Playbook:
    """Return one playbook; ``PlaybookMissing`` when there is none that the actor may see."""
    found = await rows.find_playbook(call.db, name)
    if found is None or not (await librarian.levels(call.db, call, [found])).get(name):
        raise PlaybookMissing(name=name)
    return found


async def may_launch(call: Call, name: str) -> bool:
    """Tell whether the actor may launch (and stop, approve, launch again) this playbook."""
    try:
        await demand(call, name)
    except MayNotLaunch:
        return False
    return True


async def demand(call: Call, name: str) -> None:
    """Raise ``MayNotLaunch`` unless the actor may launch this playbook; of one that is gone, as if it were ours."""
    found = await rows.find_playbook(call.db, name)
    await librarian.demand(call.db, call, found or Playbook(name, "", name, "", ""))
