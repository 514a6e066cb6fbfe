"""Makes text smaller on its way out, for those who can read that."""

import mimetypes
from typing import Final

from aiohttp import hdrs, web
from isal import igzip

from server.core.loop import in_thread

_LEAST_BYTES: Final = 1024
_KINDS: Final = frozenset(
    {"application/json", "application/javascript", "application/xml", "application/manifest+json", "image/svg+xml"}
)


def compress(request: web.Request, response: web.StreamResponse) -> None:
    """Switch compression on where it pays, before the answer leaves.

    Forms carry another spelling of their token in every answer, so the size of a page tells nothing about it.
    """
    if not response.prepared and _is_worth_it(request, response):
        vary(response, hdrs.ACCEPT_ENCODING)
        if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
            response.enable_compression(web.ContentCoding.gzip)


async def packed(request: web.Request, body: bytes, kind: str) -> web.Response:
    """Return an answer of megabytes, made smaller beside the loop, and rather soon than as small as can be."""
    headers = {hdrs.CONTENT_TYPE: f"{kind}; charset=utf-8", hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) and len(body) >= _LEAST_BYTES:
        body = await in_thread(igzip.compress, body, 1)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=body, headers=headers)


def accepts_gzip(header: str) -> bool:
    """Tell whether the header takes gzip; ``gzip;q=0`` does not."""
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def wants_whole(request: web.Request) -> bool:
    """Tell whether a whole file is asked for.

    A part is counted as the file is; and who asks whether it changed gets an answer without a body, which must not
    become one of twenty packed bytes.
    """
    return not any(name in request.headers for name in (hdrs.RANGE, hdrs.IF_NONE_MATCH, hdrs.IF_MODIFIED_SINCE))


def vary(response: web.StreamResponse, name: str) -> None:
    """Tell caches that the answer depends on this header of the request as well."""
    known = [one.strip() for one in response.headers.get(hdrs.VARY, "").split(",") if one.strip()]
    if name not in known:
        response.headers[hdrs.VARY] = ", ".join([*known, name])


def _is_worth_it(request: web.Request, response: web.StreamResponse) -> bool:
    if hdrs.CONTENT_ENCODING in response.headers:
        return False
    if isinstance(response, web.FileResponse):
        # Its kind is found out later, by the name.
        return wants_whole(request) and _is_text(mimetypes.guess_type(request.path)[0] or "")
    # Streams are written piece by piece, and must arrive so.
    body = response.body if isinstance(response, web.Response) else None
    return isinstance(body, bytes) and len(body) >= _LEAST_BYTES and _is_text(response.content_type)


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind in _KINDS
