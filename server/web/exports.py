"""Lists as files to take away: CSV and JSON, sent handful by handful so that no list is too long."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import orjson
from aiohttp import web

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")

#: A row by the names of its columns.
Row = Mapping[str, object]


async def send_csv(
    request: web.Request, name: str, columns: Sequence[str], handfuls: AsyncIterator[Sequence[Row]]
) -> web.StreamResponse:
    """Send rows as a table named ``name``.csv with these columns."""
    answer = await _begin(request, "text/csv; charset=utf-8", f"{name}.csv")
    await answer.write(csv_lines([columns]))
    async for rows in handfuls:
        await answer.write(csv_lines([[row[column] for column in columns] for row in rows]))
    await answer.write_eof()
    return answer


async def send_json(request: web.Request, name: str, handfuls: AsyncIterator[Sequence[Row]]) -> web.StreamResponse:
    """Send rows as one JSON list in ``name``.json."""
    answer = await _begin(request, "application/json", f"{name}.json")
    between = b"[\n"
    async for rows in handfuls:
        lines = [orjson.dumps(dict(row), option=orjson.OPT_UTC_Z) for row in rows]
        if lines:
            await answer.write(between + b",\n".join(lines))
            between = b",\n"
    await answer.write(b"\n]\n" if between != b"[\n" else b"[]\n")
    await answer.write_eof()
    return answer


def csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows as lines of a table; what a spreadsheet would run as a formula is quoted away."""
    out = io.StringIO()
    csv.writer(out).writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue().encode()


def _cell(value: object) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULAS) else text


async def _begin(request: web.Request, kind: str, name: str) -> web.StreamResponse:
    answer = web.StreamResponse(
        headers={
            "Content-Type": kind,
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
    )
    await answer.prepare(request)
    return answer
