"""Statements that a connection plans once."""

import asyncio

import pytest

from server.core.call import World
from server.core.db import DatabaseError
from server.core.prepared import Prepared

SUM = Prepared("select %(a)s + %(b)s + %(a)s as sum, '100%%' as text", a="integer", b="integer")
_OPEN = "select count(*) from pg_prepared_statements where name like 'pm_%%'"


async def test_it_is_used_like_any_other_and_planned_once_for_each_connection(world: World) -> None:
    assert await world.db.one(SUM, a=1, b=2) == {"sum": 4, "text": "100%"}
    assert await world.db.value(SUM, a=10, b=None) is None
    async with world.db.transaction() as tx:
        for number in range(12):
            assert await tx.value(SUM, a=number, b=1) == 2 * number + 1
        assert await tx.value(_OPEN) == 1
    found = await asyncio.gather(*(world.db.value(SUM, a=number, b=0) for number in range(40)))
    assert found == [2 * number for number in range(40)]


async def test_what_failed_or_was_rolled_back_leaves_it_usable(world: World) -> None:
    with pytest.raises(DatabaseError):
        await world.db.value(SUM, a="no number", b=1)

    async def fails() -> None:
        async with world.db.transaction() as tx:
            assert await tx.value(SUM, a=1, b=1) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    for _ in range(3):
        assert await world.db.value(SUM, a=1, b=1) == 3


async def test_a_value_stays_a_value(world: World) -> None:
    echo = Prepared("select %(text)s", text="text")
    odd = "'); drop table users; -- $1 %(text)s %s \\ 100%"
    assert await world.db.value(echo, text=odd) == odd


def test_every_parameter_has_a_type() -> None:
    with pytest.raises(ValueError, match="types of"):
        Prepared("select %(a)s", b="text")
