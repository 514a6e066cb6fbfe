"""Playbooks of the library before and after a patch run: what is pushed, what is refused, and what stays apart."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from agent.protocol.archive import digest, pack, read_folder
from server.core.call import Call
from server.patching import schedule
from tests.factories.automation import Fleet, url_of
from tests.factories.hosts import Browser
from tests.factories.patching import Patching
from tests.factories.people import HTML, bearer, role_with
from tests.library.conftest import Projects

DRAIN = "- hosts: all\n  gather_facts: false\n  roles:\n    - drain\n"
VERIFY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
BUILTIN = read_folder(Path("playbooks"))

#: Publishing a project runs Ansible's own checks over it.
pytestmark = pytest.mark.real


@pytest.fixture
async def library(server: TestServer, call: Call) -> AsyncIterator[Projects]:
    """A project with a role, variables of its own and playbooks with either ending."""
    async with ClientSession() as session:
        made = Projects(session, url_of(server), await bearer(call), call)
        await made.project("balancer")
        await made.put("drain.yml", DRAIN, slug="balancer")
        await made.put("verify.yaml", VERIFY, slug="balancer")
        await made.put("roles/drain/tasks/main.yml", "- ansible.builtin.ping:\n", slug="balancer")
        await made.put("group_vars/all.yml", "patch_scope: nothing\n", slug="balancer")
        await made.work()
        yield made


def files_of(project: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(project)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_projects_playbooks_surround_a_run_beside_the_built_in_ones(
    api: Patching, library: Projects, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(
        fleet.ids["web-01"], snapshot=True, pre_playbook="balancer/drain", post_playbook="balancer/verify"
    )
    held = await agent.job()
    assert held.spec["stages"] == [
        {"name": "snapshot", "playbook": "snapshot.yml"},
        {"name": "pre_playbook", "playbook": "around/balancer/drain.yml"},
        {"name": "main", "playbook": "patch.yml"},
        {"name": "post_playbook", "playbook": "around/balancer/verify.yml"},
    ]
    project = bytes(held.parts["project"])
    # A new digest: hosts whose own file allows only built-in playbooks know this one is none, and refuse.
    assert held.offer.project.digest == digest(project) != digest(pack(BUILTIN))
    found = files_of(project)
    assert {name: found[name] for name in BUILTIN} == BUILTIN
    assert {name for name in found if name not in BUILTIN} == {
        f"around/balancer/{name}"
        for name in ("drain.yml", "verify.yaml", "verify.yml", "roles/drain/tasks/main.yml", "group_vars/all.yml")
    }
    await agent.end(held)
    run = await api.becomes(made["patch_run_id"], "completed")
    assert (run["pre_playbook"], run["post_playbook"]) == ("balancer/drain", "balancer/verify")

    # What is around a run is looked up when it begins: of a project that is gone by then nothing changes the host.
    policy = await api.policy("Later", "delayed", delay_minutes=5, pre_playbook="balancer/drain")
    await api.assign(policy, "host", fleet.ids["web-01"])
    waiting = await api.trigger(fleet.ids["web-01"])
    await library.ask("DELETE", "/projects/balancer", status=204)
    assert library.call is not None
    await library.call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour'")
    assert await schedule.release_due(library.call) == 1
    gone = await api.becomes(waiting["patch_run_id"], "failed")
    assert "Playbook balancer/drain not found" in gone["error_message"]


async def test_whoever_may_not_launch_it_and_what_must_be_asked_for_is_refused(
    api: Patching, library: Projects, fleet: Fleet, call: Call
) -> None:
    await fleet.enrol("web-01")
    host = fleet.ids["web-01"]
    await role_with(call, "patchers", "can_view_hosts", "can_manage_patching")
    operator = Patching(api.session, api.url, await bearer(call, "patchers"))
    hidden = await operator.trigger(host, pre_playbook="balancer/drain", status=400)
    assert "Playbook balancer/drain not found" in str(hidden)
    await library.ask("PUT", "/projects/balancer/playbooks/drain.yml", {"approval": True})
    refused = await api.trigger(host, pre_playbook="balancer/drain", status=400)
    assert "needs an approval of its own" in str(refused)
    size = {"variable": "size", "type": "text", "required": True, "question": "How big?"}
    await library.ask("PUT", "/projects/balancer/playbooks/drain.yml", {"approval": False, "survey": [size]})
    await library.work()
    asks = await api.run((await api.trigger(host, pre_playbook="balancer/drain"))["patch_run_id"])
    assert asks["status"] == "failed"
    assert "Playbook balancer/drain asks for size" in asks["error_message"]


async def test_secrets_reach_the_run_and_are_refused_where_they_would_wait_on_the_disk(
    api: Patching, library: Projects, fleet: Fleet
) -> None:
    agent = await fleet.online("web-01")
    token = {"name": "balancer", "kind": "variables", "values": {"balancer_token": "s3cret-token"}}
    credential = await library.ask("POST", "/credentials", token, status=201)
    said = {"credentials": [credential["id"]]}
    await library.ask("PUT", "/projects/balancer/playbooks/drain.yml", said)
    await library.work()
    asked = await api.trigger(fleet.ids["web-01"], pre_playbook="balancer/drain", reboot="always")
    refused = await api.run(asked["patch_run_id"])
    assert refused["status"] == "failed"
    assert "do not wait on a host's disk while it restarts" in refused["error_message"]
    await api.trigger(fleet.ids["web-01"], pre_playbook="balancer/drain")
    held = await agent.job()
    assert "s3cret-token" in held.spec["secrets"]
    assert "s3cret-token" in held.spec["secret_values"]
    assert "s3cret-token" not in held.spec["variables"]


@pytest.mark.usefixtures("library")
async def test_the_wizard_offers_the_librarys_playbooks(as_admin: Browser, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    page = f"/patching/new?type=patch_all&host={fleet.ids['web-01']}"
    answer = await as_admin.get(page, headers=HTML)
    assert '<option value="balancer/drain"' in await answer.text()
