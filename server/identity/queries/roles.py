"""Roles."""

from server.core.db import Database


async def list_roles(db: Database) -> list[tuple[str, list[str]]]:
    """Return every role with what is stored for it."""
    rows = await db.all("select role, permissions from role_permissions order by role")
    return [(row["role"], row["permissions"]) for row in rows]
