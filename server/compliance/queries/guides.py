"""Statements about guides and tailoring files that people uploaded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.core.db import Queries, Tx, as_json
from server.core.scope import Groups, in_scope


async def list_all(db: Queries) -> list[dict[str, Any]]:
    """Return what was uploaded, the newest first."""
    return await db.all(
        """
        select g.id, g.form, g.name, g.title, g.version, g.benchmark, g.sha256, g.size_bytes, g.rules, g.systems,
               g.profiles, g.made_by, g.made_at
          from compliance_guides g
         order by g.made_at desc, g.id
        """
    )


async def insert(tx: Tx, row: dict[str, Any], now: datetime) -> str | None:
    """Note an uploaded file; return its id, nothing when the same bytes are there."""
    found: str | None = await tx.value(
        """
        insert into compliance_guides (form, name, title, version, benchmark, sha256, size_bytes, rules, systems,
                                       profiles, made_by, made_at)
        values (%(form)s, %(name)s, %(title)s, %(version)s, %(benchmark)s, %(sha256)s, %(size_bytes)s, %(rules)s,
                %(systems)s, %(profiles)s::jsonb, %(made_by)s, %(now)s)
            on conflict (sha256) do nothing
        returning id
        """,
        **{**row, "profiles": as_json(row["profiles"])},
        now=now,
    )
    return found


async def insert_piece(tx: Tx, guide: str, number: int, content: bytes) -> None:
    """Keep one packed piece."""
    await tx.execute(
        "insert into compliance_guide_pieces (guide_id, number, content) values (%(guide)s, %(number)s, %(content)s)",
        guide=guide,
        number=number,
        content=content,
    )


async def find_piece(db: Queries, guide: str, number: int) -> bytes | None:
    """Return one packed piece; nothing behind the last one."""
    found = await db.value(
        "select content from compliance_guide_pieces where guide_id = %(guide)s and number = %(number)s",
        guide=guide,
        number=number,
    )
    return None if found is None else bytes(found)


async def delete(tx: Tx, guide: str) -> bool:
    """Take an uploaded file away; tell whether it was there."""
    return await tx.execute("delete from compliance_guides where id = %(guide)s", guide=guide) > 0


async def list_users(tx: Tx, profiles: Sequence[str]) -> list[dict[str, Any]]:
    """Return the hosts whose default profile is one of these, with their systems."""
    return await tx.all(
        """
        select h.friendly_name as name, h.os_type, h.os_version, h.compliance_default_profile_id as profile
          from hosts h
         where h.compliance_default_profile_id = any(%(profiles)s::text[])
         order by lower(h.friendly_name), h.id
        """,
        profiles=list(profiles),
    )


async def list_systems(db: Queries, groups: Groups, hosts: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return the systems of these hosts, or of all that the asker sees, each once."""
    return await db.all(
        f"""
        select distinct h.os_type, h.os_version
          from hosts h
         where (%(hosts)s::uuid[] is null or h.uuid = any(%(hosts)s::uuid[])) and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        hosts=None if hosts is None else list(hosts),
    )
