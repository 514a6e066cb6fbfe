"""The OpenAPI document: every route below /api/ with its gate, parameters, body, answers and refusals."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import orjson
from aiohttp import hdrs, web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server import __version__
from server.core.loop import in_thread
from server.web import answers
from server.web.handler_code import BodyShape, Number, Taken, taken_by
from server.web.routing import Gate, Handler, gate_of

Json = dict[str, Any]

_API: Final = "/api/"
_WORDS: Final = {
    200: "Done",
    201: "Made",
    202: "Taken on",
    204: "Done, nothing to say",
    301: "Elsewhere",
    303: "Elsewhere",
    400: "What was sent is wrong; `complaints` says what, field by field",
    401: "Nobody is signed in, or the credentials are wrong",
    403: "Not allowed: a permission is missing, the host name is not one of ours, or a form is forged",
    404: "There is no such thing, or the asker must not see it",
    405: "This door does not take this method",
    409: "The state of the thing does not allow this",
    413: "More bytes than this door takes",
    429: "Asked too often; `Retry-After` says when to come back",
    500: "A mistake of the server",
    503: "Something the server needs is down; `Retry-After` says when to come back",
    504: "It took too long",
}
_ERROR: Final[Json] = {
    "type": "object",
    "description": "A refusal. `error` (or `message`, when asked too often) is a sentence, `code` a stable key.",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "code": {"type": "string"},
        "complaints": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_LINK: Final = "#/components/schemas/"
_JSON: Final = "application/json"
_REFUSED: Final = 400
_TEXTS: Final = ("text/", "application/yaml")
_TEXT: Final[Json] = {"type": "string"}
_BYTES: Final[Json] = {"type": "string", "format": "binary"}
_RETRY: Final[Json] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
_SCHEMES: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A sign-in's `token` or a personal API token"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "token", "description": "A browser's session"},
    "agentId": {"type": "apiKey", "in": "header", "name": "X-API-ID", "description": "A host's API id"},
    "agentKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY", "description": "A host's API key"},
}
_SECURITY: Final[dict[str, list[Json]]] = {
    "permission": [{"bearer": []}, {"cookie": []}],
    "signed_in": [{"bearer": []}, {"cookie": []}],
    "agent": [{"agentId": [], "agentKey": []}],
    "open": [],
}
#: What "any method" stands for in a document that has to name each.
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_TAGS: Final = {
    "auth": "Signing in and accounts",
    "me": "Signing in and accounts",
    "tfa": "Signing in and accounts",
    "permissions": "Roles",
    "host-groups": "Hosts",
    "ws": "Hosts",
    "agents": "Agents",
    "agent": "Agents",
    "api": "Scoped API",
    "gethomepage": "Scoped API",
    "openapi.json": "This description",
    "api-docs": "This description",
}


class Description:
    """The document as bytes, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: bytes = b""
        self._making = asyncio.Lock()

    async def read(self, app: web.Application) -> bytes:
        """Return the document as JSON."""
        async with self._making:
            if not self._made:
                # Reading the handlers' code takes a while, so the loop does not wait for it.
                self._made = await in_thread(lambda: orjson.dumps(document(app)))
        return self._made


DESCRIPTION: Final = web.AppKey("description", Description)


def document(app: web.Application) -> Json:
    """Return the OpenAPI 3.1 document of this application."""
    routes = list(described(app))
    taken = {handler: taken_by(handler) for _, _, handler in routes}
    references, schemas = _schemas(list(taken.values()))
    paths: dict[str, Json] = {}
    for method, path, handler in routes:
        paths.setdefault(path, {})[method] = _operation(method, path, handler, taken[handler], references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PatchMon",
            "version": __version__,
            "description": "What a fleet has installed, and Ansible playbooks run on it.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**schemas, "Error": _ERROR}, "securitySchemes": _SCHEMES},
    }


def described(app: web.Application) -> Iterator[tuple[str, str, Handler]]:
    """Return method (in small letters), path and handler of every route the document has to show."""
    routes = [route for route in app.router.routes() if route.resource is not None]
    ours = [(route.method, route.resource.canonical, route.handler) for route in routes if route.resource]
    named = {(method.lower(), path) for method, path, _ in ours}
    for method, path, handler in ours:
        if not path.startswith(_API) or method == hdrs.METH_HEAD:
            continue
        if method != hdrs.METH_ANY:
            yield method.lower(), path, handler
            continue
        yield from ((one, path, handler) for one in _METHODS if (one, path) not in named)


def _schemas(all_taken: list[Taken]) -> tuple[dict[type, Json], Json]:
    """Return a reference to the schema of each model of a body, and the schemas by name."""
    models = sorted({taken.body for taken in all_taken if isinstance(taken.body, type)}, key=lambda one: one.__name__)
    ours = [model for model in models if issubclass(model, BaseModel)]
    agents = [model for model in models if issubclass(model, msgspec.Struct)]
    found, definitions = models_json_schema([(model, "validation") for model in ours], ref_template=_LINK + "{model}")
    references, components = msgspec.json.schema_components(agents, ref_template=_LINK + "{name}")
    return (
        {**{model: found[model, "validation"] for model in ours}, **dict(zip(agents, references, strict=True))},
        {**definitions.get("$defs", {}), **components},
    )


def _operation(method: str, path: str, handler: Handler, taken: Taken, references: dict[type, Json]) -> Json:
    gate = gate_of(handler) or Gate("open")
    summary, _, more = (handler.__doc__ or "").strip().partition("\n")
    names = re.findall(r"\{([^}]+)\}", path)
    operation: Json = {
        "operationId": _identifier(method, path),
        "tags": [_tag(path)],
        "summary": summary.rstrip("."),
        "description": "\n\n".join(filter(None, (" ".join(more.split()), _who(gate)))),
        "security": _SECURITY[gate.kind],
        "parameters": [_in_path(name) for name in names] + [_in_query(*one) for one in taken.query.items()],
        "responses": _responses(method, path, gate, taken, has_names=bool(names)),
        "x-gate": {"kind": gate.kind, "permissions": list(gate.permissions), "limits": list(gate.limits)},
    }
    if gate.module:
        operation["x-gate"]["module"] = gate.module
    if taken.body_kind and method in {"post", "put", "patch", "delete"}:
        operation["requestBody"] = _body(taken, references)
    return operation


def _identifier(method: str, path: str) -> str:
    words = re.sub(r"\{([^}]+)\}", r"by_\1", path.removeprefix("/api/v1/")) + ("page" if path.endswith("/") else "")
    return f"{method}_{re.sub(r'[^a-z0-9]+', '_', words.lower()).strip('_')}"


def _tag(path: str) -> str:
    name = path.removeprefix("/api/v1/").partition("/")[0]
    return _TAGS.get(name, name.replace("-", " ").capitalize())


def _who(gate: Gate) -> str:
    if gate.kind == "permission":
        return f"Needs {' or '.join(f'`{permission}`' for permission in gate.permissions)}."
    if gate.kind == "open":
        return f"Open to everyone: {gate.reason}." if gate.reason else ""
    return "Needs a host's credentials." if gate.kind == "agent" else "Needs somebody who is signed in."


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(name: str, number: Number | None) -> Json:
    schema: Json = {"type": "string"}
    if number is not None:
        schema = {"type": "integer", "default": number.default, "minimum": number.least, "maximum": number.most}
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _body(taken: Taken, references: dict[type, Json]) -> Json:
    return {
        "required": not taken.body_optional,
        "content": {taken.body_kind: {"schema": _sent(taken.body, references)}},
    }


def _sent(body: BodyShape | None, references: dict[type, Json]) -> Json:
    if body is None:
        return _BYTES
    return references[body] if isinstance(body, type) else dict(body)


def _responses(method: str, path: str, gate: Gate, taken: Taken, *, has_names: bool) -> Json:
    # An open door may ask for credentials of its own.
    statuses = {400, 401, 403, 500, 503, 504}
    statuses |= {429} if gate.limits else set()
    # A query may name a thing as well as a path does.
    statuses |= {404} if has_names or taken.query or gate.kind == "agent" else set()
    statuses |= {413} if taken.body_kind else set()
    statuses |= {404, 409} if method != "get" else set()
    refused = {status: _refusal(status) for status in statuses}
    done = {status: _answer(f"{method.upper()} {path} {status}", kind) for status, kind in taken.answers.items()}
    return {str(status): answer for status, answer in sorted({**refused, **done}.items())}


def _refusal(status: int) -> Json:
    content: Json = {"application/json": {"schema": _reference("Error")}}
    if status == 401:  # noqa: PLR2004 (the doorkeeper says JSON in plain text, as clients have always known it)
        content["text/plain"] = {"schema": {"type": "string"}}
    refusal: Json = {"description": _WORDS[status], "content": content}
    return {**refusal, "headers": _RETRY} if status in {429, 503} else refusal


def _answer(name: str, kind: str) -> Json:
    described_: Json = {"description": _WORDS.get(int(name.rpartition(" ")[2]), "Done")}
    if kind == _JSON and int(name.rpartition(" ")[2]) >= _REFUSED:
        described_["content"] = {kind: {"schema": _reference("Error")}}
    elif kind == _JSON:
        described_["content"] = {kind: {"schema": answers.shape(name)}}
    elif kind:
        described_["content"] = {kind: {"schema": _TEXT if kind.startswith(_TEXTS) else _BYTES}}
    return described_


def _reference(name: str) -> Json:
    return {"$ref": _LINK + name}
