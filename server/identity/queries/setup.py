"""The first administrator, the links that let them in, and what they have entered so far."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import SetupLink

#: Any number will do, as long as nothing else locks with it.
_SETUP_LOCK = 7_236_418_002


async def has_admin(db: Database | Tx) -> bool:
    """Tell whether anybody administers this server."""
    found: bool = await db.value("select exists (select from users where role in ('superadmin', 'admin'))")
    return found


async def lock_setup(tx: Tx) -> None:
    """Let one set-up at a time go on, until this transaction ends."""
    await tx.execute("select pg_advisory_xact_lock(%(lock)s)", lock=_SETUP_LOCK)


async def insert_setup_link(tx: Tx, verifier: str, now: datetime) -> None:
    """Remember a set-up link."""
    await tx.execute(
        "insert into setup_links (verifier, created_at) values (%(verifier)s, %(now)s)", verifier=verifier, now=now
    )


async def trim_setup_links(tx: Tx, keep: int) -> None:
    """Forget all but the newest links."""
    await tx.execute(
        """
        delete from setup_links
         where verifier not in (select verifier from setup_links order by created_at desc, verifier limit %(keep)s)
        """,
        keep=keep,
    )


async def delete_setup_links(tx: Tx) -> None:
    """Forget every link."""
    await tx.execute("delete from setup_links")


async def keep_setup_link(tx: Tx, verifier: str, user_id: str) -> None:
    """Forget every link but the one whose set-up this person goes on with."""
    await tx.execute(
        """
        with others as (delete from setup_links where verifier <> %(verifier)s)
        update setup_links set user_id = %(user_id)s where verifier = %(verifier)s
        """,
        verifier=verifier,
        user_id=user_id,
    )


async def is_setup_link(db: Database | Tx, verifier: str) -> bool:
    """Tell whether this link was given out and is still good."""
    found: bool = await db.value(
        "select exists (select from setup_links where verifier = %(verifier)s and user_id is null)", verifier=verifier
    )
    return found


async def find_setup_link(db: Database, verifier: str, user_id: str | None) -> SetupLink | None:
    """Return the link with this verifier, or the one whose set-up this person goes on with."""
    return await db.one(
        """
        select verifier, coalesce(user_id::text, '') as user_id, coalesce(draft, '') as sealed_draft
          from setup_links
         where verifier = %(verifier)s and user_id is null or user_id = %(user_id)s::uuid
         order by user_id nulls first
         limit 1
        """,
        SetupLink,
        verifier=verifier,
        user_id=user_id,
    )


async def update_draft(tx: Tx, verifier: str, sealed_draft: str) -> None:
    """Keep what was entered so far."""
    await tx.execute(
        "update setup_links set draft = %(sealed_draft)s where verifier = %(verifier)s",
        verifier=verifier,
        sealed_draft=sealed_draft,
    )
