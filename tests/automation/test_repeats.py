"""Orders under an idempotency key: carried out once, refused when they differ."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from server.automation import repeats
from server.core.call import Call
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer


async def asked(api: Api, path: str, body: Any, key: str) -> tuple[int, str, Any]:
    headers = {**api.headers, "Idempotency-Key": key}
    async with api.session.post(f"{api.url}/api/v1{path}", json=body, headers=headers) as answer:
        return answer.status, answer.headers.get("Idempotent-Replayed", ""), await answer.json()


async def test_twenty_at_once_under_one_key_launch_one_job(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    order = {"playbook": "ping", "hosts": ["web-01"], "check": True}
    answers = await asyncio.gather(*(asked(api, "/jobs", order, "night 7") for _ in range(20)))
    assert {status for status, _, _ in answers} == {201}
    assert len({body["id"] for _, _, body in answers}) == 1
    assert sorted(replayed for _, replayed, _ in answers) == ["", *["true"] * 19]
    assert await call.db.value("select count(*) from jobs") == 1
    # The body may name the key as well, and means the same.
    _, replayed, body = await asked(api, "/jobs", {**order, "idempotency_key": "night 8"}, "night 7")
    assert (replayed, body["id"]) == ("true", answers[0][2]["id"])


async def test_another_order_under_a_taken_key_is_refused(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    order = {"playbook": "ping", "hosts": ["web-01"], "check": True}
    await asked(api, "/jobs", order, "night 7")
    status, _, body = await asked(api, "/jobs", {**order, "check": False}, "night 7")
    assert (status, body["code"]) == (409, "idempotency_key_taken")
    assert "take a new key" in body["error"]
    status, _, body = await asked(
        api, "/patching/trigger", {"host_id": fleet.ids["web-01"], "patch_type": "patch_all"}, "night 7"
    )
    assert (status, body["code"]) == (409, "idempotency_key_taken")
    status, _, body = await asked(api, "/jobs", order, "k" * 201)
    assert (status, body["code"]) == (400, "bad_idempotency_key")
    # Keys are everybody's own.
    async with ClientSession() as session:
        other = Api(session, api.url, await bearer(call))
        status, replayed, _ = await asked(other, "/jobs", {**order, "check": False}, "night 7")
    assert (status, replayed) == (201, "")


async def test_a_refused_order_does_not_use_up_its_key(api: Api, fleet: Fleet) -> None:
    order = {"playbook": "ping", "hosts": ["web-01"], "check": True}
    status, _, _ = await asked(api, "/jobs", order, "night 7")
    assert status == 400
    await fleet.enrol("web-01")
    status, replayed, _ = await asked(api, "/jobs", order, "night 7")
    assert (status, replayed) == (201, "")


async def test_patch_runs_are_triggered_once_and_old_keys_are_forgotten(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    order = {"host_id": fleet.ids["web-01"], "patch_type": "patch_all", "dry_run": True}
    answers = await asyncio.gather(*(asked(api, "/patching/trigger", order, "night 7") for _ in range(5)))
    assert {status for status, _, _ in answers} == {200}
    assert all(body == answers[0][2] for _, _, body in answers)
    assert await call.db.value("select count(*) from patch_runs") == 1
    await call.db.execute("update repeats set created_at = created_at - interval '8 days'")
    assert await repeats.forget(call) == 1
    _, replayed, _ = await asked(api, "/patching/trigger", order, "night 7")
    assert replayed == ""
