"""Statements about projects, what people say about their playbooks, and who may do what."""

from typing import Final, cast

from server.core.call import Call
from server.core.db import Queries, Tx, as_json
from server.library.models import Finding, Grant, Listed, NewProject, Project, Said, Sync, SyncStatus

_COLUMNS: Final = """
    p.id, p.slug, p.title, p.description, p.kind, p.url, p.branch, p.credential_id, p.vault_ids::text[],
    p.every_minutes, p.webhook_sealed, p.default_level, p.digest, p.revision, p.synced_at, p.changed,
    p.created_by, p.created_at, p.updated_at
"""
_PROJECT: Final = f"""select {_COLUMNS} from library_projects p"""  # noqa: S608 (a constant)


async def insert_project(tx: Tx, call: Call, wanted: NewProject) -> str | None:
    """Write a project and return its id; nothing when its slug is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into library_projects (slug, title, description, kind, url, branch, credential_id, vault_ids,
                                          every_minutes, default_level, created_by, created_at, updated_at)
            values (%(slug)s, %(title)s, %(description)s, %(kind)s, %(url)s, %(branch)s, %(credential_id)s,
                    %(vault_ids)s::uuid[], %(every)s, %(default_level)s, %(by)s, %(now)s, %(now)s)
                on conflict (slug) do nothing
            returning id
            """,
            slug=wanted.slug,
            title=wanted.title,
            description=wanted.description,
            kind=wanted.kind,
            url=wanted.url,
            branch=wanted.branch,
            credential_id=wanted.credential_id,
            vault_ids=list(wanted.vault_ids),
            every=wanted.every_minutes,
            default_level=wanted.default_level,
            by=call.actor.name or call.actor.id,
            now=call.now,
        ),
    )


async def update_project(tx: Tx, call: Call, project: Project, wanted: NewProject) -> None:
    """Change what people say about a project; its slug and kind stay."""
    await tx.execute(
        """
        update library_projects
           set title = %(title)s, description = %(description)s, url = %(url)s, branch = %(branch)s,
               credential_id = %(credential_id)s, vault_ids = %(vault_ids)s::uuid[], every_minutes = %(every)s,
               default_level = %(default_level)s, updated_at = %(now)s
         where id = %(id)s
        """,
        id=project.id,
        title=wanted.title,
        description=wanted.description,
        url=wanted.url,
        branch=wanted.branch,
        credential_id=wanted.credential_id,
        vault_ids=list(wanted.vault_ids),
        every=wanted.every_minutes,
        default_level=wanted.default_level,
        now=call.now,
    )


async def delete_project(tx: Tx, project_id: str) -> None:
    """Forget a project with its files and their history."""
    await tx.execute("""delete from library_projects where id = %(id)s""", id=project_id)


async def set_webhook(tx: Tx, project_id: str, sealed: str | None) -> None:
    """Keep the sealed secret of a project's webhook."""
    await tx.execute(
        """update library_projects set webhook_sealed = %(sealed)s where id = %(id)s""", id=project_id, sealed=sealed
    )


async def find_project(db: Queries, slug: str) -> Project | None:
    """Return a project, or nothing."""
    return await db.one(_PROJECT + """ where p.slug = %(slug)s""", Project, slug=slug)


async def find_project_by_id(db: Queries, project_id: str) -> Project | None:
    """Return a project, or nothing."""
    return await db.one(_PROJECT + """ where p.id = %(id)s""", Project, id=project_id)


async def lock_project(tx: Tx, project_id: str) -> Project | None:
    """Return a project that nobody else changes until the transaction ends."""
    return await tx.one(_PROJECT + """ where p.id = %(id)s for no key update""", Project, id=project_id)


async def list_projects(db: Queries) -> list[Project]:
    """Return every project by name."""
    return await db.all(_PROJECT + """ order by lower(p.title), p.slug""", Project)


async def list_standings(db: Queries) -> dict[str, tuple[int, SyncStatus | None, str]]:
    """Return per project how many files have errors, and how its last synchronisation went."""
    rows = await db.all(
        """
        select p.id,
               (select count(distinct f.path) from library_findings f
                 where f.project_id = p.id and f.kind = 'error') as problems,
               s.status, coalesce(s.reason, '') as reason
          from library_projects p
          left join lateral (select status, reason from library_syncs
                              where project_id = p.id order by asked_at desc limit 1) s on true
        """
    )
    return {row["id"]: (row["problems"], row["status"], row["reason"]) for row in rows}


def listed(project: Project, playbooks: int, standing: tuple[int, SyncStatus | None, str]) -> Listed:
    """Put a row of the list together."""
    return Listed(project, playbooks, *standing)


# ---------------------------------------------------------------- what people say about playbooks


async def list_said(db: Queries, project_id: str) -> dict[str, Said]:
    """Return what people said, by file."""
    rows = await db.all(
        """
        select file, title, description, survey, approval, credential_ids::text[]
          from library_playbooks
         where project_id = %(project_id)s
        """,
        Said,
        project_id=project_id,
    )
    return {row.file: row for row in rows}


async def upsert_said(tx: Tx, project_id: str, said: Said) -> None:
    """Keep what people say about a playbook."""
    await tx.execute(
        """
        insert into library_playbooks (project_id, file, title, description, survey, approval, credential_ids)
        values (%(project_id)s, %(file)s, %(title)s, %(description)s, %(survey)s::jsonb, %(approval)s,
                %(credential_ids)s::uuid[])
            on conflict (project_id, file) do update
           set title = excluded.title, description = excluded.description, survey = excluded.survey,
               approval = excluded.approval, credential_ids = excluded.credential_ids
        """,
        project_id=project_id,
        file=said.file,
        title=said.title,
        description=said.description,
        survey=as_json(said.survey),
        approval=said.approval,
        credential_ids=said.credential_ids,
    )


# ---------------------------------------------------------------- who may do what


async def list_grants(db: Queries, project_id: str) -> list[Grant]:
    """Return every grant of a project."""
    return await db.all(
        """
        select file, subject_kind, subject, level
          from library_grants
         where project_id = %(project_id)s
         order by file, subject_kind desc, subject
        """,
        Grant,
        project_id=project_id,
    )


async def list_all_grants(db: Queries) -> dict[str, list[Grant]]:
    """Return the grants of every project, by its id."""
    rows = await db.all("""select project_id, file, subject_kind, subject, level from library_grants""")
    found: dict[str, list[Grant]] = {}
    for row in rows:
        found.setdefault(row.pop("project_id"), []).append(Grant(**row))
    return found


async def upsert_grant(tx: Tx, project_id: str, grant: Grant) -> None:
    """Keep what somebody may do."""
    await tx.execute(
        """
        insert into library_grants (project_id, file, subject_kind, subject, level)
        values (%(project_id)s, %(file)s, %(kind)s, %(subject)s, %(level)s)
            on conflict (project_id, file, subject_kind, subject) do update set level = excluded.level
        """,
        project_id=project_id,
        file=grant.file,
        kind=grant.subject_kind,
        subject=grant.subject,
        level=grant.level,
    )


async def delete_grant(tx: Tx, project_id: str, grant: Grant) -> None:
    """Forget what somebody may do."""
    await tx.execute(
        """
        delete from library_grants
         where project_id = %(project_id)s and file = %(file)s and subject_kind = %(kind)s and subject = %(subject)s
        """,
        project_id=project_id,
        file=grant.file,
        kind=grant.subject_kind,
        subject=grant.subject,
    )


# ---------------------------------------------------------------- revisions and findings


async def publish(
    tx: Tx, call: Call, project: Project, digest: str, revision: str, vaulted: object, files: object
) -> None:
    """Note which revision can be launched now, and what it needs at launch."""
    await tx.execute(
        """
        with revised as (
            insert into library_revisions (project_id, digest, revision, vaulted, files, made_at)
            values (%(id)s, %(digest)s, %(revision)s, %(vaulted)s::jsonb, %(files)s::jsonb, %(now)s)
                on conflict (project_id, digest) do update set revision = excluded.revision, made_at = excluded.made_at
        )
        update library_projects
           set digest = %(digest)s, revision = %(revision)s, synced_at = %(now)s
         where id = %(id)s
        """,
        id=project.id,
        digest=digest,
        revision=revision,
        vaulted=as_json(vaulted),
        files=as_json(files),
        now=call.now,
    )


async def find_encrypted(db: Queries, project_id: str, digest: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the encrypted values by their names, and the encrypted files by their paths."""
    row = await db.one(
        """
        select vaulted, files from library_revisions where project_id = %(project_id)s and digest = %(digest)s
        """,
        project_id=project_id,
        digest=digest,
    )
    return (row["vaulted"], row["files"]) if row else ({}, {})


async def replace_findings(tx: Tx, project_id: str, found: tuple[Finding, ...]) -> None:
    """Keep what was found now instead of what was found before."""
    await tx.execute(
        """
        with gone as (delete from library_findings where project_id = %(project_id)s)
        insert into library_findings (project_id, path, line, place, kind, text)
        select %(project_id)s, f.path, f.line, f.place, f.kind, f.text
          from jsonb_to_recordset(%(rows)s::jsonb) as f(path text, line integer, place integer, kind text, text text)
        """,
        project_id=project_id,
        rows=as_json([{name: getattr(one, name) for name in Finding.__slots__} for one in found]),
    )


async def list_findings(db: Queries, project_id: str) -> list[Finding]:
    """Return what was found last, errors first."""
    return await db.all(
        """
        select path, line, place, kind, text
          from library_findings
         where project_id = %(project_id)s
         order by kind, path, line, place
        """,
        Finding,
        project_id=project_id,
    )


# ---------------------------------------------------------------- synchronising

_SYNC: Final = """
    select id, project_id, status, cause, asked_by, asked_at, started_at, ended_at, revision, reason, log
      from library_syncs
"""


async def insert_sync(tx: Tx, call: Call, project_id: str, cause: str) -> str | None:
    """Ask for a synchronisation; nothing when one waits already."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into library_syncs (project_id, status, cause, asked_by, asked_at)
            values (%(project_id)s, 'queued', %(cause)s, %(by)s, %(now)s)
                on conflict do nothing
            returning id
            """,
            project_id=project_id,
            cause=cause,
            by=call.actor.name or call.actor.id,
            now=call.now,
        ),
    )


async def claim_sync(db: Queries, call: Call, project_id: str) -> Sync | None:
    """Take the waiting synchronisation of a project, unless another worker is at this project."""
    return await db.one(
        """
        update library_syncs s
           set status = 'running', started_at = %(now)s
         where s.project_id = %(project_id)s and s.status = 'queued'
           and not exists (select from library_syncs r where r.project_id = s.project_id and r.status = 'running')
        returning id, project_id, status, cause, asked_by, asked_at, started_at, ended_at, revision, reason, log
        """,
        Sync,
        project_id=project_id,
        now=call.now,
    )


async def note_log(db: Queries, sync_id: str, log: str) -> None:
    """Keep what was said so far."""
    await db.execute("""update library_syncs set log = %(log)s where id = %(id)s""", id=sync_id, log=log)


async def end_sync(db: Queries, call: Call, sync: Sync, status: SyncStatus, revision: str, reason: str) -> None:
    """Note how it went."""
    await db.execute(
        """
        update library_syncs
           set status = %(status)s, ended_at = %(now)s, revision = %(revision)s, reason = %(reason)s
         where id = %(id)s
        """,
        id=sync.id,
        status=status,
        now=call.now,
        revision=revision,
        reason=reason,
    )


async def list_syncs(db: Queries, project_id: str, limit: int) -> list[Sync]:
    """Return the last synchronisations, newest first."""
    return await db.all(
        _SYNC + """ where project_id = %(project_id)s order by asked_at desc, id limit %(limit)s""",
        Sync,
        project_id=project_id,
        limit=limit,
    )


async def list_waiting(db: Queries) -> list[str]:
    """Return the projects whose synchronisation waits."""
    return cast("list[str]", await db.column("""select project_id from library_syncs where status = 'queued'"""))


async def list_due(db: Queries, call: Call) -> list[str]:
    """Return the git projects whose time has come again."""
    return cast(
        "list[str]",
        await db.column(
            """
            select p.id
              from library_projects p
             where p.kind = 'git' and p.every_minutes > 0
               and not exists (select from library_syncs s
                                where s.project_id = p.id
                                  and s.asked_at > %(now)s - make_interval(mins => p.every_minutes))
            """,
            now=call.now,
        ),
    )


async def tidy_syncs(db: Queries, call: Call, kept: int) -> None:
    """Give up what a lost worker left, and forget old records but the last ones of each project."""
    await db.execute(
        """
        update library_syncs
           set status = 'failed', ended_at = %(now)s, reason = 'the worker that did it is gone'
         where status = 'running' and started_at < %(now)s - interval '40 minutes'
        """,
        now=call.now,
    )
    await db.execute(
        """
        delete from library_syncs
         where id in (select id
                        from (select id, row_number() over (partition by project_id order by asked_at desc) as place
                                from library_syncs where status in ('succeeded', 'failed')) s
                       where s.place > %(kept)s)
        """,
        kept=kept,
    )
