"""Identities at other services, people who come through them, their pictures, and sealed settings."""

from datetime import datetime

from server.core.db import Database, Tx
from server.identity.models import Profile
from server.identity.sso.models import Avatar, Identity, Namesake


async def find_sealed(db: Database | Tx, name: str) -> str | None:
    """Return a stored secret, sealed."""
    sealed: str | None = await db.value("select sealed from sealed_settings where name = %(name)s", name=name)
    return sealed


async def save_sealed(tx: Tx, name: str, sealed: str, now: datetime, by: str) -> None:
    """Store a secret, sealed."""
    await tx.execute(
        """
        insert into sealed_settings (name, sealed, updated_at, updated_by)
        values (%(name)s, %(sealed)s, %(now)s, %(by)s)
            on conflict (name) do update
           set sealed = excluded.sealed, updated_at = excluded.updated_at, updated_by = excluded.updated_by
        """,
        name=name,
        sealed=sealed,
        now=now,
        by=by,
    )


async def find_identity(db: Database | Tx, provider: str, issuer: str, subject: str) -> Identity | None:
    """Return the identity that a service means by this subject."""
    return await db.one(
        """
        select id, user_id, provider, issuer, subject, name, linked_at, last_used_at
          from user_identities
         where provider = %(provider)s and issuer = %(issuer)s and subject = %(subject)s
        """,
        Identity,
        provider=provider,
        issuer=issuer,
        subject=subject,
    )


async def list_identities(db: Database | Tx, user_id: str) -> list[Identity]:
    """Return the identities of a person."""
    return await db.all(
        """
        select id, user_id, provider, issuer, subject, name, linked_at, last_used_at
          from user_identities
         where user_id = %(user_id)s
         order by provider, issuer
        """,
        Identity,
        user_id=user_id,
    )


async def save_identity(tx: Tx, user_id: str, identity: Identity) -> bool:
    """Link an identity to a person; tell whether that worked: it fails when either side is linked already."""
    linked = await tx.value(
        """
        insert into user_identities (user_id, provider, issuer, subject, name, linked_at, last_used_at)
        values (%(user_id)s, %(provider)s, %(issuer)s, %(subject)s, %(name)s, %(linked_at)s, %(last_used_at)s)
            on conflict do nothing
        returning id
        """,
        user_id=user_id,
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
        name=identity.name,
        linked_at=identity.linked_at,
        last_used_at=identity.last_used_at,
    )
    return linked is not None


async def mark_identity_used(tx: Tx, identity_id: str, name: str, now: datetime) -> None:
    """Note that somebody came with this identity, and how the service calls them now."""
    await tx.execute(
        """
        update user_identities
           set last_used_at = %(now)s, name = case when %(name)s = '' then name else %(name)s end
         where id = %(identity_id)s
        """,
        identity_id=identity_id,
        name=name,
        now=now,
    )


async def delete_identities(tx: Tx, user_id: str, provider: str) -> int:
    """Unlink a service from a person; return how many identities that were."""
    return await tx.execute(
        "delete from user_identities where user_id = %(user_id)s and provider = %(provider)s",
        user_id=user_id,
        provider=provider,
    )


async def find_namesake(tx: Tx, email: str) -> Namesake | None:
    """Return whose account has this address, in any case of its letters."""
    return await tx.one(
        "select id, email_by from users where lower(email) = lower(%(email)s)",
        Namesake,
        email=email,
    )


async def list_names_like(tx: Tx, name: str) -> list[str]:
    """Return the usernames, in small letters, that begin with this name."""
    return await tx.column(
        "select lower(username) from users where starts_with(lower(username), lower(%(name)s))", name=name
    )


async def insert_guest(tx: Tx, profile: Profile, role: str, now: datetime) -> str:
    """Add a person without a password; return the id."""
    user_id: str = await tx.value(
        """
        insert into users (username, email, email_by, first_name, last_name, role, created_at, updated_at)
        values (%(username)s, %(email)s, 'provider', %(first_name)s, %(last_name)s, %(role)s, %(now)s, %(now)s)
        returning id
        """,
        username=profile.username,
        email=profile.email,
        first_name=profile.first_name,
        last_name=profile.last_name,
        role=role,
        now=now,
    )
    return user_id


async def update_names(tx: Tx, user_id: str, first_name: str, last_name: str, now: datetime) -> None:
    """Take over the names that are known; an empty one leaves what is stored."""
    await tx.execute(
        """
        update users
           set first_name = coalesce(nullif(%(first_name)s, ''), first_name),
               last_name = coalesce(nullif(%(last_name)s, ''), last_name),
               updated_at = %(now)s
         where id = %(user_id)s
           and (coalesce(nullif(%(first_name)s, ''), first_name), coalesce(nullif(%(last_name)s, ''), last_name))
               is distinct from (first_name, last_name)
        """,
        user_id=user_id,
        first_name=first_name,
        last_name=last_name,
        now=now,
    )


async def update_role(tx: Tx, user_id: str, role: str, now: datetime) -> None:
    """Give a person another role."""
    await tx.execute(
        "update users set role = %(role)s, updated_at = %(now)s where id = %(user_id)s",
        user_id=user_id,
        role=role,
        now=now,
    )


async def lift_lock(tx: Tx, user_id: str) -> None:
    """Forget wrong passwords: the person proved otherwise who they are."""
    await tx.execute(
        """
        update users set failed_login_attempts = 0, locked_until = null
         where id = %(user_id)s and locked_until is not null
        """,
        user_id=user_id,
    )


async def save_avatar(tx: Tx, user_id: str, provider: str, avatar: Avatar, now: datetime) -> None:
    """Store a person's picture."""
    await tx.execute(
        """
        insert into user_avatars as old (user_id, provider, content_type, digest, content, updated_at)
        values (%(user_id)s, %(provider)s, %(content_type)s, %(digest)s, %(content)s, %(now)s)
            on conflict (user_id) do update
           set provider = excluded.provider, content_type = excluded.content_type, digest = excluded.digest,
               content = excluded.content, updated_at = excluded.updated_at
         where old.digest <> excluded.digest
        """,
        user_id=user_id,
        provider=provider,
        content_type=avatar.content_type,
        digest=avatar.digest,
        content=avatar.content,
        now=now,
    )


async def find_avatar(db: Database, user_id: str) -> Avatar | None:
    """Return a person's picture."""
    row = await db.one(
        "select content_type, digest, content from user_avatars where user_id = %(user_id)s", user_id=user_id
    )
    return Avatar(row["content_type"], row["digest"], bytes(row["content"])) if row else None


async def list_pictured(db: Database) -> list[str]:
    """Return the ids of people who have a picture."""
    return await db.column("select user_id from user_avatars")
