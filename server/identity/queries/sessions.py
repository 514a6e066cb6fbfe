"""Sessions."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import Known, Session
from server.identity.queries.scopes import LIMITS


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
        f"""
        select s.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
               s.last_activity_at as last_active_at, s.expires_at,
               {LIMITS}
          from user_sessions s
          join users u on u.id = s.user_id
          left join role_permissions r on r.role = u.role
         where s.token_verifier = %(verifier)s
        """,  # noqa: S608 (only constants are put together)
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
