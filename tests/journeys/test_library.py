"""A git project with encrypted values, from its credentials to two hosts; one of them lets no such playbook in."""

import hashlib
import os
from pathlib import Path
from subprocess import run

import pytest
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from tests.factories.house import BIN, House, Start
from tests.journeys.conftest import picture, signed_in

PASSWORD = "vault-pass-83c1"
VALUE = "canary-value-5d77"
FILED = "canary-file-9b20"
KEY = "canary-key-e41a"
_PATIENCE_MS = 60_000

SITE = f"""\
- name: Deploy the shop
  hosts: all
  gather_facts: false
  vars_files: [vars/secret.yml]
  tasks:
    - name: Show what nobody may see
      ansible.builtin.debug:
        msg: "{{{{ db_password }}}} {{{{ filed }}}} {{{{ lookup('env', 'SHOP_KEY') }}}} {{{{ colour }}}}"
    - name: All of it arrived
      ansible.builtin.assert:
        that:
          - db_password | hash('sha256') == '{hashlib.sha256(VALUE.encode()).hexdigest()}'
          - filed | hash('sha256') == '{hashlib.sha256(FILED.encode()).hexdigest()}'
          - lookup('env', 'SHOP_KEY') | hash('sha256') == '{hashlib.sha256(KEY.encode()).hexdigest()}'
          - from_a_role == 'yes'
    - name: A program gets the key as well
      ansible.builtin.command: printenv SHOP_KEY
      changed_when: false
  roles: [shop]
"""


def repository(folder: Path) -> str:
    """Make a repository with a role, an encrypted value, and a file that is encrypted as a whole."""
    for path, text in {
        "site.yml": SITE,
        "group_vars/all.yml": f"from_a_role: 'yes'\ndb_password: {encrypted(folder, VALUE)}",
        "vars/secret.yml": f"filed: {FILED}\n",
        "roles/shop/tasks/main.yml": '- name: Paint\n  ansible.builtin.debug:\n    msg: "{{ colour }}"\n',
        "roles/shop/meta/argument_specs.yml": "argument_specs: {main: {short_description: Shop, options: "
        "{colour: {type: str, default: blue, choices: [blue, green], description: How it looks.}}}}\n",
    }.items():
        (folder / "repo" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "repo" / path).write_text(text)
    vault(folder, "encrypt", str(folder / "repo/vars/secret.yml"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return f"file://{folder}/repo"


def vault(folder: Path, *words: str) -> str:
    (folder / "password").write_text(PASSWORD)
    told = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    command = [str(BIN / "ansible-vault"), *words[:1], "--vault-password-file", str(folder / "password"), *words[1:]]
    return run(command, check=True, capture_output=True, text=True, env=told).stdout


def encrypted(folder: Path, text: str) -> str:
    return vault(folder, "encrypt_string", text)


def git(folder: Path, *words: str) -> None:
    told = {"HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    run(["git", *who, "-C", str(folder / "repo"), *words], check=True, capture_output=True, env=told)


async def credential(page: Page, kind: str, name: str, label: str, value: str) -> None:
    await page.goto("/credentials/new")
    await page.get_by_role("link", name=kind).click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label(label, exact=True).fill(value)
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_text(f"The credential {name} is kept.")).to_be_visible()


async def credentials(page: Page) -> None:
    """Keep what the project needs, in the browser."""
    await credential(page, "Vault password", "Shop vault", "Password", PASSWORD)
    await credential(page, "Environment variables", "Shop key", "Values", f"SHOP_KEY={KEY}")
    await picture(page, "credentials")


async def project(page: Page, url: str) -> None:
    """Make the project and wait until it can be launched."""
    await page.goto("/projects/new?kind=git")
    await page.get_by_label("Name", exact=True).fill("Web shop")
    await page.get_by_label("Address").fill("ext::sh%20-c%20id")
    await page.get_by_role("checkbox", name="Shop vault").check()
    await page.get_by_role("button", name="Create project").click()
    await expect(page.get_by_text("This kind of address is not fetched").first).to_be_visible()
    await picture(page, "project-new")
    await page.get_by_label("Address").fill(url)
    await page.get_by_role("button", name="Create project").click()
    await expect(page.get_by_role("heading", name="Web shop", level=1)).to_be_visible()
    published = page.get_by_role("link", name="Deploy the shop")
    for _ in range(60):
        if await published.first.is_visible():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await expect(published.first).to_be_visible()
    await picture(page, "project")
    for tab in ("syncs", "rights"):
        await page.goto(f"/projects/web-shop?tab={tab}")
        await picture(page, f"project-{tab}")
    await page.goto("/projects/web-shop/playbooks/site.yml")
    await picture(page, "project-playbook")
    await page.goto("/playbooks")
    await expect(page.get_by_text("web-shop/site")).to_be_visible()
    await picture(page, "playbooks-grouped")


async def own(page: Page) -> None:
    """Write a file, look at what changes, and at what was before."""
    await page.goto("/projects/new")
    await page.get_by_label("Name", exact=True).fill("Help desk")
    await page.get_by_role("button", name="Create project").click()
    await page.get_by_role("link", name="Write one").click()
    await page.get_by_role("button", name="Save at once").click()
    text = page.get_by_label("Text")
    await text.fill((await text.input_value()).replace("Hello", "Good morning"))
    await expect(page.locator(".editor-gutter")).to_contain_text("7")
    await page.get_by_label("Why").fill("Friendlier")
    await page.get_by_role("button", name="Review changes").click()
    await expect(page.get_by_text("+        msg: Good morning")).to_be_visible()
    await picture(page, "editor-review")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("link", name="History").click()
    await picture(page, "history")


async def launch(page: Page) -> None:
    """Run it on both hosts for real."""
    await page.goto("/playbooks/web-shop/site/launch")
    await picture(page, "launch-project")
    for name in ("web-01", "db-01"):
        await page.get_by_role("checkbox", name=name).check()
    await page.get_by_role("checkbox", name="Shop key").check()
    await page.get_by_label("Colour").select_option("green")
    await page.get_by_role("radio", name="Real run").check()
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text("automation is 'builtin'").first).to_be_visible(timeout=_PATIENCE_MS)
    await expect(page.locator("#job-head .state", has_text="Failed")).to_be_visible(timeout=_PATIENCE_MS)


@pytest.mark.real
async def test_a_git_project_with_a_vault_reaches_the_hosts_that_allow_it(
    house: House, start: Start, call: Call, chromium: Browser, tmp_path: Path, pyz: Path
) -> None:
    url = repository(tmp_path)
    server = await start(LIBRARY_ALLOW_FILE_URLS="true")
    free = await house.agent("web-01", server.port, pyz=pyz)
    strict = await house.agent("db-01", server.port, pyz=pyz, automation="builtin")
    for agent in (free, strict):
        await agent.start()
    page, problems = await signed_in(chromium, server.url, call)

    await credentials(page)
    await project(page, url)
    await own(page)
    await launch(page)
    statuses = {row["host_name"]: row for row in await call.db.all("select host_name, status, reason from job_hosts")}
    assert statuses["web-01"]["status"] == "succeeded", statuses
    assert "only the built-in playbooks" in statuses["db-01"]["reason"]
    printed = str(await call.db.value("select string_agg(e::text, ' ') from job_events e"))
    assert "******** ******** ******** green" in printed

    for secret in (PASSWORD, VALUE, FILED, KEY):
        tables = await call.db.column(
            "select quote_ident(tablename) from pg_tables where schemaname = %(s)s", s="public"
        )
        found = [t for t in tables if secret in str(await call.db.value(f"select string_agg(t::text, ' ') from {t} t"))]
        assert found == [], f"{secret} is in {found}"
        assert secret not in server.program.log.read_text()
        for agent in (free, strict):
            left = [str(f) for f in agent.folder.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
            assert left == [], f"{secret} is in {left}"
    assert [one for one in problems if "400" not in one] == []
