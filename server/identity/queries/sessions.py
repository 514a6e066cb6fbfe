"""Sessions."""

from datetime import datetime
from typing import Final

from server.core.db import Database, Tx
from server.core.prepared import Prepared
from server.identity.models import Browser, Known, Session
from server.identity.queries.factors import SESSION_FACTORS
from server.identity.queries.scopes import LIMITS


async def insert_session(
    tx: Tx,
    user_id: str,
    browser: Browser,
    method: str,
    sealed_id_token: str | None,
    now: datetime,
    expires_at: datetime,
) -> str:
    """Open a session and return its id."""
    session_id: str = await tx.value(
        """
        insert into user_sessions (user_id, address, user_agent, method, sealed_id_token,
                                   created_at, last_activity_at, expires_at)
        values (%(user_id)s, %(address)s, %(user_agent)s, %(method)s, %(sealed_id_token)s,
                %(now)s, %(now)s, %(expires_at)s)
        returning id
        """,
        user_id=user_id,
        address=browser.address,
        user_agent=browser.user_agent,
        method=method,
        sealed_id_token=sealed_id_token,
        now=now,
        expires_at=expires_at,
    )
    return session_id


_FIND_SESSION: Final = Prepared(
    f"""
    select s.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
           s.last_activity_at as last_active_at, s.expires_at,
           {LIMITS},
           {SESSION_FACTORS}
      from user_sessions s
      join users u on u.id = s.user_id
      left join role_permissions r on r.role = u.role
     where s.id = %(session_id)s
    """,  # noqa: S608 (only constants are put together)
    session_id="uuid",
)


async def find_session(db: Database | Tx, session_id: str) -> Known | None:
    """Return whose session this is, with the permissions of the role."""
    return await db.one(_FIND_SESSION, Known, session_id=session_id)


async def next_generation(tx: Tx, session_id: str, generation: int, now: datetime) -> int | None:
    """Make the refresh tokens of this generation old and return the new one; ``None`` when they were old already."""
    made: int | None = await tx.value(
        """
        update user_sessions
           set refresh_generation = refresh_generation + 1, refreshed_at = %(now)s
         where id = %(session_id)s and refresh_generation = %(generation)s
        returning refresh_generation
        """,
        session_id=session_id,
        generation=generation,
        now=now,
    )
    return made


async def find_generation(tx: Tx, session_id: str, since: datetime) -> tuple[int, bool] | None:
    """Return the newest generation of a session's refresh tokens, and whether it was made after ``since``."""
    row = await tx.one(
        """
        select refresh_generation, coalesce(refreshed_at >= %(since)s, false) as fresh
          from user_sessions
         where id = %(session_id)s
        """,
        session_id=session_id,
        since=since,
    )
    return (row["refresh_generation"], row["fresh"]) if row else None


async def find_sign_in(tx: Tx, session_id: str) -> tuple[str, str | None] | None:
    """Return how a session was opened, and the sealed proof of the provider where there is one."""
    row = await tx.one("select method, sealed_id_token from user_sessions where id = %(id)s", id=session_id)
    return (row["method"], row["sealed_id_token"]) if row else None


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
        select id, address, user_agent, method, created_at, last_activity_at, expires_at
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
