"""What the API answers, as JSON Schema by ``METHOD path status``; gathered from real answers by tools/shapes.py.

Every test that asks the API holds what it gets against these shapes, so that the description stays true.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

Shape = dict[str, Any]

_FILE: Final = Path(__file__).with_name("answers.json")
_ITSELF: Final = "GET /api/v1/openapi.json 200"
_OPENAPI: Final[Shape] = {
    "type": "object",
    "externalDocs": {"url": "https://spec.openapis.org/oas/v3.1.0.html"},
    "properties": {"openapi": {"type": "string"}, "paths": {"type": "object"}},
}
_NOTHING: Final[Shape] = {"type": "null"}


@cache
def shapes() -> dict[str, Shape]:
    """Return the schema of every answer."""
    return {name: _open(shape) for name, shape in orjson.loads(_FILE.read_bytes()).items()}


def shape(name: str) -> Shape:
    """Return the schema of one answer, empty when it is not known; a slash at the end makes no other."""
    if name == _ITSELF:
        return _OPENAPI
    return shapes().get(name) or shapes().get(name.replace("/ ", " "), {})


def _open(shape: Shape) -> Shape:
    """Return the schema without what only says that nothing was seen yet where something else may stand."""
    if shape == _NOTHING:
        return {}
    said = dict(shape)
    for inner in ("items", "additionalProperties"):
        if isinstance(shape.get(inner), dict):
            said[inner] = _open(shape[inner])
    if "properties" in shape:
        said["properties"] = {name: _open(one) for name, one in shape["properties"].items()}
    return said
