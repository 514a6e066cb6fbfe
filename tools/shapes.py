"""Shapes of JSON values as JSON Schema: of one value, and of several that one place may hold.

The shapes of the API's answers are gathered while the tests run (``tests/answers.py``) and kept in
``server/web/answers.json``, from which the OpenAPI document takes them. After a change of answers::

    RECORD_ANSWERS=1 make test QUICK=1     # or only the tests that ask them: ARGS=tests/hosts
    .venv/bin/python -m tools.shapes       # adds what was seen; --anew forgets what was not
"""

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

Shape = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / "server" / "web" / "answers.json"
SEEN: Final = ROOT / "build" / "answers"
#: Objects whose keys are data and not names: the shape of their values counts, whatever the keys are called.
_KEY_IS_DATA: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|patchmon_[0-9a-f]+|\d[\d.:-]*|.*[/ ].*", re.IGNORECASE
)
#: The same, where the keys alone do not tell.
_MAPS: Final = frozenset(
    {"counters", "counts", "failures_by_severity", "names", "pending_config", "scopes", "severity_breakdown", "tags"}
)
#: What these hold is somebody else's: results of modules, variables of a play, labels of containers.
_FREE: Final = frozenset(
    {"detail", "env_preview", "hardware", "ipam", "labels", "metadata", "payload", "result", "variables"}
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
#: Objects with fewer names than this may have them in common by chance; of more, this part has to be the same.
_KIND_NAMES: Final = 5
_ALIKE: Final = 0.75
_ORDER: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


def shape_of(value: object, name: str = "") -> Shape:
    """Return the schema of one value as ``orjson.loads`` gives it; ``name`` is the key it stands under."""
    if isinstance(value, dict):
        return _object(value, name)
    if isinstance(value, list):
        return {"type": ["array"], "items": merged(shape_of(one, name) for one in value)}
    if isinstance(value, str):
        return {"type": ["string"], **_format(value)}
    if value is None:
        return {"type": ["null"]}
    kind = "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "number"
    return {"type": [kind]}


def _object(value: dict[str, object], name: str) -> Shape:
    if name in _FREE:
        return {"type": ["object"], "additionalProperties": True}
    if name in _MAPS or (value and all(map(_KEY_IS_DATA.fullmatch, value))):
        return {"type": ["object"], "additionalProperties": merged(map(shape_of, value.values()))}
    return {
        "type": ["object"],
        "properties": {key: shape_of(one, key) for key, one in value.items()},
        "required": sorted(value),
    }


def _format(text: str) -> Shape:
    if _UUID.fullmatch(text):
        return {"format": "uuid"}
    return {"format": "date-time"} if _TIME.fullmatch(text) else {}


def merged(shapes: Iterable[Shape]) -> Shape:
    """Return the schema that holds for all of them; of none, the one that holds for everything."""
    found: Shape = {}
    for shape in shapes:
        found = merge(found, shape) if found else shape
    return found


def merge(one: Shape, other: Shape) -> Shape:
    """Return the schema that holds for values of both."""
    if not one or not other:
        return one or other
    kinds = {*one["type"], *other["type"]}
    if "number" in kinds:
        kinds.discard("integer")
    joined: Shape = {"type": sorted(kinds, key=_ORDER.index)}
    if "items" in one or "items" in other:
        joined["items"] = merge(one.get("items", {}), other.get("items", {}))
    texts = [shape.get("format") for shape in (one, other) if "string" in shape["type"]]
    if texts and texts[0] and len(set(texts)) == 1:
        joined["format"] = texts[0]
    return {**joined, **_joined_objects([shape for shape in (one, other) if "object" in shape["type"]])}


def _joined_objects(shapes: list[Shape]) -> Shape:
    if not shapes:
        return {}
    if any("additionalProperties" in shape for shape in shapes):
        return {"additionalProperties": _any_key(shapes)}
    properties: dict[str, Shape] = {}
    for shape in shapes:
        for key, inner in shape["properties"].items():
            properties[key] = merge(properties[key], inner) if key in properties else inner
    required = set.intersection(*(set(shape["required"]) for shape in shapes))
    return {"properties": properties, "required": sorted(required)}


def _any_key(shapes: list[Shape]) -> Shape | bool:
    found: list[Shape] = []
    for shape in shapes:
        inner = shape.get("additionalProperties", {})
        if inner is True:
            return True
        found += [inner, *shape.get("properties", {}).values()]
    return merged(found)


def filled(shapes: dict[str, Shape]) -> dict[str, Shape]:
    """Return them with what is known of a thing in one answer said in the others that hold the same kind of thing.

    Two objects are of one kind when they have most of their names in common. Only where nothing was seen yet (null, or
    a list without anything in it) something is added.
    """
    kinds: list[tuple[set[str], dict[str, Shape]]] = []
    for shape in shapes.values():
        for one in _objects(shape):
            _note_kind(kinds, one)
    return {key: _filled(shape, kinds) for key, shape in shapes.items()}


def _objects(shape: Shape) -> Iterator[Shape]:
    if len(shape.get("properties", {})) >= _KIND_NAMES:
        yield shape
    inner = [*shape.get("properties", {}).values(), shape.get("items"), shape.get("additionalProperties")]
    for one in inner:
        if isinstance(one, dict):
            yield from _objects(one)


def _note_kind(kinds: list[tuple[set[str], dict[str, Shape]]], one: Shape) -> None:
    names = set(one["properties"])
    kind = _kind_of(kinds, names)
    if kind is None:
        kind = (set(), {})
        kinds.append(kind)
    kind[0].update(names)
    for name, inner in one["properties"].items():
        kind[1][name] = merge(kind[1].get(name, {}), inner)


def _kind_of(
    kinds: list[tuple[set[str], dict[str, Shape]]], names: set[str]
) -> tuple[set[str], dict[str, Shape]] | None:
    return max(
        (kind for kind in kinds if len(names & kind[0]) >= _ALIKE * len(names | kind[0])),
        key=lambda kind: len(names & kind[0]),
        default=None,
    )


def _filled(shape: Shape, kinds: list[tuple[set[str], dict[str, Shape]]]) -> Shape:
    said = dict(shape)
    for inner in ("items", "additionalProperties"):
        if isinstance(shape.get(inner), dict):
            said[inner] = _filled(shape[inner], kinds)
    if "properties" in shape:
        kind = _kind_of(kinds, set(shape["properties"])) if len(shape["properties"]) >= _KIND_NAMES else None
        known = kind[1] if kind else {}
        said["properties"] = {
            name: _more(one, known.get(name, {})) or _filled(one, kinds) for name, one in shape["properties"].items()
        }
    return said


def _more(shape: Shape, known: Shape) -> Shape:
    """Return a schema that says nothing together with what is known; nothing when there is nothing to add."""
    if known and shape["type"] == ["null"]:
        return merge(shape, known)
    if shape["type"] == ["array"] and not shape["items"] and known.get("items"):
        return {**shape, "items": known["items"]}
    return {}


def plain(shape: Shape) -> Shape:
    """Return the schema as it is read best: one type as a word, keys in order, nothing that says nothing."""
    kinds = shape.get("type", [])
    said: Shape = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    if "format" in shape:
        said["format"] = shape["format"]
    if "items" in shape:
        said["items"] = plain(shape["items"])
    if "additionalProperties" in shape:
        inner = shape["additionalProperties"]
        said["additionalProperties"] = inner if inner is True else plain(inner)
    if shape.get("properties"):
        said["properties"] = {key: plain(inner) for key, inner in sorted(shape["properties"].items())}
    if shape.get("required"):
        said["required"] = shape["required"]
    return said


def whole(said: Shape) -> Shape:
    """Return the schema as it is merged: what ``plain`` left out is there again."""
    if not said:
        return {}
    kinds = said["type"]
    shape: Shape = {**said, "type": [kinds] if isinstance(kinds, str) else kinds}
    if "array" in shape["type"]:
        shape["items"] = whole(said.get("items", {}))
    if isinstance(inner := said.get("additionalProperties"), dict):
        shape["additionalProperties"] = whole(inner)
    elif "object" in shape["type"] and inner is None:
        shape["properties"] = {key: whole(one) for key, one in said.get("properties", {}).items()}
        shape["required"] = said.get("required", [])
    return shape


def kept() -> dict[str, Shape]:
    """Return the schema of every answer that was seen, by ``METHOD path status``."""
    return dict(orjson.loads(KEPT.read_bytes())) if KEPT.exists() else {}


def _text(shapes: dict[str, Shape]) -> bytes:
    """Return a line for each answer: a change of one is read as one."""
    lines = (orjson.dumps(key) + b": " + orjson.dumps(shape) for key, shape in shapes.items())
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def main() -> None:
    """Add what the last recording saw to what is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anew", action="store_true", help="forget answers that the recording did not see")
    asked = parser.parse_args()
    known = {} if asked.anew else {key: whole(said) for key, said in kept().items()}
    files = sorted(SEEN.glob("*.json"))
    for file in files:
        for key, shape in orjson.loads(file.read_bytes()).items():
            known[key] = merge(known.get(key, {}), shape)
    KEPT.write_bytes(_text({key: plain(shape) for key, shape in sorted(filled(known).items())}))
    print(f"{len(known)} answers from {len(files)} recordings in {KEPT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
