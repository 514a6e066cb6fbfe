"""Every statement of the identity room."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import ApiToken, Credentials, Known, Profile, Session, User

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


async def insert_user(tx: Tx, profile: Profile, password_hash: str, role: str, now: datetime) -> User:
    """Add a profile."""
    user = await tx.one(
        """
        insert into users (username, email, first_name, last_name, role, password_hash, created_at, updated_at)
        values (%(username)s, %(email)s, %(first_name)s, %(last_name)s, %(role)s, %(password_hash)s, %(now)s, %(now)s)
        returning id, username, email, first_name, last_name, role, is_active, tfa_enabled,
                  last_login_at, created_at, updated_at
        """,
        User,
        username=profile.username,
        email=profile.email,
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
        select id, username, is_active, password_hash, locked_until
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
    """Change what a person says about themselves."""
    return await tx.one(
        """
        update users
           set username = %(username)s, email = %(email)s, first_name = %(first_name)s, last_name = %(last_name)s,
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


async def insert_session(
    tx: Tx,
    user_id: str,
    token_verifier: str,
    refresh_verifier: str,
    address: str,
    user_agent: str,
    now: datetime,
    expires_at: datetime,
) -> str:
    """Open a session and return its id."""
    session_id: str = await tx.value(
        """
        insert into user_sessions (user_id, token_verifier, refresh_verifier, address, user_agent,
                                   created_at, last_activity_at, expires_at)
        values (%(user_id)s, %(token_verifier)s, %(refresh_verifier)s, %(address)s, %(user_agent)s,
                %(now)s, %(now)s, %(expires_at)s)
        returning id
        """,
        user_id=user_id,
        token_verifier=token_verifier,
        refresh_verifier=refresh_verifier,
        address=address,
        user_agent=user_agent,
        now=now,
        expires_at=expires_at,
    )
    return session_id


async def find_session(db: Database, verifier: str) -> Known | None:
    """Return who holds a session's token, with the permissions of the role."""
    return await db.one(
        """
        select s.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
               s.last_activity_at as last_active_at, s.expires_at
          from user_sessions s
          join users u on u.id = s.user_id
          left join role_permissions r on r.role = u.role
         where s.token_verifier = %(verifier)s
        """,
        Known,
        verifier=verifier,
    )


async def find_refreshable(db: Database, verifier: str) -> str | None:
    """Return the token verifier of the session that a refresh token belongs to."""
    found: str | None = await db.value(
        "select token_verifier from user_sessions where refresh_verifier = %(verifier)s", verifier=verifier
    )
    return found


async def replace_session_token(tx: Tx, session_id: str, verifier: str) -> None:
    """Give a session another token; the old one is worth nothing from here on."""
    await tx.execute(
        "update user_sessions set token_verifier = %(verifier)s where id = %(session_id)s",
        verifier=verifier,
        session_id=session_id,
    )


async def mark_activity(db: Database, session_id: str, now: datetime) -> None:
    """Note that the person did something."""
    await db.execute(
        "update user_sessions set last_activity_at = %(now)s where id = %(session_id)s and last_activity_at < %(now)s",
        session_id=session_id,
        now=now,
    )


async def list_sessions(db: Database, user_id: str, now: datetime, active_since: datetime) -> list[Session]:
    """Return the sessions of a person that still open something, the most recently used first."""
    return await db.all(
        """
        select id, address, user_agent, created_at, last_activity_at, expires_at
          from user_sessions
         where user_id = %(user_id)s and expires_at > %(now)s and last_activity_at >= %(active_since)s
         order by last_activity_at desc, id
        """,
        Session,
        user_id=user_id,
        now=now,
        active_since=active_since,
    )


async def delete_session(tx: Tx, user_id: str, session_id: str) -> bool:
    """End one session of a person; false when there is none."""
    sql = "delete from user_sessions where id = %(session_id)s and user_id = %(user_id)s"
    return await tx.execute(sql, session_id=session_id, user_id=user_id) > 0


async def delete_other_sessions(tx: Tx, user_id: str, session_id: str) -> int:
    """End every session of a person but one; return how many ended."""
    return await tx.execute(
        "delete from user_sessions where user_id = %(user_id)s and id::text <> %(session_id)s",
        user_id=user_id,
        session_id=session_id,
    )


async def delete_old_sessions(tx: Tx, now: datetime, inactive_since: datetime) -> int:
    """Forget sessions that open nothing any more; return how many."""
    return await tx.execute(
        "delete from user_sessions where expires_at <= %(now)s or last_activity_at < %(inactive_since)s",
        now=now,
        inactive_since=inactive_since,
    )


async def insert_token(
    tx: Tx, user_id: str, name: str, verifier: str, prefix: str, now: datetime, expires_at: datetime | None
) -> ApiToken:
    """Add a personal token."""
    token = await tx.one(
        """
        insert into api_tokens (user_id, name, verifier, prefix, created_at, expires_at)
        values (%(user_id)s, %(name)s, %(verifier)s, %(prefix)s, %(now)s, %(expires_at)s)
        returning id, name, prefix, created_at, expires_at, last_used_at, revoked_at
        """,
        ApiToken,
        user_id=user_id,
        name=name,
        verifier=verifier,
        prefix=prefix,
        now=now,
        expires_at=expires_at,
    )
    assert token is not None
    return token


async def find_token(db: Database, verifier: str) -> Known | None:
    """Return whom a personal token acts for, with the permissions of the owner's role."""
    return await db.one(
        """
        select t.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
               t.last_used_at as last_active_at, t.expires_at
          from api_tokens t
          join users u on u.id = t.user_id
          left join role_permissions r on r.role = u.role
         where t.verifier = %(verifier)s and t.revoked_at is null
        """,
        Known,
        verifier=verifier,
    )


async def mark_token_used(db: Database, token_id: str, now: datetime) -> None:
    """Note that a token was used."""
    await db.execute("update api_tokens set last_used_at = %(now)s where id = %(token_id)s", token_id=token_id, now=now)


async def list_tokens(db: Database, user_id: str) -> list[ApiToken]:
    """Return a person's tokens that were not revoked, newest first."""
    return await db.all(
        """
        select id, name, prefix, created_at, expires_at, last_used_at, revoked_at
          from api_tokens
         where user_id = %(user_id)s and revoked_at is null
         order by created_at desc, id
        """,
        ApiToken,
        user_id=user_id,
    )


async def mark_token_revoked(tx: Tx, user_id: str, token_id: str, now: datetime) -> str | None:
    """Revoke a person's token and return its name; ``None`` when there is none."""
    name: str | None = await tx.value(
        """
        update api_tokens
           set revoked_at = %(now)s
         where id = %(token_id)s and user_id = %(user_id)s and revoked_at is null
        returning name
        """,
        token_id=token_id,
        user_id=user_id,
        now=now,
    )
    return name


async def list_roles(db: Database) -> list[tuple[str, list[str]]]:
    """Return every role with what is stored for it."""
    rows = await db.all("select role, permissions from role_permissions order by role")
    return [(row["role"], row["permissions"]) for row in rows]
