"""The modules for people who keep their fleet in Ansible: a real ansible-playbook against a real server."""

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestServer

from server.core.call import Call
from tests.ansible.controllers import ROOT, Controller
from tests.factories.hosts import added
from tests.factories.people import person, token_of

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("ansible controller")]

KEEP: list[dict[str, Any]] = [
    {"host_group": {"name": "Web servers", "color": "#112233", "description": "they serve"}},
    {
        "host": {
            "name": "web-09",
            "groups": ["Web servers"],
            "notes": "rack 4",
            "tags": {"env": "prod"},
            "auto_update": False,
        }
    },
    {"tag": {"host": "web-01", "tags": {"env": "prod", "spare": ""}}},
    {
        "patch_policy": {
            "name": "Nightly",
            "patch_delay_type": "fixed_time",
            "fixed_time_utc": "03:00",
            "timezone": "Europe/Berlin",
            "groups": ["Web servers"],
        }
    },
    {"token": {"name": "Ansible", "scopes": {"host": ["get"]}, "allowed_ip_ranges": ["10.0.0.0/8"]}},
]
DROP: list[dict[str, Any]] = [
    {"token": {"name": "Ansible", "state": "absent"}},
    {"patch_policy": {"name": "Nightly", "state": "absent"}},
    {"tag": {"host": "web-01", "tags": {"env": None}, "state": "absent"}},
    {"host": {"name": "web-09", "state": "absent"}},
    {"host_group": {"name": "Web servers", "state": "absent"}},
]


@pytest.fixture
async def controller(tmp_path: Path, server: TestServer, call: Call) -> Controller:
    await added(call)
    token = await token_of(call, await person(call, "superadmin"))
    environment = {
        "PATCHMON_URL": str(server.make_url("/")).rstrip("/"),
        "PATCHMON_TOKEN": token,
        "ANSIBLE_STDOUT_CALLBACK": "patchmon_test_json",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
    }
    return Controller(Path(sys.executable).parent, ROOT / "collections", tmp_path, environment)


async def played(
    controller: Controller, tasks: list[dict[str, Any]], *words: str, fails: bool = False
) -> list[dict[str, Any]]:
    """Run modules one after the other and return their results."""
    listed = [{f"patchmon.fleet.{name}": options} for task in tasks for name, options in task.items()]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": listed}]
    file = controller.write("play.yml", orjson.dumps(play).decode())
    answer = await controller.run(
        "ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", file, *words
    )
    assert (answer.code != 0) == fails, answer.out + answer.errors
    return [orjson.loads(line)["result"] for line in answer.out.splitlines() if line.startswith("{")]


async def state(call: Call) -> Any:
    return await call.db.all(
        """
        select 'group' as kind, name, description from host_groups
        union all select 'host', friendly_name, notes from hosts
        union all select 'tag', key, value from host_tags
        union all select 'policy', name, patch_delay_type from patch_policies
        union all select 'token', token_name, scopes::text from integration_tokens
        order by 1, 2
        """
    )


async def test_what_is_kept_is_kept_once_and_checks_change_nothing(controller: Controller, call: Call) -> None:
    before = await state(call)
    # The group that others name has to be there for a check to go on.
    checked = await played(controller, KEEP[:1] + KEEP[2:3] + KEEP[4:], "--check")
    assert [one["changed"] for one in checked] == [True] * 3
    assert await state(call) == before
    made = await played(controller, KEEP)
    assert [one["changed"] for one in made] == [True] * len(KEEP)
    assert made[1]["credentials"]["api_key"]
    assert made[4]["token_secret"]
    assert '"color": "#112233"' in made[0]["diff"]["after"]
    kept = await state(call)
    assert len(kept) == len(before) + 7
    again = await played(controller, KEEP)
    assert [one["changed"] for one in again] == [False] * len(KEEP)
    changed = await played(controller, [{"host": {"name": "web-09", "notes": "rack 5"}}], "--check", "--diff")
    assert "rack 5" in changed[0]["diff"]["after"]
    assert await state(call) == kept
    looked = await played(
        controller,
        [
            {"host_info": {"name": "web-09"}},
            {"host_info": {}},
            {"host_group_info": {}},
            {"tag_info": {"host": "web-01"}},
            {"patch_policy_info": {"name": "Nightly"}},
            {"token_info": {"name": "Ansible"}},
        ],
    )
    assert looked[0]["hosts"][0]["notes"] == "rack 4"
    assert len(looked[1]["hosts"]) == 2
    assert looked[2]["host_groups"][0]["name"] == "Web servers"
    assert looked[3]["tags"] == {"env": "prod", "spare": ""}
    assert looked[4]["policies"][0]["fixed_time_utc"] == "03:00"
    assert looked[5]["tokens"][0]["scopes"] == {"host": ["get"]}
    assert "secret" not in str(looked[5])
    checked = await played(controller, DROP, "--check")
    assert [one["changed"] for one in checked] == [True] * len(DROP)
    assert await state(call) == kept
    assert [one["changed"] for one in await played(controller, DROP)] == [True] * len(DROP)
    assert [one["changed"] for one in await played(controller, DROP)] == [False] * len(DROP)


async def test_runs_and_jobs_start_once_under_a_key(controller: Controller, call: Call) -> None:
    work: list[dict[str, Any]] = [
        {"job": {"playbook": "ping", "hosts": ["web-01"], "idempotency_key": "once"}},
        {"patch_run": {"hosts": ["web-01"], "packages": ["bash"], "idempotency_key": "once too"}},
    ]
    count = "select (select count(*) from jobs) + (select count(*) from patch_runs)"
    before = await call.db.value(count)
    checked = await played(controller, work, "--check")
    assert [one["changed"] for one in checked] == [True, True]
    assert await call.db.value(count) == before
    first = await played(controller, work)
    assert [one["changed"] for one in first] == [True, True]
    there = await call.db.value(count)
    second = await played(controller, work)
    assert [one["changed"] for one in second] == [False, False]
    assert await call.db.value(count) == there
    job, run = first[0]["job"]["id"], first[1]["runs"][0]["patch_run_id"]
    looked = await played(controller, [{"job_info": {"id": job}}, {"patch_run_info": {"id": run}}, {"job_info": {}}])
    assert looked[0]["jobs"][0]["playbook"] == "ping"
    assert looked[1]["runs"][0]["id"] == run
    assert job in [one["id"] for one in looked[2]["jobs"]]


async def test_failures_are_sentences(controller: Controller) -> None:
    async def said(task: dict[str, Any]) -> str:
        return str((await played(controller, [task], fails=True))[-1]["msg"])

    assert await said({"tag": {"host": "none", "tags": {}}}) == "No host is called none."
    assert await said({"host": {"name": "x", "groups": ["none"]}}) == "No host group is called none."
    assert "401" in await said({"host_group_info": {"api_token": "pm_wrong"}})
    assert "cannot be reached" in await said({"host_group_info": {"api_url": "http://127.0.0.1:9"}})
    controller.environment.pop("PATCHMON_TOKEN")
    assert "set PATCHMON_TOKEN" in await said({"host_group_info": {}})
