"""How each person arranges the overview: which cards, in which order, how wide."""

from collections.abc import Sequence

from server.core.call import Call
from server.dashboard import rules
from server.dashboard.cards import BY_ID, CARDS, CHARTS, COLUMNS, STATS
from server.dashboard.errors import BadLayout, PeopleOnly
from server.dashboard.models import Card, Columns, Layout, Placed
from server.dashboard.queries import layouts as rows
from server.settings import service as settings


async def mine(call: Call) -> Layout:
    """Return how the asker arranged the overview, with the cards they may have."""
    columns = await my_columns(call)
    placed = await rows.list_cards(call.db, call.actor.id) if _is_somebody(call) else []
    return rules.layout(_there_for(call), placed, columns)


def usual(call: Call) -> Layout:
    """Return the overview of those who never arranged anything."""
    return rules.layout(_there_for(call), [], COLUMNS)


async def my_columns(call: Call) -> Columns:
    """Return in how many columns the asker wants the cards."""
    found = await rows.find_columns(call.db, call.actor.id) if _is_somebody(call) else None
    return found or COLUMNS


async def arrange(call: Call, cards: Sequence[Placed]) -> None:
    """Place these cards; others stay where they are. Raises ``BadLayout`` with every complaint."""
    complaints = {one.card: found for one in cards if (found := _complaint(one))}
    if len({one.card for one in cards}) < len(cards):
        complaints[""] = "A card stands there twice"
    if complaints:
        raise BadLayout(complaints)
    _refuse_programs(call)
    async with call.transaction() as tx:
        if await rows.lock_person(tx, call.actor.id):
            await rows.write_cards(tx, call.actor.id, cards)


async def choose_columns(call: Call, columns: Columns) -> None:
    """Keep in how many columns the asker wants the cards. Raises ``BadLayout``."""
    complaints = {}
    if columns.stats not in STATS:
        complaints["stats_columns"] = f"must be from {STATS[0]} to {STATS[-1]}"
    if columns.charts not in CHARTS:
        complaints["charts_columns"] = f"must be from {CHARTS[0]} to {CHARTS[-1]}"
    if complaints:
        raise BadLayout(complaints)
    _refuse_programs(call)
    async with call.transaction() as tx:
        if await rows.lock_person(tx, call.actor.id):
            await rows.write_columns(tx, call.actor.id, columns)


async def reset(call: Call) -> None:
    """Forget how the asker arranged the overview."""
    _refuse_programs(call)
    async with call.transaction() as tx:
        if await rows.lock_person(tx, call.actor.id):
            await rows.delete_cards(tx, call.actor.id)
            await rows.delete_columns(tx, call.actor.id)


def _complaint(placed: Placed) -> str:
    if placed.card not in BY_ID:
        return "is no card"
    if placed.span not in CHARTS:
        return f"must be from {CHARTS[0]} to {CHARTS[-1]} columns wide"
    return "" if 0 <= placed.position < rules.MOST_CARDS else "stands nowhere"


def _there_for(call: Call) -> list[Card]:
    off = settings.modules_off(call.world)
    return [card for card in CARDS if _may(call, card.permission) and card.module not in off]


def _may(call: Call, permission: str) -> bool:
    return not permission or call.actor.may(permission)


def _is_somebody(call: Call) -> bool:
    return call.actor.kind in {"person", "token"}


def _refuse_programs(call: Call) -> None:
    if not _is_somebody(call):
        raise PeopleOnly
