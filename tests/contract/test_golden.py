"""Every row of the wire contract of existing agents, as golden requests and answers."""

import pytest

from tests.contract.conftest import exists
from tests.contract.golden import Row, Stage, rows

HTTP, SOCKET = rows("http"), rows("socket")


def _played(found: list[Row]) -> list[pytest.param]:  # type: ignore[valid-type]
    return [pytest.param(row, id=row.key) for row in found if row.steps]


@pytest.mark.proves("AGENT-API-03", "AGENT-API-07", "AGENT-DIFF-06")
@pytest.mark.parametrize("row", _played(HTTP))
async def test_http(stage: Stage, row: Row) -> None:
    await stage.play(row)


@pytest.mark.proves("AGENT-WS-10")
@pytest.mark.parametrize("row", _played(SOCKET))
async def test_socket(stage: Stage, row: Row) -> None:
    await stage.play(row)


def test_every_row_is_played_or_says_where_it_is_proved() -> None:
    for row in HTTP + SOCKET:
        said = [bool(row.steps), bool(row.by), bool(row.agent), bool(row.later)]
        assert sum(said) == 1, f"{row.key} says {sum(said)} ways"
        assert not row.by or exists(row.by), f"{row.key}: there is no {row.by}"
