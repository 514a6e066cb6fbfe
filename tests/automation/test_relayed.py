"""Plays that a worker runs: real agents, a real ansible, one play over several hosts."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import ClientSession

from tests.factories.automation import Api
from tests.factories.house import House, ServerProcess
from tests.factories.people import bearer

ACROSS = """
- name: Across
  hosts: all
  gather_facts: false
  tasks:
    - {name: Say, ansible.builtin.command: {cmd: "echo I am {{ inventory_hostname }}"}, changed_when: true}
    - {name: Once, ansible.builtin.command: {cmd: "echo once"}, run_once: true, changed_when: false}
    - {name: There, ansible.builtin.command: {cmd: "echo {{ secret_word | default('') }}"}, delegate_to: web-02, changed_when: false}
"""


@pytest.fixture
async def running(house: House, unused_tcp_port_factory: Callable[[], int]) -> ServerProcess:
    made = house.server(unused_tcp_port_factory())
    await made.start()
    return made


@pytest.mark.real
async def test_a_worker_plays_across_hosts_and_every_host_tells_its_part(house: House, running: ServerProcess) -> None:
    await house.playbook("across", ACROSS)
    for name in ("web-01", "web-02", "web-03"):
        await (await house.agent(name, running.port)).start()
    async with ClientSession() as session:
        api = Api(session, running.url, await bearer(house.call))
        await asyncio.sleep(5)
        job = await api.launch("web-01", "web-02", "web-03", playbook="across", check=False, executor="relayed", forks=3)
        done = await api.until(job, lambda found: found["finished_at"], 100)
        print(done)
        print(await api.events(job))
        print(running.program.log.read_text()[-6000:])
        assert done["status"] == "succeeded"
