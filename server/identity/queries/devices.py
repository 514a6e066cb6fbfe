"""Browsers that are trusted without a code."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import TrustedDevice


async def insert_device(
    tx: Tx, user_id: str, verifier: str, user_agent: str, address: str, now: datetime, expires_at: datetime
) -> str:
    """Trust a browser and return the id of that trust."""
    device_id: str = await tx.value(
        """
        insert into trusted_devices (user_id, verifier, user_agent, address, created_at, last_used_at, expires_at)
        values (%(user_id)s, %(verifier)s, %(user_agent)s, %(address)s, %(now)s, %(now)s, %(expires_at)s)
        returning id
        """,
        user_id=user_id,
        verifier=verifier,
        user_agent=user_agent,
        address=address,
        now=now,
        expires_at=expires_at,
    )
    return device_id


async def trim_devices(tx: Tx, user_id: str, keep: int) -> None:
    """Trust only the newest few browsers of a person."""
    await tx.execute(
        """
        delete from trusted_devices
         where id in (select id from trusted_devices where user_id = %(user_id)s
                       order by created_at desc, id offset %(keep)s)
        """,
        user_id=user_id,
        keep=keep,
    )


async def mark_device_used(tx: Tx, user_id: str, verifier: str, address: str, now: datetime) -> bool:
    """Note that a trusted browser signs in; false when this person does not trust it."""
    return (
        await tx.execute(
            """
            update trusted_devices
               set last_used_at = %(now)s, address = %(address)s
             where user_id = %(user_id)s and verifier = %(verifier)s and expires_at > %(now)s
            """,
            user_id=user_id,
            verifier=verifier,
            address=address,
            now=now,
        )
        > 0
    )


async def list_devices(db: Database, user_id: str, here: str, now: datetime) -> list[TrustedDevice]:
    """Return the browsers a person trusts, the most recently used first; ``here`` is the verifier of the asking one."""
    return await db.all(
        """
        select id, user_agent, address, created_at, last_used_at, expires_at, verifier = %(here)s as current
          from trusted_devices
         where user_id = %(user_id)s and expires_at > %(now)s
         order by last_used_at desc, id
        """,
        TrustedDevice,
        user_id=user_id,
        here=here,
        now=now,
    )


async def delete_device(tx: Tx, user_id: str, device_id: str) -> str | None:
    """Trust one browser no longer and return its verifier; ``None`` when this person has none of this id."""
    verifier: str | None = await tx.value(
        "delete from trusted_devices where id = %(device_id)s and user_id = %(user_id)s returning verifier",
        device_id=device_id,
        user_id=user_id,
    )
    return verifier


async def delete_devices(tx: Tx, user_id: str) -> int:
    """Trust no browser of a person any longer; return how many."""
    return await tx.execute("delete from trusted_devices where user_id = %(user_id)s", user_id=user_id)


async def delete_old_devices(tx: Tx, now: datetime) -> None:
    """Forget trust that ended."""
    await tx.execute("delete from trusted_devices where expires_at <= %(now)s", now=now)
