"""The first administrator and the links that let them in."""

from datetime import datetime

from server.core.db import Database, Tx

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


async def is_setup_link(db: Database | Tx, verifier: str) -> bool:
    """Tell whether this link was given out and is still good."""
    found: bool = await db.value(
        "select exists (select from setup_links where verifier = %(verifier)s)", verifier=verifier
    )
    return found
