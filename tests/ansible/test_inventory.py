"""The inventory plugins, asked by a real Ansible that has nothing of ours but the built collections."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.core.call import Call
from tests.ansible.controllers import COLLECTIONS, Controller, built, core
from tests.conftest import Browser
from tests.factories.people import bearer
from tests.integrations.conftest import TOKENS

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("ansible controller")]

HOSTILE = "{{ lookup('pipe', 'touch evaluated') }}"
PUBLISHED = "patchmon.dynamic_inventory"


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return core(request.config.cache.mkdir("ansible-core-2.19"))


@pytest.fixture(scope="module")
def collections(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(programs, tmp_path_factory.mktemp("collections"))


@pytest.fixture
async def controller(
    programs: Path, collections: Path, tmp_path: Path, server: TestServer, client: Browser, call: Call
) -> Controller:
    """A controller with a token that may read the four hosts of the fleet."""
    await call.db.execute(
        """
        with groups as (insert into host_groups (name)
                        values ('web_servers'), ('production') returning id, name),
             made as (
            insert into hosts (friendly_name, hostname, api_id, api_key, status, ip, os_type, os_version, needs_reboot)
            values ('Web 1', 'web-01', 'a', '', 'active', '10.0.0.1', 'Debian', '12', true),
                   ('Web 2', 'web-02', 'b', '', 'active', '10.0.0.2', 'Ubuntu', '24.04', false),
                   ('New', '', 'c', '', 'pending', '', '', '', false),
                   ('Twin', 'web-02', 'd', '', 'active', '10.0.0.4', %(hostile)s, '1', false)
            returning id, friendly_name),
             joined as (insert into host_group_members (host_id, host_group_id)
                        select m.id, g.id from made m, groups g
                         where m.friendly_name like 'Web%%'
                           and (g.name = 'web_servers' or m.friendly_name = 'Web 1') returning 1),
             counted as (insert into host_inventory (host_id, packages, updates, security_updates, updated_at)
                         select id, 100, 5, 2, now() from made where friendly_name = 'Web 1' returning 1)
        insert into host_tags (host_id, key, value)
        select id, 'env', 'prod' from made where friendly_name = 'Web 1'
        union all select id, 'note', %(hostile)s from made where friendly_name = 'Web 2'
        """,
        hostile=HOSTILE,
    )
    body = {"token_name": "Ansible", "metadata": {"integration_type": "api"}, "scopes": {"host": ["get"]}}
    answer = await client.post(TOKENS, json=body, headers=await bearer(call, "admin"))
    token = (await answer.json())["token"]
    return Controller(
        programs,
        collections,
        tmp_path,
        {
            "PATCHMON_TEST_URL": str(server.make_url("/")).rstrip("/"),
            "PATCHMON_API_KEY": token["token_key"],
            "PATCHMON_API_SECRET": token["token_secret"],
        },
    )


def published(controller: Controller, query: str = "", plugin: str = PUBLISHED) -> str:
    """The file of the documents, as people have it."""
    url = controller.environment["PATCHMON_TEST_URL"]
    return controller.write(
        "patchmon_inventory.yml",
        f"""---
plugin: {plugin}
api_url: {url}/api/v1/api/hosts/{query}
api_key: "{{{{ lookup('env', 'PATCHMON_API_KEY') }}}}"
api_secret: "{{{{ lookup('env', 'PATCHMON_API_SECRET') }}}}"
verify_ssl: false
""",
    )


def fleet(controller: Controller, more: str = "", url: str = "") -> str:
    url = url or controller.environment["PATCHMON_TEST_URL"]
    return controller.write("fleet.yml", f"---\nplugin: patchmon.fleet.hosts\napi_url: {url}\n{more}")


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.proves(
    "INTG-ANS-01", "INTG-ANS-02", "INTG-ANS-03", "INTG-ANS-04", "INTG-ANS-05", "INTG-ANS-06", "INTG-ANS-07",
    "INTG-ANS-08", "INTG-ANS-09", "INTG-ANS-10", "INTG-ANS-11", "INTG-ANS-12", "INTG-DIFF-09",
)  # fmt: skip
async def test_inventory_files_of_the_published_plugin_work_as_they_are(
    controller: Controller, server: TestServer
) -> None:
    asked: list[str] = []

    @web.middleware
    async def heard(request: web.Request, handler: Callable[..., Any]) -> Any:
        asked.append(f"{request.path} {request.headers.get('Authorization', '')[:6]}")
        return await handler(request)

    server.app._middlewares_handlers = ((heard, True), *(server.app._middlewares_handlers or ()))
    assert (COLLECTIONS / "dynamic_inventory" / "requirements.txt").exists()
    controller.write(
        "ansible.cfg",
        "[defaults]\ninventory = patchmon_inventory.yml\n"
        f"[inventory]\nenable_plugins = {PUBLISHED}.dynamic_inventory\n",
    )
    published(controller)
    listed = (await controller.run("ansible-inventory", "--list")).json
    assert asked == ["/api/v1/api/hosts/ Basic "]
    assert listed["_meta"]["hostvars"]["web-01"]["ansible_host"] == "10.0.0.1"
    assert "ansible_host" not in listed["_meta"]["hostvars"].get("New", {})
    assert set(listed["all"]["children"]) == {"ungrouped", "web_servers", "production"}
    assert sorted(listed["web_servers"]["hosts"]) == ["web-01", "web-02"]
    assert listed["production"]["hosts"] == ["web-01"]
    assert listed["ungrouped"]["hosts"] == ["New"]
    published(controller, plugin=f"{PUBLISHED}.dynamic_inventory", query="?hostgroup=web_servers")
    listed = (await controller.run("ansible-inventory", "--list")).json
    assert set(listed["_meta"]["hostvars"]) == {"web-01", "web-02"}
    found = await controller.run("ansible", "web_servers:&production", "--list-hosts")
    assert found.out.split() == ["hosts", "(1):", "web-01"]
    documented = await controller.run("ansible-doc", "-t", "inventory", f"{PUBLISHED}.dynamic_inventory")
    assert "verify_ssl" in documented.out
    assert "default: true" in documented.out


@pytest.mark.proves("INTG-ANS-13")
async def test_what_the_published_plugin_cannot_do_is_said(controller: Controller, call: Call) -> None:
    enabled = {"ANSIBLE_INVENTORY_ENABLED": f"{PUBLISHED}.dynamic_inventory"}
    file = published(controller)

    async def said(**more: str) -> str:
        found = await controller.run("ansible-inventory", "-vvv", "-i", file, "--list", **enabled, **more)
        return flat(found.errors + found.out)

    assert "refused with 401: Invalid API key" in await said(PATCHMON_API_KEY="patchmon_ae_other")
    await call.db.execute("""update integration_tokens set scopes = '{"package": ["get"]}'""")
    assert "refused with 403: Access denied: This API key does not have access to host" in await said()
    await call.db.execute("update integration_tokens set allowed_ip_ranges = array['10.9.9.9']")
    assert "refused with 403: IP address not allowed" in await said()
    text = (controller.folder / file).read_text(encoding="utf-8")
    controller.write(file, text.replace("/api/v1/api/hosts/", "/login"))
    assert "api_url has to end in /api/v1/api/hosts/" in await said()


async def test_hosts_come_with_what_plays_decide_by(controller: Controller) -> None:
    file = fleet(
        controller,
        """
keyed_groups:
  - {key: "patchmon_os_type | default('none', true) | lower", prefix: os}
  - {key: patchmon_tags, prefix: tag}
groups: {security: patchmon_security_updates > 0}
compose: {waiting: "patchmon_updates * 2"}
strict: true
""",
    )
    answer = await controller.run("ansible-inventory", "-i", file, "--list")
    listed = answer.json
    told = listed["_meta"]["hostvars"]
    assert set(told) == {"web-01", "web-02", "New", "Web 2"}, answer.errors
    assert "Two hosts are called 'web-02'" in flat(answer.errors)
    web_1 = told["web-01"]
    assert (web_1["ansible_host"], web_1["patchmon_updates"], web_1["patchmon_security_updates"]) == ("10.0.0.1", 5, 2)
    assert web_1["waiting"] == 10
    assert web_1["patchmon_tags"] == {"env": "prod"}
    assert web_1["patchmon_needs_reboot"] is True
    assert listed["os_debian"]["hosts"] == listed["security"]["hosts"] == listed["tag_env_prod"]["hosts"] == ["web-01"]
    assert "ansible_host" not in told["New"]
    # What the server says is never a template, neither as a value nor as the name of a group.
    play = controller.write(
        "play.yml",
        """
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.debug:
        msg: "{{ patchmon_os_type }} {{ patchmon_tags }} {{ group_names }} {{ ansible_host | default('') }}"
""",
    )
    played = await controller.run("ansible-playbook", "-i", file, play)
    assert played.code == 0, played.out + played.errors
    assert "lookup('pipe'" in played.out
    assert not (controller.folder / "evaluated").exists()
    graph = await controller.run("ansible-inventory", "-i", file, "--graph")
    assert "|--@web_servers:" in graph.out
    documented = await controller.run("ansible-doc", "-t", "inventory", "patchmon.fleet.hosts")
    assert all(word in documented.out for word in ("keyed_groups", "PATCHMON_API_SECRET", "needs_reboot"))


async def test_options_come_from_files_templates_vaults_and_the_environment(controller: Controller) -> None:
    secret = controller.environment.pop("PATCHMON_API_SECRET")
    key = controller.environment.pop("PATCHMON_API_KEY")
    url = controller.environment["PATCHMON_TEST_URL"]
    controller.write("vault-password", "hunter2\n")
    controller.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = "vault-password"
    sealed = await controller.run("ansible-vault", "encrypt_string", secret, "--name", "api_secret")
    assert sealed.code == 0, sealed.errors
    controller.write("ansible.cfg", f"[patchmon_inventory]\napi_key = {key}\n")
    more = f"{sealed.out}\npage_size: 1\nfilters: {{group: web_servers, outdated: yes}}\n"
    file = fleet(controller, more, url=f"{url}/api/v1/api/hosts/?hostgroup=production")
    found = (await controller.run("ansible-inventory", "-i", file, "--list")).json
    assert set(found["_meta"]["hostvars"]) == {"web-01"}
    # One request per page, three hosts in three pages and one that finds no more.
    file = fleet(controller, sealed.out + "\npage_size: 1\nfilters: {needs_reboot: false}\n")
    found = (await controller.run("ansible-inventory", "-i", file, "--list")).json
    assert len(found["_meta"]["hostvars"]) == 3


async def test_the_cache_answers_while_the_server_does_not(controller: Controller, call: Call) -> None:
    cached = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: kept\n"
    file = fleet(controller, cached)
    before = (await controller.run("ansible-inventory", "-i", file, "--list")).json
    await call.db.execute("update integration_tokens set is_active = false")
    assert (await controller.run("ansible-inventory", "-i", file, "--list")).json == before
    # Another filter is another question.
    fleet(controller, f"{cached}filters: {{outdated: true}}\n")
    refused = await controller.run("ansible-inventory", "-i", file, "--list")
    assert "The server refused with 401 API key is disabled." in flat(refused.errors)
    fleet(controller, cached)
    flushed = await controller.run("ansible-inventory", "-i", file, "--list", "--flush-cache")
    assert "The server refused with 401" in flat(flushed.errors)


async def test_errors_are_sentences(controller: Controller, call: Call) -> None:
    async def said(more: str = "", url: str = "", **environment: str) -> str:
        found = await controller.run(
            "ansible-inventory", "-i", fleet(controller, more, url), "--list",
            ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1", **environment,
        )  # fmt: skip
        assert found.code != 0
        assert "Traceback" not in found.errors
        return flat(found.errors)

    assert "api_secret is empty" in await said('api_secret: ""\n')
    assert "There is no filter 'colour'" in await said("filters: {colour: red}\n")
    assert "The filter stale must be true or false" in await said("filters: {stale: perhaps}\n")
    assert "api_url is no address of a server" in await said(url="patchmon.example.com")
    assert "cannot be reached" in await said(url="http://127.0.0.1:9")
    assert "refused with 404" in await said(url=f"{controller.environment['PATCHMON_TEST_URL']}/wrong")
    assert "Check api_key and api_secret" in await said(PATCHMON_API_SECRET="other")
    await call.db.execute("""update integration_tokens set scopes = '{"host": ["delete"]}'""")
    assert "The token needs the scope host:get" in await said()
