"""The second step of signing in: secrets, codes, attempts and tickets."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import SecondFactor


async def find_second_factor(db: Database | Tx, user_id: str) -> SecondFactor | None:
    """Return what checks a person's code."""
    return await db.one(
        """
        select id as user_id, username, tfa_enabled as enabled, tfa_secret as sealed_secret,
               tfa_backup_codes as backup_codes, tfa_last_step as last_step, tfa_failed_attempts as failures,
               tfa_locked_until as locked_until, password_hash is not null as has_password, passkey_step
          from users
         where id = %(user_id)s
        """,
        SecondFactor,
        user_id=user_id,
    )


async def update_pending_secret(tx: Tx, user_id: str, sealed_secret: str) -> bool:
    """Keep a new secret until a code proves that the person has it; false when the second step is already on."""
    sql = "update users set tfa_secret = %(sealed_secret)s where id = %(user_id)s and not tfa_enabled"
    return await tx.execute(sql, user_id=user_id, sealed_secret=sealed_secret) > 0


async def enable_second_factor(
    tx: Tx, user_id: str, sealed_secret: str, step: int, backup_codes: str, now: datetime
) -> bool:
    """Switch the second step on with the secret that was proved; false when it changed or was switched on meanwhile."""
    return (
        await tx.execute(
            """
            update users
               set tfa_enabled = true, tfa_last_step = %(step)s, tfa_backup_codes = %(backup_codes)s,
                   tfa_failed_attempts = 0, tfa_locked_until = null, updated_at = %(now)s
             where id = %(user_id)s and not tfa_enabled and tfa_secret = %(sealed_secret)s
            """,
            user_id=user_id,
            sealed_secret=sealed_secret,
            step=step,
            backup_codes=backup_codes,
            now=now,
        )
        > 0
    )


async def disable_second_factor(tx: Tx, user_id: str, now: datetime) -> None:
    """Switch the second step off and forget its secret and codes."""
    await tx.execute(
        """
        update users
           set tfa_enabled = false, tfa_secret = null, tfa_backup_codes = null, tfa_failed_attempts = 0,
               tfa_locked_until = null, updated_at = %(now)s
         where id = %(user_id)s
        """,
        user_id=user_id,
        now=now,
    )


async def update_backup_codes(tx: Tx, user_id: str, backup_codes: str, now: datetime) -> bool:
    """Replace a person's backup codes; false when the second step is off."""
    sql = """
        update users set tfa_backup_codes = %(backup_codes)s, updated_at = %(now)s
         where id = %(user_id)s and (tfa_enabled or passkey_step)
        """
    return await tx.execute(sql, user_id=user_id, backup_codes=backup_codes, now=now) > 0


async def claim_attempt(tx: Tx, user_id: str, now: datetime, most: int, locked_until: datetime) -> SecondFactor | None:
    """Count an attempt before its code is looked at, so that many at once get no more than one after the other.

    Return what checks the code, or nobody while the second step is locked.
    """
    return await tx.one(
        """
        with counted as (
            select id, case when tfa_locked_until <= %(now)s then 1 else tfa_failed_attempts + 1 end as failures
              from users
             where id = %(user_id)s and (tfa_locked_until is null or tfa_locked_until <= %(now)s)
               for update
        )
        update users
           set tfa_failed_attempts = counted.failures,
               tfa_locked_until = case when counted.failures >= %(most)s then %(locked_until)s::timestamptz end
          from counted
         where users.id = counted.id
        returning users.id as user_id, users.username, tfa_enabled as enabled, tfa_secret as sealed_secret,
                  tfa_backup_codes as backup_codes, tfa_last_step as last_step, tfa_failed_attempts as failures,
                  tfa_locked_until as locked_until, password_hash is not null as has_password, passkey_step
        """,
        SecondFactor,
        user_id=user_id,
        now=now,
        most=most,
        locked_until=locked_until,
    )


async def use_step(tx: Tx, user_id: str, step: int) -> bool:
    """Accept the code of one time step; false when this one or a later one was used before."""
    return (
        await tx.execute(
            """
            update users
               set tfa_last_step = %(step)s, tfa_failed_attempts = 0, tfa_locked_until = null
             where id = %(user_id)s and tfa_enabled and tfa_last_step < %(step)s
            """,
            user_id=user_id,
            step=step,
        )
        > 0
    )


async def use_backup_code(tx: Tx, user_id: str, stored: str) -> bool:
    """Accept a backup code by removing its hash; false when it is not there any more."""
    return (
        await tx.execute(
            """
            update users
               set tfa_backup_codes = (tfa_backup_codes::jsonb - %(stored)s::text)::text,
                   tfa_failed_attempts = 0, tfa_locked_until = null
             where id = %(user_id)s and (tfa_enabled or passkey_step)
               and tfa_backup_codes::jsonb @> to_jsonb(%(stored)s::text)
            """,
            user_id=user_id,
            stored=stored,
        )
        > 0
    )


async def forget_attempts(tx: Tx, user_id: str) -> None:
    """Forget wrong attempts, because a right one came otherwise than by a code."""
    sql = "update users set tfa_failed_attempts = 0, tfa_locked_until = null where id = %(user_id)s"
    await tx.execute(sql, user_id=user_id)


async def insert_ticket(tx: Tx, verifier: str, user_id: str, now: datetime, expires_at: datetime) -> None:
    """Remember that a person gave the right password."""
    await tx.execute(
        """
        insert into sign_in_tickets (verifier, user_id, created_at, expires_at)
        values (%(verifier)s, %(user_id)s, %(now)s, %(expires_at)s)
        """,
        verifier=verifier,
        user_id=user_id,
        now=now,
        expires_at=expires_at,
    )


async def take_ticket(tx: Tx, verifier: str, now: datetime) -> str | None:
    """Use up a ticket and return whose it is; ``None`` when it was used, expired or never given out."""
    user_id: str | None = await tx.value(
        "delete from sign_in_tickets where verifier = %(verifier)s and expires_at > %(now)s returning user_id",
        verifier=verifier,
        now=now,
    )
    return user_id


async def delete_tickets(tx: Tx, user_id: str) -> None:
    """Make every ticket of a person worthless."""
    await tx.execute("delete from sign_in_tickets where user_id = %(user_id)s", user_id=user_id)


async def delete_old_tickets(tx: Tx, now: datetime) -> None:
    """Forget tickets that are good for nothing."""
    await tx.execute("delete from sign_in_tickets where expires_at <= %(now)s", now=now)
