"""A workflow from a git project with an encrypted value, on schedule: on the host, relayed, refused; watched live."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.factories.automation import Api
from tests.factories.house import House, Start
from tests.factories.people import bearer
from tests.journeys.conftest import picture, signed_in
from tests.journeys.test_library import PASSWORD, VALUE, encrypted, git
from tests.stand_ins.existing_agent import ExistingAgent

pytestmark = pytest.mark.real

SITE = f"""\
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: The value arrived
      ansible.builtin.assert:
        that: db_password | hash('sha256') == '{hashlib.sha256(VALUE.encode()).hexdigest()}'
    - name: Say it on the host
      ansible.builtin.command: echo "{{{{ db_password }}}} on {{{{ inventory_hostname }}}}"
      changed_when: false
"""
_PATIENCE_MS = 90_000


def repository(folder: Path) -> str:
    (folder / "repo" / "group_vars").mkdir(parents=True)
    (folder / "repo" / "site.yml").write_text(SITE)
    (folder / "repo" / "group_vars" / "all.yml").write_text(f"db_password: {encrypted(folder, VALUE)}")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return f"file://{folder}/repo"


async def project(api: Api, url: str) -> None:
    """Keep the password and follow the repository until its playbook can be launched."""
    kept = {"name": "Vault", "kind": "vault", "values": {"password": PASSWORD}}
    vault = await api.ask("POST", "/credentials", kept, status=201)
    wanted = {"slug": "shop", "title": "Shop", "kind": "git", "url": url, "vault_ids": [vault["id"]]}
    await api.ask("POST", "/projects", wanted, status=201)
    async with asyncio.timeout(60):
        while "shop/site" not in {one["name"] for one in (await api.ask("GET", "/playbooks"))["playbooks"]}:
            await asyncio.sleep(0.5)


async def scheduled(api: Api, call: Call) -> dict[str, Any]:
    """Make the workflow and a schedule whose time has just come."""
    step = {"playbook": "shop/site", "kind": "playbook"}
    nodes = [
        {**step, "key": "here", "title": "On the host", "hosts": ["web-01"]},
        {**step, "key": "relayed", "title": "Relayed", "hosts": ["web-02"], "options": {"executor": "relayed"}},
        {**step, "key": "older", "title": "On an older agent", "hosts": ["old-01"]},
        {"key": "ask", "kind": "approval", "title": "Go on without it?"},
    ]
    edges = [
        {"from": "here", "to": "relayed"},
        {"from": "relayed", "to": "older"},
        {"from": "older", "to": "ask", "when": "failure"},
    ]
    workflow = await api.ask("POST", "/workflows", {"name": "Deploy", "nodes": nodes, "edges": edges}, status=201)
    body = {"name": "Nightly", "workflow": workflow["id"], "cron": "* * * * *", "timezone": "Europe/Berlin"}
    schedule: dict[str, Any] = await api.ask("POST", "/schedules", body, status=201)
    await call.db.execute("update schedules set considered_until = considered_until - interval '1 minute'")
    async with asyncio.timeout(30):
        while not (found := (await api.ask("GET", f"/schedules/{schedule['id']}"))["starts"]):
            await asyncio.sleep(0.3)
    await api.ask("POST", f"/schedules/{schedule['id']}/pause", {})
    return dict(found[-1])


async def test_a_workflow_from_git_runs_on_schedule_wherever_it_can(
    house: House, start: Start, call: Call, chromium: Browser, tmp_path: Path
) -> None:
    url = repository(tmp_path)
    server = await start(LIBRARY_ALLOW_FILE_URLS="true")
    for name in ("web-01", "web-02"):
        await (await house.agent(name, server.port)).start()
    async with aiohttp.ClientSession() as session:
        made = await hosts.create(call, NewHost("old-01"))
        older = await ExistingAgent(session, server.url, made.api_id, made.api_key.reveal()).connect()
        api = Api(session, server.url, await bearer(call))
        await project(api, url)
        page, problems = await signed_in(chromium, server.url, call)
        begun = await scheduled(api, call)
        assert begun["outcome"] == "started", begun
        await page.goto(f"/workflows/runs/{begun['run_id']}")
        rows = page.locator("tbody tr")
        for title in ("On the host", "Relayed"):
            done = rows.filter(has_text=title).get_by_text("succeeded")
            await expect(done).to_be_visible(timeout=_PATIENCE_MS)
        await expect(rows.filter(has_text="On an older agent").get_by_text("failed").first).to_be_visible(
            timeout=_PATIENCE_MS
        )
        await expect(page.get_by_text("cannot run playbooks").first).to_be_visible()
        await picture(page, "workflow-from-git")
        await page.get_by_role("button", name="Approve", exact=True).first.click()
        await page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
        await expect(page.locator(".run-line .state", has_text="succeeded")).to_be_visible(timeout=_PATIENCE_MS)
        await older.drop()

    executors = await call.db.all("select host_name, executor, status from job_hosts order by id")
    assert [(one["host_name"], one["executor"], one["status"]) for one in executors][:2] == [
        ("web-01", "on_host", "succeeded"), ("web-02", "relayed", "succeeded"),
    ]  # fmt: skip
    printed = str(await call.db.value("select string_agg(e::text, ' ') from job_events e"))
    assert "******** on web-01" in printed
    assert "******** on web-02" in printed
    assert VALUE not in printed
    assert VALUE not in server.program.log.read_text()
    assert problems == []
