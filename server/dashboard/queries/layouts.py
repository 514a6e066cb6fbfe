"""How each person arranged the overview."""

from collections.abc import Sequence

from server.core.db import Database, Tx, as_json
from server.dashboard.models import Columns, Placed


async def list_cards(db: Database | Tx, user_id: str) -> list[Placed]:
    """Return the cards as this person placed them; none when nothing was ever moved."""
    return await db.all(
        """
        select card, enabled, position, span
          from dashboard_cards
         where user_id = %(user_id)s
         order by position, card
        """,
        Placed,
        user_id=user_id,
    )


async def lock_person(tx: Tx, user_id: str) -> bool:
    """Let one change of a person's overview at a time through; tell whether the person is there."""
    return await tx.value("select true from users where id = %(user_id)s for no key update", user_id=user_id) is True


async def write_cards(tx: Tx, user_id: str, cards: Sequence[Placed]) -> None:
    """Place these cards; others stay where they are."""
    await tx.execute(
        """
        insert into dashboard_cards (user_id, card, enabled, position, span)
        select %(user_id)s, c.card, c.enabled, c.position, c.span
          from jsonb_to_recordset(%(cards)s::jsonb) as c(card text, enabled boolean, position smallint, span smallint)
            on conflict (user_id, card) do update
           set enabled = excluded.enabled, position = excluded.position, span = excluded.span
        """,
        user_id=user_id,
        cards=as_json(
            [{"card": one.card, "enabled": one.enabled, "position": one.position, "span": one.span} for one in cards]
        ),
    )


async def delete_cards(tx: Tx, user_id: str) -> None:
    """Forget how this person placed the cards."""
    await tx.execute("delete from dashboard_cards where user_id = %(user_id)s", user_id=user_id)


async def delete_columns(tx: Tx, user_id: str) -> None:
    """Forget how many columns this person wanted."""
    await tx.execute("delete from dashboard_layouts where user_id = %(user_id)s", user_id=user_id)


async def find_columns(db: Database | Tx, user_id: str) -> Columns | None:
    """Return how many columns this person chose."""
    return await db.one(
        "select stats_columns as stats, charts_columns as charts from dashboard_layouts where user_id = %(user_id)s",
        Columns,
        user_id=user_id,
    )


async def write_columns(tx: Tx, user_id: str, columns: Columns) -> None:
    """Keep how many columns this person wants."""
    await tx.execute(
        """
        insert into dashboard_layouts (user_id, stats_columns, charts_columns)
        values (%(user_id)s, %(stats)s, %(charts)s)
            on conflict (user_id) do update
           set stats_columns = excluded.stats_columns, charts_columns = excluded.charts_columns
        """,
        user_id=user_id,
        stats=columns.stats,
        charts=columns.charts,
    )
