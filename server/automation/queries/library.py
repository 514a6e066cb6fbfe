"""Statements about projects, playbooks and result files."""

from typing import Any, cast

from server.automation.models import Blob, Field, Playbook, Project
from server.core.db import Database, Queries, Tx, as_json
from server.core.ids import JobHostId, JobId
from server.core.scope import Groups, in_scope


async def insert_project(tx: Tx, project: Project) -> None:
    """Keep a project; the same content is kept once, and as if it were new, so that nobody deletes it meanwhile."""
    await tx.execute(
        """
        insert into projects (digest, size, content, origin)
        values (%(digest)s, %(size)s, %(content)s, %(origin)s)
            on conflict (digest) do update set created_at = now()
        """,
        digest=project.digest,
        size=len(project.content),
        content=project.content,
        origin=project.origin,
    )


async def fetch_project(db: Queries, digest: str) -> bytes:
    """Return a project's bytes; a job's project is never deleted before the job."""
    content = await db.value("""select content from projects where digest = %(digest)s""", digest=digest)
    return bytes(content)


async def upsert_playbooks(tx: Tx, playbooks: tuple[Playbook, ...]) -> None:
    """Bring the list of playbooks of one origin up to date."""
    rows = [
        {
            "name": p.name,
            "file": p.file,
            "title": p.title,
            "description": p.description,
            "digest": p.project_digest,
            "origin": p.origin,
            "fields": [_field_row(f) for f in p.fields],
        }
        for p in playbooks
    ]
    await tx.execute(
        """
        insert into playbooks (name, file, title, description, project_digest, fields, origin)
        select p.name, p.file, p.title, p.description, p.digest, p.fields, p.origin
          from jsonb_to_recordset(%(rows)s::jsonb)
               as p(name text, file text, title text, description text, digest text, fields jsonb, origin text)
            on conflict (name) do update
           set file = excluded.file, title = excluded.title, description = excluded.description,
               project_digest = excluded.project_digest, fields = excluded.fields, origin = excluded.origin,
                   updated_at = now()
         where (playbooks.file, playbooks.title, playbooks.description, playbooks.project_digest, playbooks.fields,
                playbooks.origin)
               is distinct from
               (excluded.file, excluded.title, excluded.description, excluded.project_digest, excluded.fields,
                excluded.origin)
        """,
        rows=as_json(rows),
    )


async def delete_playbooks_but(tx: Tx, origin: str, names: tuple[str, ...]) -> None:
    """Forget the playbooks of an origin that it no longer has; their jobs stay."""
    await tx.execute(
        """delete from playbooks where origin = %(origin)s and name <> all(%(names)s)""",
        origin=origin,
        names=list(names),
    )


async def list_playbooks(db: Database) -> list[Playbook]:
    """Return every playbook by name."""
    return await db.all(
        """select name, file, title, description, project_digest, fields, origin from playbooks order by name""",
        _playbook,
    )


async def find_playbook(tx: Queries, name: str) -> Playbook | None:
    """Return a playbook, or nothing."""
    return await tx.one(
        """
        select name, file, title, description, project_digest, fields, origin
          from playbooks
         where name = %(name)s
        """,
        _playbook,
        name=name,
    )


def _field_row(field: Field) -> dict[str, Any]:
    return {name: getattr(field, name) for name in Field.__slots__}


def _playbook_of(**columns: Any) -> Playbook:
    fields = tuple(Field(**{**row, "choices": tuple(row["choices"])}) for row in columns.pop("fields"))
    return Playbook(**columns, fields=fields)


_playbook = cast("type[Playbook]", _playbook_of)


# ---------------------------------------------------------------- result files


async def insert_blob(db: Database, digest: str, content: bytes) -> bool:
    """Keep a result file; False when it was there already, its day in which a job host must name it begins anew."""
    return bool(
        await db.value(
            """
            insert into result_blobs (digest, size, content)
            values (%(digest)s, %(size)s, %(content)s)
                on conflict (digest) do update set created_at = now()
            returning xmax = 0
            """,
            digest=digest,
            size=len(content),
            content=content,
        )
    )


async def insert_results(tx: Tx, rows: list[dict[str, Any]]) -> None:
    """Note which results the job hosts named at their end."""
    await tx.execute(
        """
        insert into job_results (job_host_id, module, digest, size)
        select r.job_host_id, r.module, r.digest, r.size
          from jsonb_to_recordset(%(rows)s::jsonb) as r(job_host_id bigint, module text, digest text, size integer)
            on conflict do nothing
        """,
        rows=as_json(rows),
    )


async def list_results(db: Queries, job_host_id: JobHostId) -> list[Blob]:
    """Return what a job host reported."""
    return await db.all(
        """
        select module, digest, size
          from job_results
         where job_host_id = %(job_host_id)s
         order by module, digest
        """,
        Blob,
        job_host_id=job_host_id,
    )


async def list_job_results(db: Queries, groups: Groups, job_id: JobId) -> list[dict[str, Any]]:
    """Return what the hosts of a job reported."""
    return await db.all(
        f"""
        select r.job_host_id, r.module, r.digest, r.size
          from job_results r
          join job_hosts h on h.id = r.job_host_id
         where h.job_id = %(job_id)s and {in_scope("h.host_id")}
         order by r.job_host_id, r.module, r.digest
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        job_id=job_id,
    )


async def find_result(db: Queries, groups: Groups, job_host: str, digest: str) -> bytes | None:
    """Return a result file that this job host named."""
    content = await db.value(
        f"""
        select b.content
          from job_hosts h
          join job_results r on r.job_host_id = h.id
          join result_blobs b on b.digest = r.digest
         where h.uuid = %(job_host)s and r.digest = %(digest)s and {in_scope("h.host_id")}
         limit 1
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        job_host=job_host,
        digest=digest,
    )
    return None if content is None else bytes(content)


async def ensure_partitions(db: Database) -> None:
    """Make the months ahead."""
    await db.execute("""select automation_make_partitions(current_date)""")
