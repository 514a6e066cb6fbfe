"""Holds every answer of the API that a test sees against the OpenAPI document, or records its shape.

``RECORD_ANSWERS=1`` records into build/answers, a file per process; tools/shapes.py says what comes then.
"""

import gzip
import os
import uuid
from functools import cache
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_routedef import RouteDef
from jsonschema_rs import Draft202012Validator

from server.app import drawers
from server.web.answers import shapes
from server.web.openapi import described
from tools.shapes import SEEN, Shape, merge, shape_of

RECORDING: Final = bool(os.environ.get("RECORD_ANSWERS"))
#: Larger answers say nothing that small ones do not.
_MOST_BYTES: Final = 1 << 20
#: The description itself has the shape that OpenAPI gives it.
_OTHERS: Final = "/api/v1/openapi.json"
_JSON: Final = "application/json"
#: What packed bytes begin with. The header says it also where aiohttp packs the body later.
_GZIP: Final = b"\x1f\x8b"
_SEEN: Final[dict[str, Shape]] = {}


class Watch:
    """Looks at answers; ``complaints`` are sentences."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._described: set[tuple[str, str]] = set()

    def look_at(self, app: web.Application) -> None:
        """Hold what this application answers."""
        self._described = {(method, path) for method, path, _ in described(app)}
        app.on_response_prepare.append(self._look)

    async def _look(self, request: web.Request, answer: web.StreamResponse) -> None:
        resource = request.match_info.route.resource
        asked = (request.method.lower(), resource.canonical if resource else "")
        if asked not in self._described or asked[1] == _OTHERS or answer.status >= web.HTTPBadRequest.status_code:
            return
        if answer.content_type != _JSON:
            return
        key = f"{request.method} {asked[1]} {answer.status}"
        if isinstance(answer, web.Response):
            self._read(key, answer.body if isinstance(answer.body, bytes) else b"")
        else:
            self._follow(key, answer)

    def _follow(self, key: str, answer: web.StreamResponse) -> None:
        """Gather what is written piece by piece."""
        written, write, write_eof = bytearray(), answer.write, answer.write_eof

        async def wrote(data: bytes) -> None:
            written.extend(data)
            await write(data)

        async def ended(data: bytes = b"") -> None:
            await write_eof(data)
            self._read(key, bytes(written + data))

        answer.write, answer.write_eof = wrote, ended  # type: ignore[method-assign, assignment]

    def _read(self, key: str, body: bytes) -> None:
        if body.startswith(_GZIP):
            body = gzip.decompress(body)
        if 0 < len(body) <= _MOST_BYTES:
            self.hold(key, orjson.loads(body))

    def hold(self, key: str, value: object) -> None:
        """Hold an answer against its schema, or record its shape."""
        if RECORDING:
            _SEEN[key] = merge(_SEEN.get(key, {}), shape_of(value))
            return
        validator = _validators().get(key)
        if validator is None:
            self.complaints.append(f"{key}: the document does not know what is answered; see tools/shapes.py")
            return
        self.complaints += [
            f"{key}: {error.message} at /{'/'.join(map(str, error.instance_path))}; see tools/shapes.py"
            for error in validator.iter_errors(value)
        ]


async def looked(method: str, path: str, status: int, value: object) -> list[str]:
    """Look at an answer that came from a server process; return the complaints."""
    if value is None or status >= web.HTTPBadRequest.status_code:
        return []
    found = await _routes().resolve(make_mocked_request(method, path))
    resource = found.route.resource
    watch = Watch()
    watch.hold(f"{method} {resource.canonical if resource else path} {status}", value)
    return watch.complaints


@cache
def _routes() -> web.UrlDispatcher:
    routes = web.UrlDispatcher()
    for drawer in drawers():
        for route in getattr(drawer, "routes", ()):
            if isinstance(route, RouteDef):
                routes.add_route(route.method, route.path, route.handler)
    return routes


def write() -> None:
    """Write what this process saw."""
    if _SEEN:
        SEEN.mkdir(parents=True, exist_ok=True)
        (SEEN / f"{uuid.uuid4()}.json").write_bytes(orjson.dumps(_SEEN))


@cache
def _validators() -> dict[str, Draft202012Validator]:
    return {key: Draft202012Validator(_closed(said)) for key, said in shapes().items()}


def _closed(said: Shape) -> Shape:
    """Return the schema without room for what it does not name: a new key has to be described."""
    strict: dict[str, Any] = dict(said)
    if "items" in said:
        strict["items"] = _closed(said["items"])
    if isinstance(inner := said.get("additionalProperties"), dict):
        strict["additionalProperties"] = _closed(inner)
    if "properties" in said:
        strict["properties"] = {key: _closed(one) for key, one in said["properties"].items()}
        strict["additionalProperties"] = False
    return strict
