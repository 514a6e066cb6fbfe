"""Fetching, checking and publishing a project in a worker; the last good revision stays launchable when that fails."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import orjson

from server.automation import service as automation
from server.automation.models import Project as Archive
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.log import get_log
from server.core.queue import enqueue
from server.core.secretbox import BadSeal
from server.library import building, git
from server.library.errors import BadProject, ProjectMissing, WebhookRefused
from server.library.events import ProjectSynced, ProjectSyncFailed
from server.library.models import Built, Project, Sync
from server.library.queries import credentials as credential_rows
from server.library.queries import files as file_rows
from server.library.queries import projects as rows

log = get_log(__name__)

TASK: Final = "library.sync"
HINTS: Final = "library.hints"
_SECONDS: Final = 25 * 60.0
_MOST_LOG: Final = 256 * 1024
_KEPT_SYNCS: Final = 50


async def ask_in(tx: Tx, call: Call, project_id: str, cause: str) -> None:
    """Let a worker fetch (from git), check and publish a project; asking twice does it once more at most."""
    await rows.insert_sync(tx, call, project_id, cause)
    tx.after_commit(enqueue(TASK, (project_id,)))


async def sync(call: Call, project_id: str) -> None:
    """Do what waits for a project; what comes meanwhile waits for its own turn."""
    while (asked := await rows.claim_sync(call.db, call, project_id)) is not None:
        project = await rows.find_project_by_id(call.db, project_id)
        if project is None:
            return
        await _carry_out(call, project, asked)


async def _carry_out(call: Call, project: Project, asked: Sync) -> None:
    said: list[str] = []
    revision, reason = "", ""
    try:
        async with asyncio.timeout(_SECONDS):
            revision = await _attempt(call, project, said)
    except BadProject as error:
        reason = str(error)
    except TimeoutError:
        reason = f"It took longer than {_SECONDS / 60:g} minutes"
    except Exception as error:
        # Whoever looks at the project must see that it ended; what broke stands in the log of the worker.
        log.exception("library_sync_broke", project=project.slug)
        reason = f"Something went wrong here ({type(error).__name__}); the log of the worker says more"
    if reason:
        said.append(reason)
    text = "\n".join(line for line in said if line).replace("\0", "")[-_MOST_LOG:]
    await rows.note_log(call.db, asked.id, text)
    await rows.end_sync(call.db, call, asked, "failed" if reason else "succeeded", revision, reason)
    event = ProjectSyncFailed if reason else ProjectSynced
    await announce(event(project.slug, project.title, revision, reason))(call.world)


async def _attempt(call: Call, project: Project, said: list[str]) -> str:
    """Return the revision that can be launched now."""
    if project.kind == "git":
        fetched = await git.fetch_files(await _source(call, project), said.append)
        files, revision = fetched.files, fetched.revision
    else:
        files, revision = await file_rows.read_all(call.db, project.id), str(project.changed)
    known = await rows.list_said(call.db, project.id)
    built, travelling = await building.build(project, files, known, said.append)
    async with call.transaction(long=True) as tx:
        if await rows.lock_project(tx, project.id) is None:
            return revision
        if project.kind == "git":
            await file_rows.replace_fetched(tx, project.id, sorted(files.items()))
        await _publish(tx, call, project, built, revision)
    said.append(f"Published {revision[:12] if project.kind == 'git' else f'change {revision}'}.")
    found = await building.check(built, travelling, files, said.append)
    async with call.transaction() as tx:
        if await rows.lock_project(tx, project.id) is not None:
            await rows.replace_findings(tx, project.id, found)
            if not found:
                tx.after_commit(enqueue(HINTS, (project.id, built.digest)))
    return revision


async def hints(call: Call, project_id: str, digest: str) -> None:
    """Look for what could be better in a project, unless it is another one by now."""
    project = await rows.find_project_by_id(call.db, project_id)
    if project is None or project.digest != digest:
        return
    known = [one for one in await automation.playbooks(call) if one.project_digest == digest]
    found = await building.hints(await file_rows.read_all(call.db, project_id), [one.file for one in known])
    async with call.transaction() as tx:
        locked = await rows.lock_project(tx, project_id)
        if locked is not None and locked.digest == digest:
            await rows.replace_findings(tx, project_id, found)


async def _publish(tx: Tx, call: Call, project: Project, built: Built, revision: str) -> None:
    origin = building.origin_of(project)
    await automation.publish_in(tx, Archive(built.digest, built.content, origin), built.playbooks, origin=origin)
    await rows.publish(tx, call, project, built.digest, revision, dict(built.vaulted), dict(built.files))


async def _source(call: Call, project: Project) -> git.Source:
    secrets: Mapping[str, str] = {}
    kind = ""
    if project.credential_id:
        for one in await credential_rows.find_credentials(call.db, (project.credential_id,)):
            try:
                secrets, kind = orjson.loads(call.world.box.open(one.sealed)), one.kind
            except BadSeal as error:
                raise BadProject(f"The credential {one.name} cannot be opened with this server's key") from error
    return git.Source(project.url, project.branch, secrets, key=kind == "git_key")


async def tick(call: Call) -> None:
    """Ask for what is due, do what a lost message left, and forget old records."""
    for project_id in await rows.list_due(call.db, call):
        async with call.transaction() as tx:
            await ask_in(tx, call, project_id, "schedule")
    await rows.tidy_syncs(call.db, call, _KEPT_SYNCS)
    for project_id in await rows.list_waiting(call.db):
        await sync(call, project_id)


# ---------------------------------------------------------------- webhooks


async def called(call: Call, slug: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Take a webhook: signed like GitHub's (``X-Hub-Signature-256``) or with GitLab's token (``X-Gitlab-Token``).

    Raises ``WebhookRefused``, also for projects that do not exist or have no webhook.
    """
    project = await rows.find_project(call.db, slug)
    secret = _webhook_secret(call, project)
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given, token = headers.get("X-Hub-Signature-256", ""), headers.get("X-Gitlab-Token", "")
    signed = hmac.compare_digest(given.encode(errors="replace"), f"sha256={signature}".encode())
    known = hmac.compare_digest(token.encode(errors="replace"), secret.encode())
    if project is None or not secret or not (signed or known):
        raise WebhookRefused
    async with call.transaction() as tx:
        if await rows.lock_project(tx, project.id) is None:
            raise ProjectMissing
        await ask_in(tx, call, project.id, "webhook")


def _webhook_secret(call: Call, project: Project | None) -> str:
    if project is None or not project.webhook_sealed:
        return ""
    try:
        return call.world.box.open(project.webhook_sealed)
    except BadSeal:
        log.warning("library_webhook_unreadable", project=project.slug)
        return ""
