"""Every route states who may pass, and the doorkeeper holds to it."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.app import UngatedRoutes, build
from server.core.call import Call, World
from server.core.env import Env
from server.core.loop import Keeper
from server.core.secretbox import Secret
from server.dashboard import api
from server.identity.doorkeeper import doorkeeper
from server.identity.permissions import KEYS, MODULES
from server.web import problems
from server.web.routing import WORLD, Gate, gate_of, gated
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person, role_with, sign_in

UUID = "00000000-0000-4000-8000-000000000000"


def ours(app: web.Application) -> Iterator[tuple[str, str, Gate]]:
    """Every route of our own as method, path and gate."""
    for route in app.router.routes():
        gate = gate_of(route.handler)
        if gate is not None and route.resource is not None and route.method != "HEAD":
            method = "GET" if route.method == "*" else route.method
            yield method, address(route.resource), gate


def address(resource: web.AbstractResource) -> str:
    """An address that leads to the resource: of words it chooses between the first one, else a UUID."""
    pattern = getattr(resource.get_info().get("pattern"), "pattern", "")
    words = {name: some.split("|")[0] for name, some in re.findall(r"\(\?P<(\w+)>([\w|-]+\|[\w|-]+)\)", pattern)}
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], UUID), resource.canonical)


async def test_nobody_passes_any_gate(server: TestServer, client: Browser, call: Call) -> None:
    await person(call, "superadmin")
    passed, walked = [], 0
    for method, path, gate in ours(server.app):
        if gate.kind == "open":
            continue
        answer = await client.request(method, path, headers={"Accept": "application/json"}, allow_redirects=False)
        walked += 1
        if answer.status != 401:
            passed.append(f"{method} {path}: {answer.status}")
    assert passed == []
    assert walked > 20


async def test_whoever_may_nothing_passes_no_gate_with_a_permission(
    server: TestServer, client: Browser, call: Call
) -> None:
    await role_with(call, "nothing")
    headers = {**await bearer(call, "nothing"), "Accept": "application/json"}
    passed = []
    for method, path, gate in ours(server.app):
        if gate.kind != "permission":
            continue
        answer = await client.request(method, path, headers=headers, allow_redirects=False)
        if answer.status != 403:
            passed.append(f"{method} {path}: {answer.status}")
    assert passed == []


def test_every_open_route_says_why(server: TestServer) -> None:
    assert [path for _, path, gate in ours(server.app) if gate.kind == "open" and len(gate.reason) < 10] == []


def test_every_permission_of_a_gate_exists(server: TestServer) -> None:
    named = {key for _, _, gate in ours(server.app) for key in gate.permissions}
    assert named <= KEYS
    assert {gate.module for _, _, gate in ours(server.app) if gate.module} <= set(MODULES)


@pytest.mark.proves("ROLE-11")
@pytest.mark.parametrize(
    ("role", "settings", "roles", "overview"),
    [
        ("superadmin", 200, 200, 200),
        ("admin", 200, 200, 200),
        ("host_manager", 403, 403, 200),
        ("user", 403, 403, 200),
        ("readonly", 403, 403, 200),
    ],
)
async def test_each_role_passes_the_gates_it_should(
    client: Browser, call: Call, role: str, settings: int, roles: int, overview: int
) -> None:
    headers = await bearer(call, role)

    async def status(path: str) -> int:
        return (await client.get(path, headers={**headers, "Accept": "application/json"})).status

    assert await status("/api/v1/settings") == settings
    assert await status("/settings/server-url") == settings
    assert await status("/api/v1/permissions/roles") == roles
    assert await status("/") == overview
    assert await status("/api/v1/settings/public") == 200


async def test_the_roles_are_told_with_their_totals(client: Browser, call: Call) -> None:
    roles = await (await client.get("/api/v1/permissions/roles", headers=await bearer(call))).json()
    totals = {one["role"]: sum(value is True for key, value in one.items() if key.startswith("can_")) for one in roles}
    assert totals == {"superadmin": 20, "admin": 19, "host_manager": 13, "user": 6, "readonly": 5}
    assert all(one["is_builtin"] for one in roles)


@pytest.mark.proves("SET-03")
async def test_the_menu_shows_what_one_may_open(client: Browser, call: Call) -> None:
    await sign_in(client, (await person(call, "readonly")).username)
    page = await (await client.get("/settings/profile", headers=HTML)).text()
    assert 'href="/settings/server-url"' not in page
    assert 'href="/"' in page


async def test_a_part_of_a_page_never_becomes_the_sign_in_form(client: Browser, call: Call) -> None:
    await person(call, "superadmin")
    headers = {**HTML, "HX-Request": "true", "HX-Current-URL": "http://x/jobs?a=1"}
    answer = await client.get("/settings/tokens", headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["HX-Redirect"]) == (401, "/login?next=/jobs")
    assert await answer.text() == ""


async def test_programs_are_told_and_browsers_led(client: Browser, call: Call) -> None:
    await person(call, "superadmin")
    program = await client.get("/api/v1/settings")
    assert (program.status, await program.json(content_type=None)) == (401, {"error": "Unauthorized"})
    posted = await client.post("/settings/tokens", headers=HTML, allow_redirects=False)
    assert posted.status == 401


class TestModuleOff:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({"PATCHMON_DISABLED_MODULES": "docker, compliance"}))

    @pytest.fixture
    async def small(self, world: World) -> AsyncIterator[TestClient[web.Request, web.Application]]:
        @gated("can_view_hosts", module="docker")
        async def containers(_request: web.Request) -> web.Response:
            return web.Response(text="containers")

        @gated(module="patching")
        async def runs(_request: web.Request) -> web.Response:
            return web.Response(text="runs")

        async def forgotten(_request: web.Request) -> web.Response:
            return web.Response(text="should not be seen")

        app = web.Application(middlewares=[problems.problems, doorkeeper])
        app[WORLD] = world
        app.router.add_get("/api/v1/docker", containers)
        app.router.add_get("/api/v1/runs", runs)
        app.router.add_get("/api/v1/forgotten", forgotten)
        async with TestClient(TestServer(app)) as client:
            yield client

    @pytest.mark.proves("ROLE-14")
    async def test_a_module_that_is_off_closes_its_routes(self, small: TestClient[Any, Any], call: Call) -> None:
        headers = await bearer(call)
        refused = await small.get("/api/v1/docker", headers=headers)
        assert refused.status == 403
        assert await refused.json() == {
            "error": "module not available in your plan",
            "code": "module_not_available",
        }
        assert (await small.get("/api/v1/runs", headers=headers)).status == 200
        assert (await small.get("/api/v1/docker")).status == 401

    async def test_a_route_without_gate_is_closed_even_for_administrators(
        self, small: TestClient[Any, Any], call: Call
    ) -> None:
        answer = await small.get("/api/v1/forgotten", headers=await bearer(call))
        assert answer.status == 403
        assert "should not be seen" not in await answer.text()


async def test_the_application_does_not_start_with_a_route_without_gate(
    world: World, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgotten(_request: web.Request) -> web.Response:
        return web.Response()

    routes = web.RouteTableDef()
    routes.get("/forgotten")(forgotten)
    monkeypatch.setattr(api, "routes", [*api.routes, *routes])
    with pytest.raises(UngatedRoutes, match="GET /forgotten"):
        build(world, keeper)
