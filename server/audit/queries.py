"""Every statement of the audit room."""

from datetime import datetime
from typing import Any, Final

from server.audit.models import Entry, Filter, Mark, Subject
from server.core.call import Call
from server.core.db import Database, Tx, as_json

# Both lists take the same filter; a condition whose value is empty holds for every row.
_MATCHES: Final = """
               (%(who)s = '' or actor_id = %(who)s or via = %(who)s or strpos(lower(actor_name), lower(%(who)s)) > 0)
           and (%(action)s = '' or action = %(action)s or starts_with(action, %(action)s || '.'))
           and (%(subject)s = '' or subject_id = %(subject)s or subject_kind = %(subject)s
                or strpos(lower(subject_name), lower(%(subject)s)) > 0)
           and (%(since)s::timestamptz is null or at >= %(since)s)
           and (%(until)s::timestamptz is null or at < %(until)s)
"""


async def insert_entry(tx: Tx, call: Call, action: str, subject: Subject, detail: dict[str, object]) -> None:
    """Add one row."""
    await tx.execute(
        """
        insert into audit_log (at, actor_kind, actor_id, actor_name, via, via_name, address,
                               action, subject_kind, subject_id, subject_name, detail, request_id)
        values (%(at)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(via)s, %(via_name)s, %(address)s,
                %(action)s, %(subject_kind)s, %(subject_id)s, %(subject_name)s, %(detail)s::jsonb, %(request_id)s)
        """,
        at=call.now,
        actor_kind=call.actor.kind,
        actor_id=call.actor.id,
        actor_name=call.actor.name,
        via=call.actor.via,
        via_name=call.actor.via_name,
        address=call.actor.address,
        action=action,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_name=subject.name,
        detail=as_json(detail),
        request_id=call.request_id,
    )


async def list_newest(db: Database, limit: int) -> list[Entry]:
    """Return the newest rows, newest first."""
    return await db.all(
        """
        select id, at, actor_kind, actor_id, actor_name, via, via_name, address, action,
               subject_kind, subject_id, subject_name, detail, request_id
          from audit_log
         order by at desc, id desc
         limit %(limit)s
        """,
        Entry,
        limit=limit,
    )


async def list_of_subject(db: Database, subject_kind: str, subject_id: str, limit: int) -> list[Entry]:
    """Return what happened to one thing, newest first."""
    return await db.all(
        """
        select id, at, actor_kind, actor_id, actor_name, via, via_name, address, action,
               subject_kind, subject_id, subject_name, detail, request_id
          from audit_log
         where subject_kind = %(subject_kind)s and subject_id = %(subject_id)s
         order by id desc
         limit %(limit)s
        """,
        Entry,
        subject_kind=subject_kind,
        subject_id=subject_id,
        limit=limit,
    )


async def list_matching(db: Database, wanted: Filter, limit: int, offset: int) -> list[Entry]:
    """Return the rows that match, newest first."""
    return await db.all(
        f"""
        select id, at, actor_kind, actor_id, actor_name, via, via_name, address, action,
               subject_kind, subject_id, subject_name, detail, request_id
          from audit_log
         where {_MATCHES}
         order by at desc, id desc
         limit %(limit)s offset %(offset)s
        """,  # noqa: S608 (the condition is written above)
        Entry,
        **_values(wanted),
        limit=limit,
        offset=offset,
    )


async def list_before(db: Database, wanted: Filter, before: Mark | None, limit: int) -> list[Entry]:
    """Return the newest rows that match and are older than a place in the log."""
    return await db.all(
        f"""
        select id, at, actor_kind, actor_id, actor_name, via, via_name, address, action,
               subject_kind, subject_id, subject_name, detail, request_id
          from audit_log
         where {_MATCHES}
           and (%(before_at)s::timestamptz is null or (at, id) < (%(before_at)s, %(before_id)s))
         order by at desc, id desc
         limit %(limit)s
        """,  # noqa: S608 (the condition is written above)
        Entry,
        **_values(wanted),
        before_at=before.at if before else None,
        before_id=before.id if before else 0,
        limit=limit,
    )


async def count_matching(db: Database, wanted: Filter, most: int) -> int:
    """Return how many rows match, counted up to ``most``."""
    found: int = await db.value(
        f"""
        select count(*) from (select 1 from audit_log where {_MATCHES} limit %(most)s) as counted
        """,  # noqa: S608 (the condition is written above)
        **_values(wanted),
        most=most,
    )
    return found


async def list_actions(db: Database, of_newest: int) -> list[str]:
    """Return the actions among the newest rows, in alphabetical order."""
    return await db.column(
        """
        select distinct action
          from (select action from audit_log order by at desc, id desc limit %(of_newest)s) as newest
         order by action
        """,
        of_newest=of_newest,
    )


async def delete_older(tx: Tx, before: datetime, limit: int) -> int:
    """Delete at most ``limit`` of the rows from before this moment, oldest first, and return how many those were."""
    gone: int = await tx.value(
        """
        with old as (
            select id from audit_log where at < %(before)s order by at limit %(limit)s
        ), gone as (
            delete from audit_log using old where audit_log.id = old.id returning 1
        )
        select count(*) from gone
        """,
        before=before,
        limit=limit,
    )
    return gone


def _values(wanted: Filter) -> dict[str, Any]:
    return {
        "who": wanted.who,
        "action": wanted.action,
        "subject": wanted.subject,
        "since": wanted.since,
        "until": wanted.until,
    }
