"""The role that enrols hosts and installs the agent: ansible over a real sshd, onto a fresh Debian."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.core.call import Call
from server.core.loop import in_thread
from tests.ansible.controllers import ROOT, Answer, Controller
from tests.ansible.test_relay_beside_ssh import CONFIG, SSHD
from tests.conftest import Browser
from tests.factories.debian_root import Machine
from tests.factories.people import person, token_of
from tests.hosts.test_install_debian import agents, env, fresh, until
from tests.integrations.conftest import Maker, admin, make

__all__ = ["admin", "agents", "env", "fresh", "make"]
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
#: Who signs in finds themself on the fresh machine.
INTO = """
SetEnv PATH={path}
ForceCommand nsenter --target {inside} --mount --pid --root sh -c "cd; $SSH_ORIGINAL_COMMAND"
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Site:
    """A controller, and the machine it reaches as ``web-01``."""

    controller: Controller
    machine: Machine
    reached: dict[str, object]

    async def play(self, *words: str, token: str = "", **variables: Any) -> Answer:
        """Run the role; return what was said."""
        self.controller.write("hosts.json", orjson.dumps({"all": {"hosts": {"web-01": self.reached}}}).decode())
        role = {"ansible.builtin.import_role": {"name": "patchmon.fleet.agent"}}
        play = {"hosts": "all", "gather_facts": False, "become": True, "tasks": [role], "vars": variables}
        file = self.controller.write("play.yml", orjson.dumps([play]).decode())
        return await self.controller.run(
            "ansible-playbook", "-i", "hosts.json", file, *words, **({"PATCHMON_TOKEN": token} if token else {})
        )

    async def changed(self, *words: str, **variables: Any) -> int:
        """Run the role, which has to succeed; return how many tasks changed something."""
        answer = await self.play(*words, **variables)
        assert answer.code == 0, answer.out + answer.errors
        recap = re.search(r"^web-01 .*changed=(\d+)", answer.out, re.MULTILINE)
        assert recap is not None
        return int(recap[1])

    async def said(self, line: str) -> str:
        done = await in_thread(self.machine.run, line)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
async def site(
    fresh: Machine, client: Browser, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Site]:
    if SSHD is None:
        pytest.skip("no sshd on this machine: apt-get install openssh-server")
    # OpenRC has not booted this machine, so cron starts what has to run.
    await in_thread(fresh.run, "rm /usr/sbin/rc-update /usr/sbin/rc-service")
    folder, port = tmp_path / "ssh", unused_tcp_port_factory()
    folder.mkdir()
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        made = await asyncio.create_subprocess_exec(*command)
        assert await made.wait() == 0
    (folder / "config").write_text(
        CONFIG.format(port=port, folder=folder) + INTO.format(inside=fresh.inside, path=PATH)
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = await asyncio.create_subprocess_exec(SSHD, "-D", "-E", str(folder / "log"), "-f", str(folder / "config"))
    reached = {
        "ansible_host": "127.0.0.1", "ansible_port": port, "ansible_user": "root", "ansible_pipelining": True,
        "ansible_ssh_private_key_file": str(folder / "user"), "ansible_ssh_transfer_method": "piped",
        "ansible_python_interpreter": "/usr/bin/python3",
        # The folders of a test have longer names than a socket may have.
        "ansible_ssh_args": "-o ControlMaster=no -o ControlPath=none",
    }  # fmt: skip
    environment = {
        "PATCHMON_URL": f"http://127.0.0.1:{client.port}",
        "ANSIBLE_HOST_KEY_CHECKING": "false",
    }
    controller = Controller(Path(sys.executable).parent, ROOT / "collections", tmp_path, environment)
    yield Site(controller, fresh, reached)
    server.terminate()
    await server.wait()
    shutil.rmtree(folder)


Count = Callable[[], Awaitable[int]]


@pytest.fixture
def hosts(call: Call) -> Count:
    async def counted() -> int:
        return int(await call.db.value("select count(*) from hosts"))

    return counted


async def test_a_token_enrols_and_nothing_is_done_twice(
    site: Site, call: Call, client: Browser, make: Maker, admin: dict[str, str], hosts: Count
) -> None:
    answer = await client.post("/api/v1/host-groups", json={"name": "Production"}, headers=admin)
    token = await make(max_hosts_per_day=5, default_host_group_id=(await answer.json())["id"])
    with_token = {"agent_token_key": token.key, "agent_token_secret": token.secret}
    before = await in_thread(site.machine.files)
    assert await site.changed("--check", **with_token) == 1
    assert (await hosts(), await in_thread(site.machine.files) - before) == (0, set())
    said = await site.play("-v", **with_token)
    assert said.code == 0, said.out + said.errors
    await until(lambda: call.db.value("select status = 'active' and last_connected_at is not null from hosts"))
    row = await call.db.one("select friendly_name, api_id from hosts")
    assert row is not None
    assert row["friendly_name"] == "web-01"
    assert await call.db.value("select count(*) from host_group_members") == 1
    kept = await site.said("cat /etc/patchmon/credentials.yml")
    assert row["api_id"] in kept
    key = re.search(r"api_key: \W?(\w+)", kept)
    assert key is not None
    assert key[1] not in said.out + said.errors
    assert token.secret not in said.out + said.errors
    assert await site.changed(**with_token) == 0
    # What broke off is finished with the credentials that are there.
    await site.said("pkill -f 'patchmon-agent serve'; rm /usr/local/bin/patchmon-agent")
    assert await site.changed(**with_token) > 0
    assert "API credentials are valid" in await site.said("patchmon-agent ping")
    assert await hosts() == 1


async def test_a_person_enrols_into_groups_and_takes_the_host_away_again(
    site: Site, call: Call, client: Browser, admin: dict[str, str], hosts: Count
) -> None:
    await client.post("/api/v1/host-groups", json={"name": "Web"}, headers=admin)
    token = await token_of(call, await person(call, "superadmin"))
    before = await in_thread(site.machine.files)
    given: dict[str, Any] = {"agent_groups": ["Web"], "agent_tags": {"env": "prod"}, "agent_name": "www"}
    assert await site.changed(token=token, **given) > 0
    await until(lambda: call.db.value("select status = 'active' from hosts where friendly_name = 'www'"))
    assert await call.db.value("select value from host_tags where key = 'env'") == "prod"
    assert await call.db.value("select count(*) from host_group_members") == 1
    gone = {"agent_state": "absent", "agent_forget": True, **given}
    assert await site.changed("--check", token=token, **gone) == 2
    assert await hosts() == 1
    assert await site.changed(token=token, **gone) == 2
    assert await hosts() == 0
    left = {one for one in await in_thread(site.machine.files) - before if not one.startswith("/var/lib/apt/")}
    assert left <= {"/var/spool/cron/crontabs/root", "/root/.ansible", "/root/.ansible/tmp"}
    assert await site.changed(token=token, **gone) == 0


async def test_refusals_say_what_to_do(site: Site, call: Call, hosts: Count) -> None:
    wrong = await site.play(agent_token_key="patchmon_ae_x", agent_token_secret="a wrong secret")
    assert wrong.code == 2
    assert "The server did not enrol web-01: Invalid or inactive token" in wrong.out
    nobody = await site.play()
    assert nobody.code == 2
    assert "PATCHMON_TOKEN" in nobody.out
    nowhere = await site.play(agent_url="patchmon.example.com")
    assert "Set agent_url (or PATCHMON_URL) to the address of the server" in nowhere.out
    away = await site.play(agent_url="http://127.0.0.1:1", agent_token_key="patchmon_ae_x", agent_token_secret="y")
    assert "The server did not enrol web-01: " in away.out
    assert "refused" in away.out
    token = await token_of(call, await person(call, "superadmin"))
    assert await site.changed("--check", token=token) == 1
    await call.db.execute("insert into hosts (friendly_name, api_id, api_key) values ('web-01', 'patchmon_1', 'x')")
    known = await site.play(token=token)
    assert known.code == 2
    assert "The server has a host web-01 already, whose key it does not tell." in known.out
    assert await hosts() == 1
