"""What people may order of a job, what is refused of it, and that an order counts once."""

import asyncio

from server.core.call import Call
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer, role_with


async def test_the_same_idempotency_key_launches_once(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    jobs = await asyncio.gather(*(api.launch("web-01", idempotency_key="night 7") for _ in range(5)))
    assert len({job["id"] for job in jobs}) == 1
    other = await api.launch("web-01", idempotency_key="night 8")
    assert other["id"] != jobs[0]["id"]


async def test_an_order_is_refused_with_every_complaint(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    body = await api.ask(
        "POST", "/jobs",
        {
            "playbook": "patch", "hosts": ["web-09"], "groups": ["none"], "timeout_seconds": 0,
            "variables": {
                "patch_scope": "some", "patch_packages": ["bash", 7], "patch_refresh_cache": "yes", "unheard_of": 1,
                "patch_lock_timeout_seconds": "soon",
            },
        },
        status=400,
    )  # fmt: skip
    assert set(body["complaints"]) == {
        "hosts", "groups", "timeout_seconds", "variables.patch_scope", "variables.patch_packages",
        "variables.patch_refresh_cache", "variables.unheard_of", "variables.patch_lock_timeout_seconds",
    }  # fmt: skip
    await api.ask("POST", "/jobs", {"playbook": "no_such", "hosts": ["web-01"]}, status=404)


async def test_patching_may_be_launched_with_the_patching_permission_alone(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await role_with(call, "patcher", "can_view_hosts", "can_manage_patching")
    await role_with(call, "viewer", "can_view_hosts")
    patcher = Api(api.session, api.url, await bearer(call, "patcher"))
    viewer = Api(api.session, api.url, await bearer(call, "viewer"))
    job = await patcher.launch("web-01", playbook="patch")
    await patcher.ask("POST", "/jobs", {"playbook": "ping", "hosts": ["web-01"]}, status=403)
    assert (await viewer.show(job))["status"] == "queued"
    await viewer.ask("POST", f"/jobs/{job['id']}/stop", status=403)
    await viewer.ask("POST", "/jobs", {"playbook": "patch", "hosts": ["web-01"]}, status=403)
    await patcher.ask("POST", f"/jobs/{job['id']}/stop")
    actions = await call.db.column("select action from audit_log where action like 'automation.%%' order by id", x=1)
    assert actions == ["automation.job_launched", "automation.job_stopped"]


async def test_relaunching_takes_only_the_hosts_that_failed(api: Api, fleet: Fleet) -> None:
    good, bad = await fleet.online("web-01"), await fleet.online("web-02")
    job = await api.launch("web-01", "web-02")
    await good.end(await good.job())
    await bad.end(await bad.job(), "failed", reason="no")
    await api.status(job, "failed")
    again = await api.ask("POST", f"/jobs/{job['id']}/relaunch", status=201)
    assert [host["name"] for host in again["hosts"]] == ["web-02"]
    await bad.until(lambda: len([h for h in bad.jobs.values() if h.state == "running"]) == 1)
    await bad.end(next(h for h in bad.jobs.values() if h.state == "running"))
    await api.status(again, "succeeded")
    await api.ask("POST", f"/jobs/{again['id']}/relaunch", status=409)


async def test_a_null_character_anywhere_is_refused_not_a_crash(api: Api, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    job = await api.launch("web-01")
    for order in (
        {"hosts": ["a\0"]},
        {"groups": ["\0"]},
        {"title": "\0"},
        {"idempotency_key": "\0"},
        {"playbook": "\0"},
    ):
        await api.ask("POST", "/jobs", {"playbook": "ping", "hosts": ["web-01"], **order}, status=400)
    variables = {"patch_packages": ["a\0"]}
    await api.ask("POST", "/jobs", {"playbook": "patch", "hosts": ["web-01"], "variables": variables}, status=400)
    await api.ask("GET", f"/jobs/{job['id']}/hosts/web%00/results/{'0' * 64}", status=404)
    await api.ask("GET", f"/jobs/{job['id']}/events?host=%00", status=404)
    await api.ask("GET", "/jobs?q=%00&playbook=%00&only=%00")
    await api.ask("GET", "/jobs/%00", status=404)
    await api.ask("POST", f"/jobs/{job['id']}/stop", {"hosts": ["\0"]}, status=400)
