"""Accounts."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import Credentials, Profile, User


async def insert_user(tx: Tx, profile: Profile, password_hash: str, role: str, now: datetime, *, email_by: str) -> User:
    """Add a profile; ``email_by`` says whose word the address is: administrator, provider or owner."""
    user = await tx.one(
        """
        insert into users (username, email, email_by, first_name, last_name, role, password_hash,
                           created_at, updated_at)
        values (%(username)s, %(email)s, %(email_by)s, %(first_name)s, %(last_name)s, %(role)s, %(password_hash)s,
                %(now)s, %(now)s)
        returning id, username, email, first_name, last_name, role, is_active, tfa_enabled,
                  last_login_at, created_at, updated_at
        """,
        User,
        username=profile.username,
        email=profile.email,
        email_by=email_by,
        first_name=profile.first_name,
        last_name=profile.last_name,
        role=role,
        password_hash=password_hash,
        now=now,
    )
    assert user is not None
    return user


async def find_user(db: Database | Tx, user_id: str) -> User | None:
    """Return a person by id."""
    return await db.one(
        """
        select id, username, email, first_name, last_name, role, is_active, tfa_enabled,
               last_login_at, created_at, updated_at
          from users
         where id = %(user_id)s
        """,
        User,
        user_id=user_id,
    )


async def find_user_named(db: Database | Tx, name: str) -> User | None:
    """Return a person by username or email address, whatever the case of the letters; the username wins."""
    return await db.one(
        """
        select id, username, email, first_name, last_name, role, is_active, tfa_enabled,
               last_login_at, created_at, updated_at
          from users
         where lower(username) = lower(%(name)s) or lower(email) = lower(%(name)s)
         order by lower(username) = lower(%(name)s) desc
         limit 1
        """,
        User,
        name=name,
    )


async def find_credentials(db: Database, name: str) -> Credentials | None:
    """Return what checks the password of the person with this username or email address."""
    return await db.one(
        """
        select id, username, is_active, password_hash, locked_until, tfa_enabled, passkey_step,
               exists (select from passkeys where user_id = users.id) as has_passkeys
          from users
         where lower(username) = lower(%(name)s) or lower(email) = lower(%(name)s)
         order by lower(username) = lower(%(name)s) desc
         limit 1
        """,
        Credentials,
        name=name,
    )


async def find_password(db: Database, user_id: str) -> str | None:
    """Return the stored hash of a person's password."""
    stored: str | None = await db.value("select password_hash from users where id = %(user_id)s", user_id=user_id)
    return stored


async def update_password(tx: Tx, user_id: str, password_hash: str, now: datetime) -> None:
    """Give a person another password."""
    await tx.execute(
        "update users set password_hash = %(password_hash)s, updated_at = %(now)s where id = %(user_id)s",
        user_id=user_id,
        password_hash=password_hash,
        now=now,
    )


async def update_profile(tx: Tx, user_id: str, profile: Profile, now: datetime) -> User | None:
    """Change what a person says about themselves; another address is their word alone."""
    return await tx.one(
        """
        update users
           set email_by = case when lower(email) = lower(%(email)s) then email_by else 'owner' end,
               username = %(username)s, email = %(email)s, first_name = %(first_name)s, last_name = %(last_name)s,
               updated_at = %(now)s
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
        now=now,
    )


async def mark_failure(
    tx: Tx, user_id: str, now: datetime, fading_from: datetime, most: int, locked_until: datetime
) -> bool:
    """Count a wrong password; tell whether this one locked the account.

    The count starts again when the last failure is older than ``fading_from`` or an earlier lock has ended.
    """
    locked: bool | None = await tx.value(
        """
        with counted as (
            select id,
                   case when last_failed_login_at < %(fading_from)s or locked_until <= %(now)s then 1
                        else failed_login_attempts + 1
                    end as failures
              from users
             where id = %(user_id)s and (locked_until is null or locked_until <= %(now)s)
               for update
        )
        update users
           set failed_login_attempts = counted.failures,
               last_failed_login_at = %(now)s,
               locked_until = case when counted.failures >= %(most)s then %(locked_until)s::timestamptz end
          from counted
         where users.id = counted.id
        returning users.locked_until is not null
        """,
        user_id=user_id,
        now=now,
        fading_from=fading_from,
        most=most,
        locked_until=locked_until,
    )
    return bool(locked)


async def mark_signed_in(tx: Tx, user_id: str, now: datetime) -> User | None:
    """Forget the failures and note the time; nobody when the account was locked or deactivated meanwhile."""
    return await tx.one(
        """
        update users
           set failed_login_attempts = 0, last_failed_login_at = null, locked_until = null, last_login_at = %(now)s
         where id = %(user_id)s and is_active and (locked_until is null or locked_until <= %(now)s)
        returning id, username, email, first_name, last_name, role, is_active, tfa_enabled,
                  last_login_at, created_at, updated_at
        """,
        User,
        user_id=user_id,
        now=now,
    )
