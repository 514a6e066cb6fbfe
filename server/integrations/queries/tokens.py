"""Statements about tokens."""

from datetime import date, datetime
from typing import Any, Final

from server.core.db import Database, Tx, as_json
from server.integrations.models import Change, Keyring, NewToken, Stored, Token

_ROWS: Final = """
        select t.id, t.token_name, t.token_key, t.is_active, t.allowed_ip_ranges, t.max_hosts_per_day,
               case when t.counted_on = %(today)s then t.hosts_created_today else 0 end as hosts_created_today,
               t.last_used_at, t.expires_at, t.created_at, t.default_host_group_id, t.metadata, t.scopes,
               case when g.id is not null
                    then jsonb_build_object('id', g.uuid, 'name', g.name, 'color', g.color) end as host_groups,
               case when u.id is not null
                    then jsonb_build_object('id', u.id, 'username', u.username, 'first_name', u.first_name,
                                            'last_name', u.last_name) end as users
          from integration_tokens t
          left join host_groups g on g.uuid = t.default_host_group_id
          left join users u on u.id = t.created_by_user_id
"""


async def insert_token(tx: Tx, new: NewToken, stored: Stored) -> str:
    """Add a token and return its id."""
    return str(
        await tx.value(
            """
            insert into integration_tokens (token_name, token_key, token_secret, secret_verifier, metadata, scopes,
                                            allowed_ip_ranges, max_hosts_per_day, default_host_group_id,
                                            created_by_user_id, expires_at, created_at, updated_at)
            values (%(name)s, %(key)s, %(secret)s, %(verifier)s, %(metadata)s::jsonb, %(scopes)s::jsonb,
                    %(ranges)s::text[], %(most)s, %(group)s, %(creator)s, %(expires_at)s, %(at)s, %(at)s)
            returning id
            """,
            name=new.token_name,
            key=stored.key,
            secret=stored.keyring.secret,
            verifier=stored.keyring.verifier,
            metadata=as_json(new.metadata),
            scopes=None if new.scopes is None else as_json(new.scopes),
            ranges=list(new.allowed_ip_ranges),
            most=new.max_hosts_per_day,
            group=new.default_host_group_id,
            creator=stored.creator_id,
            expires_at=new.expires_at,
            at=stored.at,
        )
    )


async def list_tokens(db: Database, today: date) -> list[Token]:
    """Return every token, newest first."""
    return await db.all(f"{_ROWS} order by t.created_at desc, t.id", Token, today=today)


async def find_token(db: Database | Tx, token_id: str, today: date) -> Token | None:
    """Return one token."""
    return await db.one(f"{_ROWS} where t.id = %(token_id)s", Token, token_id=token_id, today=today)


async def find_by_key(db: Database, key: str, today: date) -> Token | None:
    """Return the token that is known by this key."""
    return await db.one(f"{_ROWS} where t.token_key = %(key)s", Token, key=key, today=today)


async def fetch_keyring(db: Database, token_id: str) -> Keyring | None:
    """Return what a token's secret is checked with."""
    return await db.one(
        """
        select token_secret as secret, secret_verifier as verifier from integration_tokens where id = %(token_id)s
        """,
        Keyring,
        token_id=token_id,
    )


async def store_verifier(db: Database, token_id: str, verifier: str) -> None:
    """Keep what makes the next check of this token's secret cheap."""
    await db.execute(
        "update integration_tokens set secret_verifier = %(verifier)s where id = %(token_id)s",
        token_id=token_id,
        verifier=verifier,
    )


async def group_exists(tx: Tx, group: str) -> bool:
    """Tell whether there is such a host group, and keep it from going until the end of the transaction."""
    return (
        await tx.value("select true from host_groups where uuid = %(group)s for key share", group=group)
    ) is not None


async def lock_token(tx: Tx, token_id: str) -> bool:
    """Tell whether there is such a token, and keep others from changing it."""
    return (
        await tx.value("select true from integration_tokens where id = %(token_id)s for update", token_id=token_id)
    ) is not None


async def update_token(tx: Tx, token_id: str, change: Change, now: datetime) -> None:
    """Change what is given of a token."""
    await tx.execute(
        """
        update integration_tokens
           set token_name = case when 'token_name' = any(%(given)s::text[]) then %(name)s else token_name end,
               is_active = case when 'is_active' = any(%(given)s::text[]) then %(active)s else is_active end,
               max_hosts_per_day = case when 'max_hosts_per_day' = any(%(given)s::text[]) then %(most)s
                                        else max_hosts_per_day end,
               allowed_ip_ranges = case when 'allowed_ip_ranges' = any(%(given)s::text[]) then %(ranges)s::text[]
                                        else allowed_ip_ranges end,
               default_host_group_id = case when 'default_host_group_id' = any(%(given)s::text[]) then %(group)s::uuid
                                            else default_host_group_id end,
               expires_at = case when 'expires_at' = any(%(given)s::text[]) then %(expires_at)s::timestamptz
                                 else expires_at end,
               scopes = case when 'scopes' = any(%(given)s::text[]) then %(scopes)s::jsonb else scopes end,
               updated_at = %(now)s
         where id = %(token_id)s
        """,
        token_id=token_id,
        given=sorted(change.given),
        name=change.token_name,
        active=change.is_active,
        most=change.max_hosts_per_day,
        ranges=list(change.allowed_ip_ranges),
        group=change.default_host_group_id,
        expires_at=change.expires_at,
        scopes=None if change.scopes is None else as_json(change.scopes),
        now=now,
    )


async def delete_token(tx: Tx, token_id: str) -> dict[str, Any] | None:
    """Remove a token; return its id and name."""
    return await tx.one(
        "delete from integration_tokens where id = %(token_id)s returning id, token_name", token_id=token_id
    )


async def mark_used(db: Database, token_id: str, now: datetime) -> None:
    """Note that a token was used."""
    await db.execute(
        "update integration_tokens set last_used_at = %(now)s where id = %(token_id)s", token_id=token_id, now=now
    )


async def count_host(tx: Tx, token_id: str, day: date, now: datetime) -> bool:
    """Count one more host of a token's day, unless that day is full; the first of a new day starts at one."""
    return bool(
        await tx.execute(
            """
            update integration_tokens
               set hosts_created_today = case when counted_on = %(day)s then hosts_created_today else 0 end + 1,
                   counted_on = %(day)s, last_used_at = %(now)s
             where id = %(token_id)s and is_active
               and case when counted_on = %(day)s then hosts_created_today else 0 end < max_hosts_per_day
            """,
            token_id=token_id,
            day=day,
            now=now,
        )
    )
