"""Webhooks through the front door: a real receiver that checks signatures, fails, comes back and stays away."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.core import clock
from server.core.call import Call
from server.core.env import Env
from server.webhooks import rules, service
from server.webhooks.events import WebhookSwitchedOff
from tests.factories.automation import Api, Fleet
from tests.factories.compliance import decided, scan
from tests.factories.people import bearer

SECRET = "a secret of the pipeline"


@pytest.fixture
def env(env: Env) -> Env:
    return replace(env, outbound_allow_private="127.0.0.0/8")


@dataclass
class Receiver:
    """A program that takes messages."""

    answers: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    @property
    def told(self) -> list[str]:
        return [json.loads(body)["event"] for _, body in self.taken]

    def genuine(self, place: int) -> bool:
        """Check a signature as docs/ci.md says."""
        headers, body = self.taken[place]
        seconds, _, digest = headers["X-PatchMon-Signature"].removeprefix("t=").partition(",v1=")
        wanted = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(digest, wanted)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    async with TestServer(app) as running:
        made.url = str(running.make_url("/hook"))
        yield made


async def made(api: Api, receiver: Receiver, *events: str, **more: Any) -> Any:
    body = {"name": "Pipeline", "url": receiver.url, "events": list(events), "secret": SECRET, **more}
    return await api.ask("POST", "/webhooks", body, status=201)


def later(call: Call, **span: float) -> Call:
    return replace(call, now=clock.now() + timedelta(**span))


async def deliveries(api: Api, webhook: Any) -> list[dict[str, Any]]:
    body = await api.ask("GET", f"/webhooks/{webhook['id']}/deliveries")
    return list(body["deliveries"])


async def test_a_job_is_told_from_its_launch_to_its_end_once_each_and_signed(
    api: Api, fleet: Fleet, call: Call, receiver: Receiver
) -> None:
    agent = await fleet.online("web-01")
    await api.launch("web-01", playbook="ping")
    before = await agent.job()
    await agent.end(before, "succeeded")
    agent.jobs.clear()
    await asyncio.sleep(0.05)
    webhook = await made(api, receiver, "job.queued", "job.running", "job.succeeded", "job.failed")
    assert webhook["secret"] == SECRET
    assert "secret" not in await api.ask("GET", f"/webhooks/{webhook['id']}")
    job = await api.launch("web-01")
    held = await agent.job()
    await agent.tell(held, {"event": "playbook_on_play_start", "play": "Ping"})
    await api.status(job, "running")
    await asyncio.gather(*(service.work(later(call)) for _ in range(4)))
    assert receiver.told == ["job.queued", "job.running"]
    await agent.end(held, "failed", reason="no")
    await api.status(job, "failed")
    for _ in range(3):
        await service.work(later(call))
    assert receiver.told == ["job.queued", "job.running", "job.failed"]
    assert all(receiver.genuine(place) for place in range(3))
    headers, body = receiver.taken[-1]
    told = json.loads(body)
    assert (headers["X-PatchMon-Event"], headers["X-PatchMon-Delivery"]) == ("job.failed", told["id"])
    assert (told["job"]["id"], told["job"]["status"], told["job"]["hosts"]) == (job["id"], "failed", {"failed": 1})
    found = await deliveries(api, webhook)
    assert [(one["state"], one["status"], one["attempts"]) for one in found] == [("delivered", 204, 1)] * 3


async def test_what_does_not_arrive_is_tried_again_and_given_up_after_days(
    api: Api, fleet: Fleet, call: Call, receiver: Receiver
) -> None:
    await fleet.enrol("web-01")
    webhook = await made(api, receiver, "job.queued")
    receiver.answers = [500, 302, 204]
    await api.launch("web-01")
    await service.work(later(call))
    await service.work(later(call, seconds=5))
    assert len(receiver.taken) == 1
    (one,) = await deliveries(api, webhook)
    assert (one["state"], one["status"], one["error"]) == ("pending", 500, "the receiver answered 500")
    await service.work(later(call, seconds=11))
    assert len(receiver.taken) == 2
    await service.work(later(call, seconds=60))
    (one,) = await deliveries(api, webhook)
    assert (one["state"], one["attempts"]) == ("delivered", 3)
    assert (await api.ask("GET", f"/webhooks/{webhook['id']}"))["failing_since"] is None

    receiver.answers = [503] * 20
    await api.launch("web-01")
    hours = 0.0
    for pause in [timedelta(0), *rules.PAUSES]:
        hours += pause.total_seconds() / 3600 + 0.001
        await service.work(later(call, hours=hours))
    assert [one["state"] for one in await deliveries(api, webhook)] == ["failed", "delivered"]
    again = await api.ask("POST", f"/webhooks/{webhook['id']}/deliveries/{one['id']}/redeliver", {}, status=202)
    async with call.world.bus.following(WebhookSwitchedOff.name) as bell:
        await service.work(later(call, days=4))
        assert [news["event"] for news in await bell.ring(within=5)] == ["webhook_switched_off"]
    off = await api.ask("GET", f"/webhooks/{webhook['id']}")
    assert (off["enabled"], "nothing arrived for 3 days" in off["note"]) == (False, True)
    await api.ask("POST", f"/webhooks/{webhook['id']}/ping", {}, status=409)
    receiver.answers, receiver.taken = [], []
    back = {"name": "Pipeline", "url": receiver.url, "events": ["job.queued"]}
    assert (await api.ask("PUT", f"/webhooks/{webhook['id']}", back))["note"] == ""
    await api.ask("POST", f"/webhooks/{webhook['id']}/ping", {}, status=202)
    await service.work(later(call, days=5))
    assert (set(receiver.told), receiver.genuine(0)) == ({"ping", "job.queued"}, True)
    assert again["delivery"] in {json.loads(body)["id"] for _, body in receiver.taken}


async def test_addresses_inside_are_refused_unless_the_environment_opens_them(
    api: Api, call: Call, receiver: Receiver
) -> None:
    closed = replace(call, world=replace(call.world, env=replace(call.world.env, outbound_allow_private="")))
    await made(api, receiver, "job.queued")
    for url in (
        "http://10.0.0.1/x",
        "http://[::ffff:169.254.169.254]/",
        "http://192.168.1.1:8080/",
        "ftp://example.com",
    ):
        body = {"name": "Inside", "url": url, "events": ["job.queued"]}
        refused = await api.ask("POST", "/webhooks", body, status=400)
        assert "url" in refused["complaints"], url
    await service.ping(call, str((await service.everything(call))[0]["id"]))
    await service.work(replace(closed, now=clock.now()))
    (webhook,) = (await api.ask("GET", "/webhooks"))["webhooks"]
    assert receiver.taken == []
    assert "private network" in webhook["last_delivery"]["error"]


async def test_who_may_keep_webhooks_and_what_is_wrong_with_one(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    body = {"name": "", "url": "https://user:password@example.com/", "events": ["job.eaten"], "secret": "short"}
    refused = await api.ask("POST", "/webhooks", body, status=400)
    assert set(refused["complaints"]) == {"name", "url", "events", "secret"}
    for role in ("readonly", "host_manager"):
        other = Api(api.session, api.url, await bearer(call, role))
        await other.ask("GET", "/webhooks", status=403)
    generated = await api.ask(
        "POST", "/webhooks", {"name": "A", "url": "https://example.com/x", "events": ["job.failed"]}, status=201
    )
    assert len(generated["secret"]) > 40
    stored = await call.db.value("select secret_sealed from webhooks")
    assert generated["secret"] not in stored
    await api.ask("DELETE", f"/webhooks/{generated['id']}")
    await api.ask("GET", f"/webhooks/{generated['id']}", status=404)


async def test_patch_runs_and_workflows_are_told_too(api: Api, fleet: Fleet, call: Call, receiver: Receiver) -> None:
    agent = await fleet.online("web-01")
    await made(api, receiver, *rules.EVENTS)
    workflow = {
        "name": "Deploy", "nodes": [{"key": "ask", "kind": "approval"}],
    }  # fmt: skip
    found = await api.ask("POST", "/workflows", workflow, status=201)
    run = await api.ask("POST", f"/workflows/{found['id']}/launch", {}, status=201)
    await api.ask("POST", f"/workflow-runs/{run['id']}/nodes/ask/reject", {})
    order = {"host_id": fleet.ids["web-01"], "patch_type": "patch_all", "dry_run": True}
    await api.ask("POST", "/patching/trigger", order)
    held = await agent.job()
    await agent.tell(held, {"event": "playbook_on_play_start", "play": "Patch"})
    await agent.end(held, "failed", reason="no room")
    async with asyncio.timeout(15):
        while "patch_run.failed" not in receiver.told:
            await service.work(later(call))
            await asyncio.sleep(0.1)
    await service.work(later(call))
    assert sorted(receiver.told) == sorted(
        ["workflow.started", "workflow.failed", "job.queued", "job.running", "job.failed", "patch_run.running",
         "patch_run.failed"]
    )  # fmt: skip
    told = {json.loads(body)["event"]: json.loads(body) for _, body in receiver.taken}
    assert told["patch_run.failed"]["patch_run"]["host_name"] == "web-01"
    assert told["workflow.failed"]["workflow"]["name"] == "Deploy"


async def test_scans_and_remediations_are_told(api: Api, fleet: Fleet, call: Call, receiver: Receiver) -> None:
    agent = await fleet.enrol("web-01")
    await call.db.execute("update hosts set compliance_mode = 'on-demand', status = 'active'")
    await made(api, receiver, "compliance_scan.completed", "compliance_scan.failed", "remediation.waiting",
               "remediation.applied", "remediation.failed")  # fmt: skip
    body = {"scans": [scan(*decided(3, 1)), {**scan(kind="docker-bench"), "status": "failed", "error": "no docker"}]}
    await call.db.execute("update hosts set docker_enabled = true, compliance_docker_bench_enabled = true")
    async with api.session.post(f"{api.url}/api/v1/compliance/scans", json=body, headers=agent.headers) as answer:
        assert answer.status == 200, await answer.text()
    for _ in range(2):
        await service.work(later(call))
    assert sorted(receiver.told) == ["compliance_scan.completed", "compliance_scan.failed"]
    told = {json.loads(one)["event"]: json.loads(one) for _, one in receiver.taken}
    completed = told["compliance_scan.completed"]["compliance_scan"]
    assert (completed["host_name"], completed["failed"], completed["score"]) == ("web-01", 1, 75.0)
    assert told["compliance_scan.failed"]["compliance_scan"]["error"] == "no docker"
    await call.db.execute(
        """
        insert into compliance_remedies (host_id, profile_id, guide, rules, playbook, status, check_job, asked_by,
                                         asked_at, checked_at)
        select id, 'p', 'g', '[]', 'x', 'checked', gen_random_uuid(), 'ada', now(), now() from hosts
        """
    )
    await service.work(later(call))
    await call.db.execute("update compliance_remedies set status = 'applied', finished_at = now()")
    for _ in range(2):
        await service.work(later(call))
    assert receiver.told[2:] == ["remediation.waiting", "remediation.applied"]
