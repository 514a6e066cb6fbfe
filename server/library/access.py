"""Finding a project for somebody, and whether they may do what they want with it."""

from server.core.call import Call
from server.core.db import Queries
from server.library import rules
from server.library.errors import MayNot, ProjectMissing
from server.library.models import Level, Project
from server.library.queries import projects as rows


async def level(db: Queries, call: Call, project: Project, file: str = "") -> Level:
    """Return how far the actor may go with a project, or with one of its playbooks."""
    return rules.level_of(call.actor, project.default_level, await rows.list_grants(db, project.id), file)


async def project(call: Call, slug: str, needed: Level = "view", file: str = "") -> Project:
    """Return a project; ``ProjectMissing`` for who must not see it, ``MayNot`` for who may not do this."""
    found = await rows.find_project(call.db, slug) if rules.SLUG.fullmatch(slug) else None
    if found is None:
        raise ProjectMissing
    held = await level(call.db, call, found, file)
    if held == "none":
        raise ProjectMissing
    if not rules.reaches(held, needed):
        raise MayNot(level=needed, project=found.title)
    return found
