"""Statements about the files of projects that are written here."""

from typing import cast

from server.core.call import Call
from server.core.db import Queries, Tx
from server.library.models import FileEntry, Version


async def list_files(db: Queries, project_id: str) -> list[FileEntry]:
    """Return a project's files by name."""
    return await db.all(
        """
        select path, length(content) as size, version
          from library_files
         where project_id = %(project_id)s
         order by path
        """,
        FileEntry,
        project_id=project_id,
    )


async def read_all(db: Queries, project_id: str) -> dict[str, bytes]:
    """Return every file of a project."""
    rows = await db.all(
        """select path, content from library_files where project_id = %(project_id)s""", project_id=project_id
    )
    return {row["path"]: bytes(row["content"]) for row in rows}


async def find_file(db: Queries, project_id: str, path: str) -> tuple[bytes, int] | None:
    """Return a file's content and version."""
    row = await db.one(
        """
        select content, version from library_files where project_id = %(project_id)s and path = %(path)s
        """,
        project_id=project_id,
        path=path,
    )
    return (bytes(row["content"]), row["version"]) if row else None


async def last_version(tx: Tx, project_id: str, path: str) -> int:
    """Return the number of the newest version of a path, deleted or not; 0 when there never was one."""
    return cast(
        "int",
        await tx.value(
            """
            select coalesce(max(version), 0) from library_versions where project_id = %(project_id)s and path = %(path)s
            """,
            project_id=project_id,
            path=path,
        ),
    )


async def write_file(tx: Tx, call: Call, project_id: str, path: str, version: int, content: bytes, why: str) -> None:
    """Keep a new version of a file."""
    await tx.execute(
        """
        with kept as (
            insert into library_versions (project_id, path, version, content, why, made_by, made_at)
            values (%(project_id)s, %(path)s, %(version)s, %(content)s, %(why)s, %(by)s, %(now)s)
        )
        insert into library_files (project_id, path, content, version)
        values (%(project_id)s, %(path)s, %(content)s, %(version)s)
            on conflict (project_id, path) do update set content = excluded.content, version = excluded.version
        """,
        project_id=project_id,
        path=path,
        version=version,
        content=content,
        why=why,
        by=call.actor.name or call.actor.id,
        now=call.now,
    )


async def remove_file(tx: Tx, call: Call, project_id: str, path: str, version: int, why: str) -> None:
    """Take a file away; its versions stay."""
    await tx.execute(
        """
        with kept as (
            insert into library_versions (project_id, path, version, content, why, made_by, made_at)
            values (%(project_id)s, %(path)s, %(version)s, null, %(why)s, %(by)s, %(now)s)
        )
        delete from library_files where project_id = %(project_id)s and path = %(path)s
        """,
        project_id=project_id,
        path=path,
        version=version,
        why=why,
        by=call.actor.name or call.actor.id,
        now=call.now,
    )


async def replace_fetched(tx: Tx, project_id: str, rows: list[tuple[str, bytes]]) -> None:
    """Put the fetched files of a git project in the place of those before; git keeps their history."""
    await tx.execute("""delete from library_files where project_id = %(project_id)s""", project_id=project_id)
    await tx.execute(
        """
        insert into library_files (project_id, path, content, version)
        select %(project_id)s, f.path, f.content, 1
          from unnest(%(paths)s::text[], %(contents)s::bytea[]) as f(path, content)
        """,
        project_id=project_id,
        paths=[path for path, _ in rows],
        contents=[content for _, content in rows],
    )


async def note_change(tx: Tx, call: Call, project_id: str) -> None:
    """Count a change of the project's files."""
    await tx.execute(
        """update library_projects set changed = changed + 1, updated_at = %(now)s where id = %(id)s""",
        id=project_id,
        now=call.now,
    )


async def list_versions(db: Queries, project_id: str, path: str, limit: int) -> list[Version]:
    """Return a file's versions, newest first."""
    return await db.all(
        """
        select path, version, content, why, made_by, made_at
          from library_versions
         where project_id = %(project_id)s and path = %(path)s
         order by version desc
         limit %(limit)s
        """,
        Version,
        project_id=project_id,
        path=path,
        limit=limit,
    )


async def find_version(db: Queries, project_id: str, path: str, version: int) -> Version | None:
    """Return one version of a file."""
    return await db.one(
        """
        select path, version, content, why, made_by, made_at
          from library_versions
         where project_id = %(project_id)s and path = %(path)s and version = %(version)s
        """,
        Version,
        project_id=project_id,
        path=path,
        version=version,
    )


async def list_removed(db: Queries, project_id: str) -> list[str]:
    """Return the paths that had files once."""
    return cast(
        "list[str]",
        await db.column(
            """
            select distinct v.path
              from library_versions v
             where v.project_id = %(project_id)s
               and not exists (select from library_files f where f.project_id = v.project_id and f.path = v.path)
             order by v.path
            """,
            project_id=project_id,
        ),
    )
