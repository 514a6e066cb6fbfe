"""Passkeys: the public halves of the keys that people sign in with."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import KnownPasskey, Passkey


async def insert_passkey(tx: Tx, user_id: str, made: Passkey, public_key: str) -> str:
    """Keep a new passkey and return its id; an ``IntegrityError`` says that the key is known already."""
    passkey_id: str = await tx.value(
        """
        insert into passkeys (user_id, credential_id, public_key, sign_count, rp_id, name, transports, is_synced,
                              created_at)
        values (%(user_id)s, %(credential_id)s, %(public_key)s, %(sign_count)s, %(rp_id)s, %(name)s, %(transports)s,
                %(is_synced)s, %(created_at)s)
        returning id
        """,
        user_id=user_id,
        credential_id=made.credential_id,
        public_key=public_key,
        sign_count=made.sign_count,
        rp_id=made.rp_id,
        name=made.name,
        transports=made.transports,
        is_synced=made.is_synced,
        created_at=made.created_at,
    )
    return passkey_id


async def list_passkeys(db: Database | Tx, user_id: str) -> list[Passkey]:
    """Return a person's passkeys, the oldest first."""
    return await db.all(
        """
        select id, credential_id, sign_count, rp_id, name, transports, is_synced, created_at, last_used_at
          from passkeys
         where user_id = %(user_id)s
         order by created_at, id
        """,
        Passkey,
        user_id=user_id,
    )


async def find_passkey(db: Database, credential_id: str) -> KnownPasskey | None:
    """Return what checks a passkey, and whose it is."""
    return await db.one(
        """
        select p.id, p.user_id, u.username, u.is_active, u.locked_until, p.public_key, p.rp_id, p.name
          from passkeys p
          join users u on u.id = p.user_id
         where p.credential_id = %(credential_id)s
        """,
        KnownPasskey,
        credential_id=credential_id,
    )


async def mark_passkey_used(tx: Tx, passkey_id: str, sign_count: int, now: datetime) -> bool:
    """Note that a passkey was used; false when its counter did not go on, so that there is a copy of it somewhere."""
    return (
        await tx.execute(
            """
            update passkeys
               set sign_count = %(sign_count)s, last_used_at = %(now)s
             where id = %(passkey_id)s
               and (sign_count < %(sign_count)s or (sign_count = 0 and %(sign_count)s = 0))
            """,
            passkey_id=passkey_id,
            sign_count=sign_count,
            now=now,
        )
        > 0
    )


async def rename_passkey(tx: Tx, user_id: str, passkey_id: str, name: str) -> str | None:
    """Give a passkey another name and return the one it had; ``None`` when this person has none of this id."""
    before: str | None = await tx.value(
        """
        with before as (select id, name from passkeys
                         where id = %(passkey_id)s and user_id = %(user_id)s for update)
        update passkeys set name = %(name)s from before where passkeys.id = before.id
        returning before.name
        """,
        passkey_id=passkey_id,
        user_id=user_id,
        name=name,
    )
    return before


async def delete_passkey(tx: Tx, user_id: str, passkey_id: str) -> str | None:
    """Forget a passkey and return its name; ``None`` when this person has none of this id."""
    name: str | None = await tx.value(
        "delete from passkeys where id = %(passkey_id)s and user_id = %(user_id)s returning name",
        passkey_id=passkey_id,
        user_id=user_id,
    )
    return name


async def lock_person(tx: Tx, user_id: str) -> None:
    """Let one change of a person's ways to sign in at a time go on."""
    await tx.execute("select id from users where id = %(user_id)s for update", user_id=user_id)


async def count_other_ways(tx: Tx, user_id: str) -> int:
    """Return in how many ways a person can sign in without a passkey: a password, and identities elsewhere."""
    count: int = await tx.value(
        """
        select (select count(*) from users where id = %(user_id)s and password_hash is not null)
               + (select count(*) from user_identities where user_id = %(user_id)s)
        """,
        user_id=user_id,
    )
    return count


async def update_passkey_step(tx: Tx, user_id: str, backup_codes: str | None, now: datetime, *, on: bool) -> bool:
    """Say whether a passkey is asked for after the password; ``backup_codes`` of ``None`` leaves those there are."""
    return (
        await tx.execute(
            """
            update users
               set passkey_step = %(on)s, tfa_backup_codes = coalesce(%(backup_codes)s, tfa_backup_codes),
                   updated_at = %(now)s
             where id = %(user_id)s and passkey_step <> %(on)s
            """,
            user_id=user_id,
            backup_codes=backup_codes,
            now=now,
            on=on,
        )
        > 0
    )


async def peek_ticket(db: Database, verifier: str, now: datetime) -> str | None:
    """Return whose ticket this is without using it up."""
    user_id: str | None = await db.value(
        "select user_id from sign_in_tickets where verifier = %(verifier)s and expires_at > %(now)s",
        verifier=verifier,
        now=now,
    )
    return user_id
