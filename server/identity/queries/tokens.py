"""Personal API tokens."""

from datetime import datetime
from typing import Final

from server.core.db import Database, Tx
from server.core.prepared import Prepared
from server.identity.models import ApiToken, Known, NewToken
from server.identity.queries.factors import FACTORS
from server.identity.queries.scopes import LIMITS


async def insert_token(
    tx: Tx, user_id: str, wanted: NewToken, verifier: str, prefix: str, now: datetime, expires_at: datetime | None
) -> ApiToken:
    """Add a personal token."""
    token = await tx.one(
        """
        insert into api_tokens (user_id, name, verifier, prefix, scopes, created_at, expires_at)
        values (%(user_id)s, %(name)s, %(verifier)s, %(prefix)s, %(scopes)s, %(now)s, %(expires_at)s)
        returning id, name, prefix, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at
        """,
        ApiToken,
        user_id=user_id,
        name=wanted.name,
        verifier=verifier,
        prefix=prefix,
        scopes=None if wanted.scopes is None else sorted(wanted.scopes),
        now=now,
        expires_at=expires_at,
    )
    assert token is not None
    return token


_FIND: Final = f"""
    select t.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
           t.last_used_at as last_active_at, t.expires_at, t.scopes, t.name,
           {LIMITS},
           {FACTORS}
      from api_tokens t
      join users u on u.id = t.user_id
      left join role_permissions r on r.role = u.role
     where t.revoked_at is null
"""  # noqa: S608 (only constants are put together)
_FIND_BY_VERIFIER: Final = Prepared(_FIND + "and t.verifier = %(verifier)s", verifier="text")


async def find_token(db: Database, verifier: str) -> Known | None:
    """Return whom a personal token acts for, with the permissions of the owner's role."""
    return await db.one(_FIND_BY_VERIFIER, Known, verifier=verifier)


async def find_token_again(db: Database, token_id: str) -> Known | None:
    """Return the same of a token that was recognised before."""
    return await db.one(_FIND + "and t.id = %(token_id)s", Known, token_id=token_id)


async def mark_token_used(db: Database, token_id: str, address: str, now: datetime) -> None:
    """Note that a token was used, and from where."""
    await db.execute(
        "update api_tokens set last_used_at = %(now)s, last_used_address = %(address)s where id = %(token_id)s",
        token_id=token_id,
        address=address,
        now=now,
    )


async def list_tokens(db: Database, user_id: str) -> list[ApiToken]:
    """Return a person's tokens that were not revoked, newest first."""
    return await db.all(
        """
        select id, name, prefix, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at
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


async def find_standing(db: Database, user_id: str) -> Known | None:
    """Return a person with the permissions of their role, for what is done in their name while they are away."""
    return await db.one(
        f"""
        select u.id, u.id as user_id, u.username, u.role, u.is_active, r.permissions,
               null as last_active_at, null as expires_at,
               {LIMITS},
               {FACTORS}
          from users u
          left join role_permissions r on r.role = u.role
         where u.id = %(user_id)s
        """,  # noqa: S608 (only constants are put together)
        Known,
        user_id=user_id,
    )
