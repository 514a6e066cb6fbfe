"""Guides over HTTP: handed out piece by piece, and taken in as they arrive."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import BodyPartReader, web

from server.compliance import guides, uploading
from server.compliance.errors import BadGuide
from server.compliance.guides import Guide
from server.web.forms import BadBody
from server.web.routing import call

_PART_BYTES: Final = 256 * 1024


async def out(request: web.Request, guide: Guide, *, save_as: str = "") -> web.StreamResponse:
    """Answer a guide; ``save_as`` has browsers save it under that name."""
    headers = {"Content-Type": "application/xml", "X-Content-Type-Options": "nosniff"}
    if save_as:
        headers["Content-Disposition"] = f'attachment; filename="{save_as}"'
    if guide.path is not None:
        return web.FileResponse(guide.path, headers=headers)
    answer = web.StreamResponse(
        headers={**headers, "Content-Length": str(guide.size_bytes), "ETag": f'"{guide.sha256}"'}
    )
    await answer.prepare(request)
    async for piece in guides.pieces(call(request), guide):
        await answer.write(piece)
    await answer.write_eof()
    return answer


async def taken(request: web.Request) -> Guide:
    """Take the file of a request."""
    name, systems = request.query.get("name", ""), [one for one in request.query.getall("system", []) if one]
    parts: AsyncIterator[bytes] = request.content.iter_chunked(_PART_BYTES)
    if request.content_type == "multipart/form-data":
        field = await _field(request)
        name, parts = field.filename or name, _parts(field)
    try:
        async with uploading.received(parts) as path:
            return await uploading.take(call(request), path, name, systems)
    except (web.RequestPayloadError, ValueError) as error:
        # It says that it is packed, or in pieces, and is not.
        raise BadBody from error


async def _field(request: web.Request) -> BodyPartReader:
    try:
        reader = await request.multipart()
        while (field := await reader.next()) is not None:
            if isinstance(field, BodyPartReader) and field.name == "file":
                return field
    except (ValueError, AssertionError, web.RequestPayloadError) as error:
        raise BadBody from error
    raise BadGuide(reason="Send the file as the body, or as the field file of a form")


async def _parts(field: BodyPartReader) -> AsyncIterator[bytes]:
    while part := await field.read_chunk(_PART_BYTES):
        yield part
