"""Every statement of the commands room."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from server.commands.models import Command
from server.core.db import Database, Tx, as_json
from server.core.scope import Groups, in_scope


async def insert_command(tx: Tx, host_id: int, kind: str, asked_by: str, at: datetime) -> str:
    """Note that a host is being asked; return the command's UUID."""
    return str(
        await tx.value(
            """
            insert into agent_commands (host_id, kind, status, asked_by, created_at, sent_at)
            values (%(host_id)s, %(kind)s, 'active', %(asked_by)s, %(at)s, %(at)s)
            returning uuid
            """,
            host_id=host_id,
            kind=kind,
            asked_by=asked_by,
            at=at,
        )
    )


async def insert_overdue(
    db: Database, host_ids: Sequence[int], at: datetime, silent_since: datetime, asked_before: datetime
) -> list[int]:
    """Note that those of these hosts that are active and silent for too long are asked for a report; return them.

    Who was asked for one after ``asked_before`` is left alone.
    """
    return await db.column(
        """
        insert into agent_commands (host_id, kind, status, asked_by, created_at, sent_at)
        select h.id, 'report_now', 'active', 'catching up', %(at)s, %(at)s
          from hosts h
         where h.id in (select value::int from jsonb_array_elements_text(%(ids)s::jsonb))
           and h.status = 'active'
           and h.last_update < %(silent_since)s
           and not exists (
               select from agent_commands c
                where c.host_id = h.id and c.kind = 'report_now' and c.created_at > %(asked_before)s)
        returning host_id
        """,
        ids=as_json(list(host_ids)),
        at=at,
        silent_since=silent_since,
        asked_before=asked_before,
    )


async def insert_waiting(tx: Tx, host_id: int, kind: str, asked_by: str, at: datetime) -> None:
    """Note that a host is to be asked as soon as its agent is there; asking twice is asking once."""
    await tx.execute(
        """
        insert into agent_commands (host_id, kind, status, asked_by, created_at)
        select %(host_id)s, %(kind)s, 'waiting', %(asked_by)s, %(at)s
         where not exists (select from agent_commands
                            where host_id = %(host_id)s and kind = %(kind)s and status = 'waiting')
        """,
        host_id=host_id,
        kind=kind,
        asked_by=asked_by,
        at=at,
    )


async def list_waiting(db: Database, host_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return what waits for these hosts: the command, and the host's UUID."""
    return await db.all(
        """
        select c.uuid as command, h.uuid as host
          from agent_commands c
          join hosts h on h.id = c.host_id
         where c.status = 'waiting'
           and c.host_id in (select value::int from jsonb_array_elements_text(%(ids)s::jsonb))
         order by c.id
        """,
        ids=as_json(list(host_ids)),
    )


async def mark_sent(db: Database | Tx, command: str, at: datetime) -> bool:
    """Note that what waited goes out now; False when somebody else sent it."""
    return bool(
        await db.execute(
            """
            update agent_commands set status = 'active', sent_at = %(at)s
             where uuid = %(command)s and status = 'waiting'
            """,
            command=command,
            at=at,
        )
    )


async def fail_command(db: Database | Tx, command: str, at: datetime, error: str) -> None:
    """Note that a command came to nothing."""
    await db.execute(
        """
        update agent_commands
           set status = 'failed', finished_at = %(at)s, error = %(error)s
         where uuid = %(command)s and status in ('waiting', 'active')
        """,
        command=command,
        at=at,
        error=error,
    )


async def list_commands(db: Database, host_id: int, limit: int) -> list[Command]:
    """Return a host's newest commands, newest first."""
    return await db.all(
        """
        select uuid as id, kind, status, asked_by, created_at, sent_at, finished_at, error
          from agent_commands
         where host_id = %(host_id)s
         order by id desc
         limit %(limit)s
        """,
        Command,
        host_id=host_id,
        limit=limit,
    )


async def find_hosts(db: Database, groups: Groups, uuids: Sequence[str]) -> list[dict[str, Any]]:
    """Return key, UUID and name of those of these hosts that exist for the asker."""
    return await db.all(
        f"""
        select h.id as key, h.uuid as id, h.friendly_name as name
          from hosts h
         where h.uuid::text in (select value from jsonb_array_elements_text(%(uuids)s::jsonb) as u(value))
           and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuids=as_json(list(uuids)),
    )


async def settle(db: Database | Tx, host_id: int | None, now: datetime, patience: timedelta) -> int:
    """Close what its host answered, and what nobody answered in time; of one host, or of all. Return how many.

    Commands are not acknowledged: what the host did afterwards says that it heard.
    """
    return await db.execute(
        """
        with open as materialized (
            select c.id, c.host_id, c.kind, c.sent_at
              from agent_commands c
             where c.status = 'active' and (%(host_id)s::int is null or c.host_id = %(host_id)s::int)
        ), told as (
            select o.id, o.sent_at,
                   case o.kind
                   when 'report_now' then
                       (select a.at from host_activity a
                         where a.host_id = o.host_id and a.kind <> 'ping' and a.at >= o.sent_at
                         order by a.id limit 1)
                   when 'update_agent' then
                       case when h.last_connected_at > o.sent_at then h.last_connected_at end
                   when 'apply_config' then
                       case when h.config_confirmed_at >= o.sent_at then h.config_confirmed_at end
                   when 'docker_inventory_refresh' then
                       (select (s.value->>'timestamp')::timestamptz from jsonb_each(h.integration_status) s
                         where s.key = 'docker' and (s.value->>'timestamp')::timestamptz >= o.sent_at)
                   else
                       case when not h.docker_enabled and h.compliance_mode = 'disabled' then o.sent_at
                       else (select max((s.value->>'timestamp')::timestamptz) from jsonb_each(h.integration_status) s
                              where (s.value->>'timestamp')::timestamptz >= o.sent_at) end
                   end as done_at,
                   case when o.kind = 'report_now' then
                       (select nullif(a.error, '') from host_activity a
                         where a.host_id = o.host_id and a.kind <> 'ping' and a.at >= o.sent_at
                         order by a.id limit 1)
                   end as refused
              from open o
              join hosts h on h.id = o.host_id
        )
        update agent_commands c
           set status = case when t.done_at is not null and t.refused is null then 'completed' else 'failed' end,
               finished_at = coalesce(t.done_at, %(now)s),
               error = case when t.refused is not null then 'The report was refused: ' || t.refused
                            when t.done_at is null then 'The agent did not answer in time' else '' end
          from told t
         where c.id = t.id and (t.done_at is not null or t.sent_at < %(late)s)
        """,
        host_id=host_id,
        now=now,
        late=now - patience,
    )


async def delete_old(db: Database, before: datetime) -> int:
    """Forget commands that ended long ago."""
    return await db.execute(
        "delete from agent_commands where finished_at < %(before)s",
        before=before,
    )
