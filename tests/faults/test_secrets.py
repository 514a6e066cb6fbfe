"""Secrets are planted everywhere a job could leak them from, and searched for everywhere they could arrive."""

from pathlib import Path

import pytest

from server.automation.models import Field
from server.core.call import Call
from tests.factories.automation import Api
from tests.factories.house import House, ServerProcess
from tests.faults.test_what_may_die import connected, done

pytestmark = pytest.mark.real

IN_ENVIRONMENT = "canary-in-the-environment-5b1f"
IN_VARIABLE = "canary-in-a-secret-variable-77aa"
IN_NO_LOG = "canary-in-a-no-log-task-19c3"
CANARIES = (IN_ENVIRONMENT, IN_VARIABLE, IN_NO_LOG)
PLAY = f"""
- name: Handle secrets
  hosts: all
  gather_facts: false
  tasks:
    - name: Keep quiet
      ansible.builtin.shell: echo {{{{ '{IN_NO_LOG[:9]}' ~ '{IN_NO_LOG[9:]}' }}}}
      no_log: true
    - name: Use the password in a command line
      ansible.builtin.command: "echo --password {{{{ password }}}}"
    - name: Tell the environment
      ansible.builtin.shell: env; echo visible
"""


async def everything_stored(call: Call) -> str:
    tables = await call.db.column(
        """
        select table_name::text
          from information_schema.tables
         where table_schema = 'public' and table_type = 'BASE TABLE'
        """
    )
    texts = [await call.db.column(f"select t::text from {table} t") for table in tables if table != "projects"]
    blobs = await call.db.column("select convert_from(content, 'UTF8') from result_blobs")
    return "\n".join(str(text) for rows in texts for text in rows) + "\n".join(blobs)


async def test_canaries_reach_no_database_log_or_page(
    house: House, server_process: ServerProcess, api: Api, call: Call
) -> None:
    await house.playbook("secrets", PLAY, (Field("password", "str", secret=True),))
    agent = await house.agent("web-01", server_process.port)
    agent.program.environment["PLANTED"] = IN_ENVIRONMENT
    await agent.start()
    await connected(api, agent)
    secret = {"password": IN_VARIABLE}
    job = await api.launch(agent.uuid, playbook="secrets", check=False, variables=secret, verbosity=3)
    ended = await done(api, job, 60)
    assert ended["status"] == "succeeded", agent.said()[-3000:]

    events = str(await api.events(job))
    assert "visible" in events  # the play did speak
    found = {
        "database": await everything_stored(call),
        "server log": server_process.program.log.read_text(),
        "agent log": agent.said(),
        "events": events,
        "job": str(ended),
        "pages": await pages(api, server_process, job["id"]),
        "files on the host": files(agent.folder) + files(Path("/run/patchmon-agent")),
    }
    leaks = {where: canary for where, text in found.items() for canary in CANARIES if canary in text}
    assert leaks == {}


async def pages(api: Api, server: ServerProcess, job: str) -> str:
    texts = []
    for path in (f"/jobs/{job}", f"/jobs/{job}?tab=output", f"/jobs/{job}?tab=variables", f"/api/v1/jobs/{job}"):
        headers = {**api.headers, "Accept": "text/html"}
        async with api.session.get(server.url + path, headers=headers) as answer:
            texts.append(await answer.text())
            assert answer.status in {200, 403}, path
    return "\n".join(texts)


def files(folder: Path) -> str:
    if not folder.is_dir():
        return ""
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


async def test_a_dropped_job_leaves_no_file(house: House, server_process: ServerProcess, api: Api) -> None:
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="ping")
    await done(api, job, 60)
    await api.until(job, lambda _: not list(agent.jobs.iterdir()), 20)
