"""Projects: making, changing, deleting, what is said about their playbooks, and who may do what."""

import secrets
from dataclasses import replace

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.library import access, building, credentials, plays, rules, syncing
from server.library.errors import BadInput, FileMissing, NothingToSync
from server.library.models import LEVELS, Finding, Grant, Level, Listed, NewProject, Project, Said, Sync
from server.library.queries import files as file_rows
from server.library.queries import projects as rows

fetch = access.project


def allows_files(call: Call) -> bool:
    """Tell whether the operator lets projects come from this server's own disk."""
    return call.world.env.library_files


async def listed(call: Call) -> list[Listed]:
    """Return every project that the actor may see."""
    standings, grants = await rows.list_standings(call.db), await rows.list_all_grants(call.db)
    counts: dict[str, int] = {}
    for one in await automation.playbooks(call):
        if one.origin != "builtin":
            slug = one.name.partition("/")[0]
            counts[slug] = counts.get(slug, 0) + 1
    return [
        rows.listed(one, counts.get(one.slug, 0), standings.get(one.id, (0, None, "")))
        for one in await rows.list_projects(call.db)
        if rules.level_of(call.actor, one.default_level, grants.get(one.id, ())) != "none" or counts.get(one.slug)
    ]


async def create(call: Call, wanted: NewProject) -> Project:
    """Make a project; one from git is fetched at once. Raises ``BadInput``."""
    await _check(call, wanted)
    async with call.transaction() as tx:
        made = await rows.insert_project(tx, call, wanted)
        if made is None:
            raise BadInput.of({"slug": "Another project is called like this"})
        await audit.record(
            tx, call, "library.project_created", Subject("project", made, wanted.title),
            {"slug": wanted.slug, "kind": wanted.kind, **({"url": wanted.url} if wanted.url else {})},
        )  # fmt: skip
        if call.actor.kind in {"person", "token"}:
            # Whatever others may do, whoever made it can go on with it.
            await rows.upsert_grant(tx, made, Grant("", "person", call.actor.id, "edit"))
        if wanted.kind == "git":
            await syncing.ask_in(tx, call, made, "created")
    return await access.project(call, wanted.slug)


async def change(call: Call, slug: str, wanted: NewProject) -> Project:
    """Change what people say about a project; where it comes from is fetched again when that changed."""
    found = await access.project(call, slug, "edit")
    wanted = replace(wanted, slug=found.slug, kind=found.kind)
    await _check(call, wanted, found)
    async with call.transaction() as tx:
        await rows.update_project(tx, call, found, wanted)
        await audit.record(tx, call, "library.project_changed", Subject("project", found.id, wanted.title))
        moved = (found.url, found.branch, found.credential_id) != (wanted.url, wanted.branch, wanted.credential_id)
        if found.kind == "git" and moved:
            await syncing.ask_in(tx, call, found.id, "changed")
    return await access.project(call, slug)


async def _check(call: Call, wanted: NewProject, before: Project | None = None) -> None:
    wrong = rules.complaints_of_project(wanted, files=allows_files(call))
    kept = {before.credential_id, *before.vault_ids} if before else set()
    for field, ids, kinds in (
        ("credential_id", (wanted.credential_id,) if wanted.credential_id else (), rules.FOR_GIT),
        ("vault_ids", wanted.vault_ids, frozenset({"vault"})),
    ):
        usable = {one.id: one.kind for one in await credentials.usable(call)}
        if any(one not in kept and usable.get(one, "") not in kinds for one in ids):
            wrong[field] = "Choose one of the credentials that you may use"
    if wrong:
        raise BadInput.of(wrong)


async def delete(call: Call, slug: str) -> None:
    """Delete a project; jobs that ran keep what they ran."""
    found = await access.project(call, slug, "edit")
    async with call.transaction() as tx:
        await automation.publish_in(tx, None, (), origin=building.origin_of(found))
        await rows.delete_project(tx, found.id)
        await audit.record(tx, call, "library.project_deleted", Subject("project", found.id, found.title))


async def sync(call: Call, slug: str) -> None:
    """Fetch a git project again now; who may launch may ask for it."""
    found = await access.project(call, slug, "launch")
    if found.kind != "git":
        raise NothingToSync
    async with call.transaction() as tx:
        await syncing.ask_in(tx, call, found.id, "asked")
        await audit.record(tx, call, "library.project_sync_asked", Subject("project", found.id, found.title))


async def renew_webhook(call: Call, slug: str, *, off: bool = False) -> str:
    """Give a project's webhook a new secret and return it, for the only time; or switch the webhook off."""
    found = await access.project(call, slug, "edit")
    if found.kind != "git":
        raise NothingToSync
    secret = "" if off else secrets.token_urlsafe(32)
    async with call.transaction() as tx:
        await rows.set_webhook(tx, found.id, call.world.box.seal(secret) if secret else None)
        verb = "library.webhook_switched_off" if off else "library.webhook_renewed"
        await audit.record(tx, call, verb, Subject("project", found.id, found.title))
    return secret


async def findings(call: Call, project: Project) -> list[Finding]:
    """Return what was found when the project was checked last."""
    return await rows.list_findings(call.db, project.id)


async def syncs(call: Call, project: Project, limit: int = 20) -> list[Sync]:
    """Return how the project's last synchronisations went, newest first."""
    return await rows.list_syncs(call.db, project.id, limit)


# ---------------------------------------------------------------- what is said about a playbook


async def said(call: Call, project: Project, file: str) -> Said:
    """Return what people said about a playbook; ``FileMissing`` when the project has none like it."""
    if not rules.PLAYBOOK_FILE.fullmatch(file) or await file_rows.find_file(call.db, project.id, file) is None:
        raise FileMissing(path=file)
    return (await rows.list_said(call.db, project.id)).get(file) or Said(file)


async def said_of_all(call: Call, project: Project) -> dict[str, Said]:
    """Return what people said about the project's playbooks, by file."""
    return await rows.list_said(call.db, project.id)


async def say(call: Call, slug: str, wanted: Said) -> None:
    """Keep title, survey, approval and usual credentials of a playbook, and publish it with them."""
    project = await access.project(call, slug, "edit")
    before = await said(call, project, wanted.file)
    wrong: dict[str, str] = {}
    if complaints := plays.complaints_of_survey(wanted.survey):
        wrong["survey"] = "; ".join(complaints)
    usable = {one.id for one in await credentials.usable(call) if one.kind in rules.FOR_JOBS}
    if any(one not in usable and one not in before.credential_ids for one in wanted.credential_ids):
        wrong["credentials"] = "Choose credentials that you may use and that a job can be given"
    if wrong:
        raise BadInput.of(wrong)
    async with call.transaction() as tx:
        await rows.upsert_said(tx, project.id, wanted)
        await audit.record(
            tx, call, "library.playbook_changed", Subject("project", project.id, project.title),
            {"playbook": wanted.file, "approval": wanted.approval, "questions": len(wanted.survey)},
        )  # fmt: skip
        await syncing.ask_in(tx, call, project.id, "playbook")


# ---------------------------------------------------------------- who may do what


async def grants(call: Call, project: Project) -> list[Grant]:
    """Return who may do what with a project."""
    return await rows.list_grants(call.db, project.id)


async def grant(call: Call, slug: str, wanted: Grant) -> None:
    """Let somebody do something, or nothing, with a project or one of its playbooks."""
    project = await access.project(call, slug, "edit")
    wrong = {}
    if wanted.subject_kind not in {"role", "person"} or not wanted.subject or len(wanted.subject) > 100:  # noqa: PLR2004 (a name)
        wrong["subject"] = "Choose a role or a person"
    if wanted.subject_kind == "person" and not is_uuid(wanted.subject):
        wrong["subject"] = "Choose a person"
    if wanted.level not in LEVELS:
        wrong["level"] = "Choose what they may do"
    if wanted.file and not rules.PLAYBOOK_FILE.fullmatch(wanted.file):
        wrong["file"] = "Choose one of the playbooks"
    if wrong:
        raise BadInput.of(wrong)
    async with call.transaction() as tx:
        await rows.upsert_grant(tx, project.id, wanted)
        await _record_grant(tx, call, project, wanted, "library.right_given")


async def revoke(call: Call, slug: str, wanted: Grant) -> None:
    """Forget what somebody may do; the more general word counts again."""
    project = await access.project(call, slug, "edit")
    async with call.transaction() as tx:
        await rows.delete_grant(tx, project.id, wanted)
        await _record_grant(tx, call, project, wanted, "library.right_taken")


async def _record_grant(tx: Tx, call: Call, project: Project, grant: Grant, verb: str) -> None:
    detail = {"playbook": grant.file, grant.subject_kind: grant.subject, "level": grant.level}
    await audit.record(tx, call, verb, Subject("project", project.id, project.title), detail)


async def level(call: Call, project: Project, file: str = "") -> Level:
    """Return how far the actor may go with a project, or with one of its playbooks."""
    return await access.level(call.db, call, project, file)
