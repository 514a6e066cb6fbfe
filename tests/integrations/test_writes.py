"""What tokens may change: each scope opens its own doors and no other, and all of it is on record."""

from typing import Any

from server.core.call import Call
from server.settings import service as settings
from tests.factories.hosts import added
from tests.integrations.conftest import Maker, Program, said

API = "/api/v1/api"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def asked(token: Program, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return await said(await token.client.request(method, f"{API}{path}", json=body, headers=token.basic))


async def test_tokens_change_groups_tags_and_notes(call: Call, make: Maker) -> None:
    host = (await added(call)).uuid
    token = await make(
        "api", scopes={"host_group": ["get", "post", "put", "delete"], "tag": ["get", "put"], "note": ["put"]}
    )
    status, group = await asked(token, "POST", "/host_groups", {"name": "Web", "color": "#112233"})
    assert status == 201
    assert (await asked(token, "POST", "/host_groups", {"name": "web"}))[0] == 400
    assert (await asked(token, "POST", "/host_groups", {"name": "w" * 101}))[0] == 400
    assert (await asked(token, "PUT", f"/host_groups/{group['id']}", {"name": "Web servers"}))[0] == 200
    assert (await asked(token, "PUT", f"/hosts/{host}/groups", {"group_ids": [group["id"]]}))[0] == 200
    found = (await asked(token, "GET", "/host_groups"))[1]["host_groups"]
    assert [one["name"] for one in found] == ["Web servers"]
    assert (await asked(token, "DELETE", f"/host_groups/{group['id']}"))[0] in {400, 409}
    assert (await asked(token, "PUT", f"/hosts/{host}/groups", {"group_ids": []}))[0] == 200
    assert (await asked(token, "DELETE", f"/host_groups/{group['id']}"))[0] == 200
    told = {"host_id": host, "tags": {"env": "prod", "spare": ""}}
    assert await asked(token, "PUT", f"/hosts/{host}/tags", {"tags": told["tags"]}) == (200, told)
    assert await asked(token, "GET", f"/hosts/{host}/tags") == (200, told)
    assert await asked(token, "PUT", f"/hosts/{host}/notes", {"notes": "rack 4"}) == (
        200,
        {"host_id": host, "notes": "rack 4"},
    )
    assert (await asked(token, "PUT", f"/hosts/{UNKNOWN}/notes", {"notes": ""}))[0] == 404
    assert (await asked(token, "PUT", f"/hosts/{host}/tags", {"tags": 5}))[0] == 400
    done = await call.db.all("select action, via from audit_log where via = %(id)s", id=token.id)
    assert {"hosts.tags_changed", "hosts.group_created"} <= {one["action"] for one in done}


async def test_tokens_start_patch_runs_and_jobs(call: Call, make: Maker) -> None:
    host = (await added(call)).uuid
    patches = await make("api", scopes={"patch": ["post"]})
    status, made = await asked(patches, "POST", "/patch", {"hosts": [host], "dry_run": True})
    assert status == 201, made
    assert made["runs"][0]["host_id"] == host
    runs = await make("api", scopes={"job": ["post", "get"]})
    status, job = await asked(runs, "POST", "/jobs", {"playbook": "ping", "hosts": [host]})
    assert status == 201, job
    status, seen = await asked(runs, "GET", f"/jobs/{job['id']}")
    assert (status, seen["playbook"], seen["exit_code"]) == (200, "ping", None)
    assert (await asked(runs, "POST", "/jobs", {"playbook": "no such", "hosts": [host]}))[0] in {400, 404}


async def test_what_has_the_same_key_is_done_once_and_says_so(call: Call, make: Maker) -> None:
    host = (await added(call)).uuid
    token = await make("api", scopes={"patch": ["post"], "job": ["post"]})
    for path, body in (
        ("/patch", {"hosts": [host], "dry_run": True}),
        ("/jobs", {"playbook": "ping", "hosts": [host]}),
    ):
        headers = {**token.basic, "Idempotency-Key": f"monday {path}"}
        answers = [await token.client.post(f"{API}{path}", json=body, headers=headers) for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201], path
        first, second = [await answer.json() for answer in answers]
        assert first == second, path
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"], path


async def test_nothing_is_patched_while_the_module_is_off(call: Call, make: Maker) -> None:
    host = (await added(call)).uuid
    token = await make("api", scopes={"patch": ["post"]})
    await settings.change(call, {"disabled_modules": ["patching"]})
    status, refused = await asked(token, "POST", "/patch", {"hosts": [host]})
    assert (status, refused) == (403, {"error": "module not available in your plan"})


async def test_a_scope_opens_its_own_doors_only(call: Call, make: Maker) -> None:
    host = (await added(call)).uuid
    doors: dict[str, tuple[str, str, Any]] = {
        "host_group:get": ("GET", "/host_groups", None),
        "host_group:post": ("POST", "/host_groups", {"name": "a"}),
        "host_group:put": ("PUT", f"/hosts/{host}/groups", {"group_ids": []}),
        "host_group:delete": ("DELETE", f"/host_groups/{UNKNOWN}", None),
        "tag:get": ("GET", f"/hosts/{host}/tags", None),
        "tag:put": ("PUT", f"/hosts/{host}/tags", {"tags": {}}),
        "note:put": ("PUT", f"/hosts/{host}/notes", {"notes": ""}),
        "patch:post": ("POST", "/patch", {"hosts": [host], "dry_run": True}),
        "job:get": ("GET", f"/jobs/{UNKNOWN}", None),
        "job:post": ("POST", "/jobs", {"playbook": "ping", "hosts": [host]}),
    }
    reads = await make("api", scopes={"host": ["get", "delete"]})
    for scope, (method, path, body) in doors.items():
        resource, _, action = scope.partition(":")
        others: dict[str, list[str]] = {}
        for other in doors.keys() - {scope}:
            others.setdefault(other.partition(":")[0], []).append(other.partition(":")[2])
        all_but_one = await make("api", scopes=others)
        for token in (reads, all_but_one):
            status, refused = await asked(token, method, path, body)
            assert (status, refused["error"]) == (403, "Access denied"), (scope, refused)
        status, answer = await asked(await make("api", scopes={resource: [action]}), method, path, body)
        assert status not in {401, 403, 500}, (scope, answer)
