"""Looking for things by name across the rooms; what begins with the words comes first."""

from typing import Final

from server.core.db import Database, containing
from server.core.scope import Groups, among, in_scope
from server.dashboard.models import Found

_HOSTS: Final = f"""
        select h.uuid::text as id, h.friendly_name as name,
               concat_ws(' · ', nullif(nullif(h.hostname, h.friendly_name), ''), nullif(h.ip, ''),
                         nullif(trim(h.os_type || ' ' || h.os_version), '')) as note
          from hosts h
         where (h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s
                or h.os_type || ' ' || h.os_version ilike %(like)s)
           and {in_scope("h.id")}
         order by h.friendly_name ilike %(first)s desc, h.friendly_name ilike %(like)s desc, lower(h.friendly_name),
                  h.id
         limit %(limit)s
"""  # noqa: S608 (only constants are put together)


async def list_hosts(db: Database, groups: Groups, words: str, limit: int) -> list[Found]:
    """Return hosts by name, address or system."""
    return await db.all(_HOSTS, Found, groups=groups, limit=limit, **_patterns(words))


async def list_groups(db: Database, groups: Groups, words: str, limit: int) -> list[Found]:
    """Return host groups by name or description."""
    return await db.all(
        f"""
        select g.uuid::text as id, g.name,
               (select case count(*) when 1 then '1 host' else count(*) || ' hosts' end
                  from host_group_members m where m.host_group_id = g.id) as note
          from host_groups g
         where (g.name ilike %(like)s or g.description ilike %(like)s) and {among("g.uuid")}
         order by g.name ilike %(first)s desc, lower(g.name)
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Found,
        groups=groups,
        limit=limit,
        **_patterns(words),
    )


async def list_packages(db: Database, groups: Groups, words: str, limit: int) -> list[Found]:
    """Return packages by name, the shortest first; those installed somewhere within the groups."""
    return await db.all(
        f"""
        select p.id::text as id, p.name, p.description as note
          from packages p
         where p.name ilike %(like)s
           and exists (select from host_packages i where i.package_id = p.id and {in_scope("i.host_id")})
         order by p.name ilike %(first)s desc, length(p.name), p.name
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Found,
        groups=groups,
        limit=limit,
        **_patterns(words),
    )


async def list_repositories(db: Database, groups: Groups, words: str, limit: int) -> list[Found]:
    """Return repositories by name or address; for limited people those that their hosts use."""
    return await db.all(
        f"""
        select r.uuid::text as id, coalesce(nullif(r.name, ''), r.url) as name,
               concat_ws(' · ', nullif(r.distribution, ''), r.url) as note
          from repositories r
         where (r.name ilike %(like)s or r.url ilike %(like)s)
           and (%(groups)s::uuid[] is null
                or exists (select from host_repositories u where u.repository_id = r.id and {in_scope("u.host_id")}))
         order by r.name ilike %(first)s desc, lower(r.name), r.url, r.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Found,
        groups=groups,
        limit=limit,
        **_patterns(words),
    )


async def list_jobs(db: Database, groups: Groups, words: str, limit: int) -> list[Found]:
    """Return jobs by title, the newest first."""
    return await db.all(
        f"""
        select j.uuid::text as id, j.title as name,
               to_char(j.created_at at time zone 'utc', 'YYYY-MM-DD HH24:MI') || ' UTC by ' || j.launched_by as note
          from jobs j
         where j.title ilike %(like)s
           and (%(groups)s::uuid[] is null
                or exists (select from job_hosts m where m.job_id = j.id and {in_scope("m.host_id")}))
         order by j.created_at desc, j.id desc
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        Found,
        groups=groups,
        limit=limit,
        **_patterns(words),
    )


async def list_people(db: Database, words: str, limit: int) -> list[Found]:
    """Return people by name or e-mail address."""
    return await db.all(
        """
        select u.id::text as id, u.username as name,
               concat_ws(' · ', nullif(trim(u.first_name || ' ' || u.last_name), ''), u.role) as note
          from users u
         where u.username ilike %(like)s or u.email ilike %(like)s
            or u.first_name || ' ' || u.last_name ilike %(like)s
         order by u.username ilike %(first)s desc, lower(u.username)
         limit %(limit)s
        """,
        Found,
        limit=limit,
        **_patterns(words),
    )


def _patterns(words: str) -> dict[str, str]:
    like = containing(words)
    return {"like": like, "first": like[1:]}
