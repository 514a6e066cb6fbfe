"""Statements about kept views and choices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.core.db import Database, Tx
from server.lists.models import NewView, View


async def list_views(db: Database, user_id: str | None, path: str) -> list[View]:
    """Return this person's views and the shared ones, by name; of one list, or of all for an empty path."""
    return await db.all(
        """
        select v.id, v.path, v.query, v.name, v.shared, v.user_id is not distinct from %(user_id)s::uuid as own,
               u.username as owner, v.created_at
          from list_views v
          join users u on u.id = v.user_id
         where (v.shared or v.user_id = %(user_id)s::uuid) and (%(path)s = '' or v.path = %(path)s)
         order by v.path, lower(v.name), v.id
        """,
        View,
        user_id=user_id,
        path=path,
    )


async def find_view(db: Database, user_id: str | None, view_id: str) -> View | None:
    """Return a view that this person may see."""
    return await db.one(
        """
        select v.id, v.path, v.query, v.name, v.shared, v.user_id is not distinct from %(user_id)s::uuid as own,
               u.username as owner, v.created_at
          from list_views v
          join users u on u.id = v.user_id
         where v.id = %(view_id)s and (v.shared or v.user_id = %(user_id)s::uuid)
        """,
        View,
        user_id=user_id,
        view_id=view_id,
    )


async def count_views(tx: Tx, user_id: str) -> int:
    """Return how many views this person keeps."""
    return int(await tx.value("select count(*) from list_views where user_id = %(user_id)s", user_id=user_id))


async def keep_view(tx: Tx, user_id: str, new: NewView, at: datetime) -> str:
    """Keep a view, in place of the one of that name; return its id."""
    return str(
        await tx.value(
            """
            insert into list_views (user_id, path, query, name, shared, created_at)
            values (%(user_id)s, %(path)s, %(query)s, %(name)s, %(shared)s, %(at)s)
                on conflict (user_id, path, lower(name)) do update
               set query = excluded.query, name = excluded.name, shared = excluded.shared
            returning id
            """,
            user_id=user_id,
            path=new.path,
            query=new.query,
            name=new.name,
            shared=new.shared,
            at=at,
        )
    )


async def delete_view(tx: Tx, user_id: str | None, view_id: str) -> dict[str, Any] | None:
    """Remove a view of this person, or for nobody in particular anybody's shared one; return what it was."""
    return await tx.one(
        """
        delete from list_views
         where id = %(view_id)s
           and (user_id = %(user_id)s::uuid or (%(user_id)s::uuid is null and shared))
        returning id, name, shared, path
        """,
        user_id=user_id,
        view_id=view_id,
    )


async def find_choice(db: Database, user_id: str, name: str) -> dict[str, Any] | None:
    """Return how a list opens for this person."""
    return await db.one(
        "select columns, query from list_choices where user_id = %(user_id)s and list = %(name)s",
        user_id=user_id,
        name=name,
    )


async def keep_choice(tx: Tx, user_id: str, name: str, columns: Sequence[str], query: str) -> None:
    """Let a list open like this for this person."""
    await tx.execute(
        """
        insert into list_choices (user_id, list, columns, query)
        values (%(user_id)s, %(name)s, %(columns)s, %(query)s)
            on conflict (user_id, list) do update set columns = excluded.columns, query = excluded.query
        """,
        user_id=user_id,
        name=name,
        columns=list(columns),
        query=query,
    )


async def delete_choice(tx: Tx, user_id: str, name: str) -> int:
    """Let a list open as usual again."""
    return await tx.execute(
        "delete from list_choices where user_id = %(user_id)s and list = %(name)s", user_id=user_id, name=name
    )
