"""The description of the API: complete, readable by others' tools, shown to who is signed in."""

import re
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from server.core.call import Call
from server.web.forms import query_number, read_json
from server.web.handler_code import Number, documented, taken_by
from server.web.openapi import document
from server.web.problems import json_answer
from server.web.routing import Gate, gate_of
from tests.conftest import ROOT, Browser
from tests.factories.people import HTML, person

LINKS = re.compile(r"#/components/schemas/(\w+)")


class Order(BaseModel):
    """A body."""

    name: str


def ours(app: web.Application) -> Iterator[tuple[str, str, Gate]]:
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        gate = gate_of(route.handler)
        if path.startswith("/api/") and route.method != "HEAD" and gate is not None:
            yield route.method.lower(), path, gate


async def test_every_route_is_described_with_its_gate_and_nothing_else_is(server: TestServer) -> None:
    described = document(server.app)["paths"]
    walked = 0
    for method, path, gate in ours(server.app):
        operations = described[path].values() if method == "*" else [described[path][method]]
        for operation in operations:
            walked += 1
            if method == "*" and operation["x-gate"]["kind"] != gate.kind:
                continue
            assert operation["x-gate"]["kind"] == gate.kind, path
            assert operation["x-gate"]["permissions"] == list(gate.permissions), path
            assert operation["summary"], path
            in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert in_path == re.findall(r"\{([^}:]+)", path), path
            assert operation["security"] or gate.kind == "open", path
            assert ("429" in operation["responses"]) == bool(gate.limits), path
    assert walked > 80
    known = {(method, path) for method, path, _ in ours(server.app)}
    assert [
        f"{method} {path}"
        for path, operations in described.items()
        for method in operations
        if not {(method, path), ("*", path)} & known
    ] == []


async def test_names_are_unique_and_references_lead_somewhere(client: Browser) -> None:
    answer = await client.get("/api/v1/openapi.json")
    text, found = await answer.text(), await answer.json()
    assert (answer.status, found["openapi"]) == (200, "3.1.0")
    names = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    assert set(LINKS.findall(text)) <= set(found["components"]["schemas"])
    assert str(ROOT) not in text


async def test_bodies_and_queries_are_read_from_the_code(client: Browser) -> None:
    paths = (await (await client.get("/api/v1/openapi.json")).json())["paths"]
    launch = paths["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert launch == {"$ref": "#/components/schemas/LaunchBody"}
    assert paths["/api/v1/jobs/{job}/stop"]["post"]["requestBody"]["required"] is False
    listed = {one["name"]: one["schema"] for one in paths["/api/v1/jobs"]["get"]["parameters"]}
    assert listed["limit"] == {"type": "integer", "default": 50, "minimum": 1, "maximum": 500}
    assert {"page", "playbook", "q", "only"} <= listed.keys()
    assert next(iter(paths["/api/v1/jobs"]["post"]["responses"])) == "201"
    stream = paths["/api/v1/jobs/{job}/stream"]["get"]["responses"]["200"]
    assert list(stream["content"]) == ["text/event-stream"]


@pytest.mark.proves("INTG-DOC-03")
async def test_everything_sent_and_answered_has_a_schema(server: TestServer) -> None:
    described = document(server.app)
    routes = {path for _, path, _ in ours(server.app)}
    without = [
        f"{method} {path} {what}"
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        for what, part in [("body", operation.get("requestBody", {})), *operation["responses"].items()]
        for content in part.get("content", {}).values()
        if not content["schema"]
    ]
    assert without == []
    # Those of the server itself, and those that scoped tokens open.
    assert set(described["paths"]) == routes
    assert sum(path.startswith("/api/v1/api/") for path in routes) > 20


async def test_what_is_answered_is_described_as_it_is(client: Browser) -> None:
    document_ = await (await client.get("/api/v1/openapi.json")).json()
    answers = document_["paths"]["/api/v1/hosts"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    one = answers["items"]["properties"]
    assert one["id"] == {"type": "string", "format": "uuid"}
    assert one["last_update"] == {"type": ["null", "string"], "format": "date-time"}
    assert set(answers["items"]["required"]) <= set(one)
    sent = document_["paths"]["/api/v1/hosts/update"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sent == {"$ref": "#/components/schemas/WholeReport"}
    package = document_["components"]["schemas"]["ReportedPackage"]["properties"]
    assert package["needsUpdate"] == {"type": "boolean", "default": False}


def test_a_handler_that_reads_a_body_without_a_model_says_what_kind() -> None:
    async def step(request: web.Request) -> Order:
        return await read_json(request, Order)

    @documented(query=("since",), answers={202: "application/json"})
    async def handler(request: web.Request) -> web.Response:
        order = await read_json(request, Order) if request.can_read_body else await step(request)
        kind = [request.query.get(name) for name in ("kind", "colour")]
        return json_answer({"name": order.name, "kind": kind, "page": query_number(request, "page", 3)}, 201)

    taken = taken_by(handler)
    assert (taken.body, taken.body_kind, taken.body_optional) == (Order, "application/json", True)
    assert taken.query == {"kind": None, "colour": None, "page": Number(3), "since": None}
    assert taken.answers == {202: "application/json"}


def test_an_answer_that_is_one_of_two_is_described_as_both() -> None:
    async def handler(request: web.Request) -> web.Response:
        return json_answer({}, 201 if request.query.get("new") else 200)

    assert taken_by(handler).answers == {200: "application/json", 201: "application/json"}


@pytest.mark.proves("OPS-04", "LOGIN-10")
async def test_the_page_is_for_who_is_signed_in(as_admin: Browser, client: Browser, call: Call) -> None:
    await person(call, "superadmin")
    led = await as_admin.get("/api/v1/api-docs", headers=HTML, allow_redirects=False)
    assert (led.status, led.headers["Location"]) == (301, "/api/v1/api-docs/")
    page = await as_admin.get("/api/v1/api-docs", headers=HTML)
    assert page.status == 200
    assert 'data-source="/api/v1/openapi.json"' in await page.text()
    for script in re.findall(r'<script[^>]* src="([^"]+)"', await page.text()):
        assert script.startswith("/static/"), script
        assert (await as_admin.get(script)).status == 200, script
    nobody = await client.get("/api/v1/api-docs/", headers=HTML, allow_redirects=False)
    assert (nobody.status, nobody.headers["Location"]) == (303, "/login?next=/api/v1/api-docs/")
    program = await client.get("/api/v1/api-docs/", headers={"Accept": "application/json"})
    assert (program.status, await program.json(content_type=None)) == (401, {"error": "Unauthorized"})
