"""Every statement of the settings room."""

from datetime import datetime
from typing import Any

from server.core.db import Database, Tx, as_json
from server.core.images import Picture
from server.settings.models import StoredPicture


async def fetch_stored(db: Database) -> dict[str, Any]:
    """Return what is stored, by key."""
    rows = await db.all("select key, value from settings")
    return {row["key"]: row["value"] for row in rows}


async def lock_stored(tx: Tx, keys: list[str]) -> dict[str, Any]:
    """Return what is stored under these keys, and keep others from changing it until the transaction ends."""
    rows = await tx.all("select key, value from settings where key = any(%(keys)s) order by key for update", keys=keys)
    return {row["key"]: row["value"] for row in rows}


async def store(tx: Tx, values: dict[str, Any], at: datetime, by: str) -> list[str]:
    """Store these values and return the keys that really changed."""
    return await tx.column(
        """
        insert into settings as old (key, value, updated_at, updated_by)
        select given.key, given.value, %(at)s, %(by)s
          from jsonb_each(%(values)s::jsonb) as given(key, value)
            on conflict (key) do update
           set value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by
         where old.value is distinct from excluded.value
        returning key
        """,
        values=as_json(values),
        at=at,
        by=by,
    )


async def forget(tx: Tx, key: str) -> Any:
    """Delete what is stored under a key and return it, or ``None`` when nothing was."""
    return await tx.value("delete from settings where key = %(key)s returning value", key=key)


async def last_change(db: Database) -> datetime | None:
    """Return when anything was stored for the last time."""
    moment: datetime | None = await db.value("select max(updated_at) from settings")
    return moment


async def exists(db: Database) -> bool:
    """Tell whether there is a table of settings yet; before the first start there is none."""
    return bool(await db.value("select to_regclass('settings') is not null"))


async def fetch_texts(db: Database, keys: list[str]) -> dict[str, str]:
    """Return what is stored under these keys as text."""
    rows = await db.all("select key, value #>> '{}' as value from settings where key = any(%(keys)s)", keys=keys)
    return {row["key"]: row["value"] for row in rows}


async def fetch_pictures(db: Database) -> list[StoredPicture]:
    """Return the stored pictures without their content."""
    return await db.all(
        """
        select kind, file_name, content_type, digest, width, height, updated_at, ''::bytea as content,
               length(content) as size_bytes
          from branding_pictures
         order by kind
        """,
        StoredPicture,
    )


async def fetch_picture(db: Database, kind: str) -> StoredPicture | None:
    """Return a stored picture with its content."""
    return await db.one(
        """
        select kind, file_name, content_type, digest, width, height, updated_at, content,
               length(content) as size_bytes
          from branding_pictures
         where kind = %(kind)s
        """,
        StoredPicture,
        kind=kind,
    )


async def store_picture(
    tx: Tx, kind: str, file_name: str, picture: Picture, digest: str, at: datetime, by: str
) -> None:
    """Put a picture in the place of the one before."""
    await tx.execute(
        """
        insert into branding_pictures
               (kind, file_name, content_type, content, digest, width, height, updated_at, updated_by)
        values (%(kind)s, %(file_name)s, %(content_type)s, %(content)s, %(digest)s, %(width)s, %(height)s, %(at)s,
                %(by)s)
            on conflict (kind) do update
           set file_name = excluded.file_name, content_type = excluded.content_type, content = excluded.content,
               digest = excluded.digest, width = excluded.width, height = excluded.height,
               updated_at = excluded.updated_at, updated_by = excluded.updated_by
        """,
        kind=kind,
        file_name=file_name,
        content_type=picture.content_type,
        content=picture.content,
        digest=digest,
        width=picture.width,
        height=picture.height,
        at=at,
        by=by,
    )


async def forget_picture(tx: Tx, kind: str) -> bool:
    """Delete a stored picture; tells whether there was one."""
    return await tx.execute("""delete from branding_pictures where kind = %(kind)s""", kind=kind) > 0
