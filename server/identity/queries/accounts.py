"""Accounts as administrators see and change them."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import Profile, User

#: Whoever counts administrators before changing one holds this; any number will do, as long as it is only used here.
_ADMINS_LOCK = 7_236_418_003


async def list_people(db: Database, limit: int | None, offset: int) -> list[User]:
    """Return accounts in the order of their names."""
    return await db.all(
        """
        select id, username, email, first_name, last_name, role, is_active, tfa_enabled,
               last_login_at, created_at, updated_at
          from users
         order by lower(username), id
         limit %(limit)s offset %(offset)s
        """,
        User,
        limit=limit,
        offset=offset,
    )


async def count_people(db: Database) -> int:
    """Return how many accounts there are."""
    count: int = await db.value("select count(*) from users")
    return count


async def lock_admins(tx: Tx) -> None:
    """Let one change of accounts at a time go on, until this transaction ends: none may miss the other's."""
    await tx.execute("select pg_advisory_xact_lock(%(lock)s)", lock=_ADMINS_LOCK)


async def count_other_active(tx: Tx, user_id: str, roles: list[str]) -> int:
    """Return how many other people with one of these roles can sign in."""
    count: int = await tx.value(
        "select count(*) from users where id <> %(user_id)s and is_active and role = any(%(roles)s)",
        user_id=user_id,
        roles=roles,
    )
    return count


async def find_user_for_change(tx: Tx, user_id: str) -> User | None:
    """Return a person and hold the row until the transaction ends."""
    return await tx.one(
        """
        select id, username, email, first_name, last_name, role, is_active, tfa_enabled,
               last_login_at, created_at, updated_at
          from users
         where id = %(user_id)s
           for update
        """,
        User,
        user_id=user_id,
    )


async def update_account(
    tx: Tx, user_id: str, profile: Profile, role: str, now: datetime, *, is_active: bool
) -> User | None:
    """Change everything an administrator may say about a person."""
    return await tx.one(
        """
        update users
           set email_by = case when lower(email) = lower(%(email)s) then email_by else 'administrator' end,
               username = %(username)s, email = %(email)s, first_name = %(first_name)s, last_name = %(last_name)s,
               role = %(role)s, is_active = %(is_active)s, updated_at = %(now)s
         where id = %(user_id)s
        returning id, username, email, first_name, last_name, role, is_active, tfa_enabled,
                  last_login_at, created_at, updated_at
        """,
        User,
        user_id=user_id,
        username=profile.username,
        email=profile.email,
        first_name=profile.first_name,
        last_name=profile.last_name,
        role=role,
        is_active=is_active,
        now=now,
    )


async def delete_user(tx: Tx, user_id: str) -> None:
    """Remove an account with all that belongs to it."""
    await tx.execute("delete from users where id = %(user_id)s", user_id=user_id)


async def delete_sessions(tx: Tx, user_id: str) -> int:
    """End every session of a person; return how many ended."""
    return await tx.execute("delete from user_sessions where user_id = %(user_id)s", user_id=user_id)
