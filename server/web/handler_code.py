"""Reads from a handler's own code what it takes and answers, so that the description of the API cannot drift from it.

A handler says all of it by the functions it calls: ``read_json(request, Model)``, ``query_number(request, "page", 1)``,
``request.query.get("search")``, ``json_answer(…, 201)``. Steps it hands the request to are followed. What cannot be
seen there is added with ``documented``.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any, Final, TypeVar

import msgspec
from pydantic import BaseModel

from server.web import live
from server.web.routing import Handler

H = TypeVar("H", bound=Handler)
#: A model of pydantic or msgspec, or a JSON Schema where names are not known before the program runs.
BodyShape = type[BaseModel] | type[msgspec.Struct] | Mapping[str, Any]
_DOCUMENTED: Final = "__documented__"
_DEEPEST: Final = 3
_JSON: Final = "application/json"
#: Steps of the porch that look at the request for themselves and say nothing about the handler.
_OWN_BUSINESS: Final = ("server.web.", "server.identity.cookies", "server.core.")
_BODY_READERS: Final = {"read_json": _JSON, "read_form": "application/x-www-form-urlencoded"}
_RAW_READERS: Final = {"read_json_value": _JSON, "read_bytes": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number of the query and its limits."""

    default: int
    least: int = 1
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What a handler takes and answers.

    Attributes:
        body: what the body has to look like; ``None`` when there is none, or when it is no JSON.
        body_kind: media type of the body, empty when none is read.
        body_optional: whether the body may be left out.
        query: parameters of the query; ``None`` stands for text.
        answers: media type of the answer by status.
    """

    body: BodyShape | None = None
    body_kind: str = ""
    body_optional: bool = False
    query: Mapping[str, Number | None] = field(default_factory=dict)
    answers: Mapping[int, str] = field(default_factory=dict)


def documented(
    *,
    body: BodyShape | None = None,
    body_kind: str = "",
    query: tuple[str, ...] = (),
    answers: Mapping[int, str] | None = None,
) -> Callable[[H], H]:
    """Add to the description of a route what its code does not show; ``answers`` replaces what was read there."""

    def mark(handler: H) -> H:
        setattr(handler, _DOCUMENTED, (body, body_kind, query, answers))
        return handler

    return mark


def some_of(model: type, names: Iterable[str], **also: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of an object with any of these fields of a dataclass, and of more."""
    _, components = msgspec.json.schema_components([model], ref_template="{name}")
    fields = components[model.__name__]["properties"]
    return {"type": "object", "properties": {**{name: fields[name] for name in sorted(names)}, **also}}


def taken_by(handler: Handler) -> Taken:
    """Return what the handler takes and answers."""
    reader = _Reader()
    function = inspect.unwrap(handler)
    if isinstance(function, FunctionType):
        reader.read(function, deep=0)
    found = Taken(reader.body, reader.body_kind, reader.body_optional, reader.query, reader.answers or {200: _JSON})
    body, kind, query, answers = getattr(handler, _DOCUMENTED, (None, "", (), None))
    return replace(
        found,
        body=body or found.body,
        body_kind=kind or (_JSON if body else found.body_kind),
        query={**found.query, **dict.fromkeys(query)},
        answers=found.answers if answers is None else answers,
    )


class _Reader:
    """Collects from one function and the steps it hands the request to."""

    def __init__(self) -> None:
        self.body: BodyShape | None = None
        self.body_kind = ""
        self.body_optional = False
        self.query: dict[str, Number | None] = {}
        self.answers: dict[int, str] = {}

    def read(self, function: FunctionType, *, deep: int) -> None:
        scope = _Scope(function)
        for node in ast.walk(scope.tree):
            if isinstance(node, ast.Attribute) and node.attr == "can_read_body":
                self.body_optional = True
            elif isinstance(node, ast.Subscript) and _is_query(node.value):
                self._note_query(scope, node.slice)
            elif isinstance(node, ast.Call):
                self._note_call(scope, node, deep)

    def _note_call(self, scope: "_Scope", node: ast.Call, deep: int) -> None:
        name = _last_name(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and _is_query(node.func.value):
            self._note_query(scope, node.args[0])
        elif name == "query_number":
            self._note_number(scope, node)
        elif name in _BODY_READERS or name in _RAW_READERS or name == "parse":
            self._note_body(scope, node, name)
        elif name == "json_answer":
            self._note_answer(scope, node, _JSON, position=1)
        elif name in {"Response", "StreamResponse", "FileResponse"}:
            self._note_answer(scope, node, _media_type(scope, node), position=None)
        elif deep < _DEEPEST:
            self._follow(scope, node, deep)

    def _follow(self, scope: "_Scope", node: ast.Call, deep: int) -> None:
        step = scope.value(node.func)
        if step is live.last_seen:
            self.query.setdefault("after", None)
        elif step is live.sse:
            self.answers[200] = "text/event-stream"
        elif isinstance(step, FunctionType) and not step.__module__.startswith(_OWN_BUSINESS):
            hands_over = any(_last_name(argument) in {"request", "query"} for argument in node.args)
            if hands_over or step.__module__ == scope.module:
                self.read(step, deep=deep + 1)

    def _note_query(self, scope: "_Scope", node: ast.expr) -> None:
        for name in scope.texts(node):
            self.query.setdefault(name, None)

    def _note_number(self, scope: "_Scope", node: ast.Call) -> None:
        limits = {one.arg: scope.value(one.value) for one in node.keywords if one.arg in {"least", "most"}}
        name, default = scope.value(node.args[1]), scope.value(node.args[2])
        if isinstance(name, str) and isinstance(default, int):
            self.query[name] = Number(
                default, **{key: found for key, found in limits.items() if isinstance(found, int)}
            )

    def _note_body(self, scope: "_Scope", node: ast.Call, name: str) -> None:
        if name in _RAW_READERS:
            self.body_kind = self.body_kind or _RAW_READERS[name]
            return
        model = scope.value(node.args[0 if name == "parse" else 1])
        if isinstance(model, type) and issubclass(model, BaseModel):
            self.body, self.body_kind = model, _BODY_READERS.get(name, self.body_kind or _JSON)

    def _note_answer(self, scope: "_Scope", node: ast.Call, kind: str, position: int | None) -> None:
        given = next((one.value for one in node.keywords if one.arg == "status"), None)
        if given is None and position is not None and len(node.args) > position:
            given = node.args[position]
        either = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
        for status in (200 if one is None else scope.value(one) for one in either):
            if isinstance(status, int):
                self.answers.setdefault(status, kind)


class _Scope:
    """A function's code and what its names stand for."""

    def __init__(self, function: FunctionType) -> None:
        self.module = function.__module__
        self._names = function.__globals__
        self.tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        self._loops = {
            one.target.id: one.iter
            for one in ast.walk(self.tree)
            if isinstance(one, ast.comprehension | ast.For) and isinstance(one.target, ast.Name)
        }

    def value(self, node: ast.expr) -> Any:
        """Return what a constant, a name of the module or an attribute of one stands for; ``None`` for the rest."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            return getattr(self.value(node.value), node.attr, None)
        return None

    def texts(self, node: ast.expr) -> Iterator[str]:
        """Return the texts an expression may be: itself, or each element of the constant list it loops over."""
        if isinstance(node, ast.Name) and isinstance(loop := self._loops.get(node.id), ast.Tuple | ast.List | ast.Set):
            for element in loop.elts:
                yield from self.texts(element)
        elif isinstance(found := self.value(node), str):
            yield found


def _is_query(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "query") or (
        isinstance(node, ast.Name) and node.id == "query"
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _media_type(scope: _Scope, node: ast.Call) -> str:
    given = {one.arg: one.value for one in node.keywords}
    if "content_type" in given:
        return str(scope.value(given["content_type"]) or "")
    headers = given.get("headers")
    if isinstance(headers, ast.Dict):
        for name, value in zip(headers.keys, headers.values, strict=True):
            if name is not None and scope.value(name) == "Content-Type":
                return str(scope.value(value) or "*/*").partition(";")[0]
    return "text/plain" if "text" in given else "application/octet-stream" if "body" in given else ""
