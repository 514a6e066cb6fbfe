"""Every statement of the audit room."""

from server.audit.models import Entry, Subject
from server.core.call import Call
from server.core.db import Database, Tx, as_json


async def insert_entry(tx: Tx, call: Call, action: str, subject: Subject, detail: dict[str, object]) -> None:
    """Add one row."""
    await tx.execute(
        """
        insert into audit_log (at, actor_kind, actor_id, actor_name, via, address,
                               action, subject_kind, subject_id, subject_name, detail, request_id)
        values (%(at)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(via)s, %(address)s,
                %(action)s, %(subject_kind)s, %(subject_id)s, %(subject_name)s, %(detail)s::jsonb, %(request_id)s)
        """,
        at=call.now,
        actor_kind=call.actor.kind,
        actor_id=call.actor.id,
        actor_name=call.actor.name,
        via=call.actor.via,
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
        select id, at, actor_kind, actor_id, actor_name, via, address, action,
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
        select id, at, actor_kind, actor_id, actor_name, via, address, action,
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
