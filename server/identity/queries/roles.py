"""Roles."""

from datetime import datetime

from server.core.db import Database, Tx


async def list_roles(db: Database) -> list[tuple[str, list[str]]]:
    """Return every role with what is stored for it."""
    rows = await db.all("select role, permissions from role_permissions order by role")
    return [(row["role"], row["permissions"]) for row in rows]


async def find_role(db: Database | Tx, role: str) -> list[str] | None:
    """Return what is stored for a role, or ``None`` when there is no such role."""
    stored: list[str] | None = await db.value(
        "select permissions from role_permissions where role = %(role)s", role=role
    )
    return stored


async def save_role(tx: Tx, role: str, permissions: list[str], now: datetime) -> None:
    """Store what a role holds, whether or not there was one."""
    await tx.execute(
        """
        insert into role_permissions (role, permissions, created_at, updated_at)
        values (%(role)s, %(permissions)s, %(now)s, %(now)s)
            on conflict (role) do update set permissions = excluded.permissions, updated_at = excluded.updated_at
        """,
        role=role,
        permissions=permissions,
        now=now,
    )


async def count_holders(db: Database | Tx, role: str) -> int:
    """Return how many people have a role."""
    count: int = await db.value("select count(*) from users where role = %(role)s", role=role)
    return count


async def delete_role(tx: Tx, role: str) -> None:
    """Remove a role."""
    await tx.execute("delete from role_permissions where role = %(role)s", role=role)
