"""Projects and credentials as browsers without scripts use them."""

import re
from typing import Any

import pytest

from server.core.call import Call
from server.library import tasks
from tests.conftest import Browser
from tests.factories.automation import Fleet
from tests.factories.people import HTML
from tests.factories.reader import Reader
from tests.library.test_projects import BROKEN, SITE


@pytest.fixture
def reader(as_admin: Browser) -> Reader:
    return Reader(as_admin)


async def test_a_project_is_made_written_reviewed_restored_and_launched(
    reader: Reader, fleet: Fleet, call: Call
) -> None:
    assert "No project yet" in await reader.words("/projects")
    refused = await reader.send("/projects/new", "/projects/new", 400, slug="UP PER", title="Shop")
    assert "small letters" in refused
    home = await reader.send("/projects/new", "/projects/new", title="Web Shop!", default_level="edit")
    assert home == "/projects/web-shop"
    assert "No playbook yet" in await reader.words(home)

    new = f"{home}/new-file"
    wrong = await reader.send(new, new, 400, name="../up.yml", text=SITE, version="0", step="save")
    assert "is not the name of a file below the project" in wrong
    shown = await reader.send(new, new, 200, name="site.yml", text=SITE, version="0", step="review")
    assert "The new file" in shown
    assert "+- name: Greet everybody" in shown
    editor = await reader.send(new, new, name="site.yml", text=SITE, version="0", step="save", why="first")
    assert editor == f"{home}/edit/site.yml"
    broken: dict[str, Any] = {"name": "site.yml", "text": BROKEN, "version": "1", "why": "broke it"}
    shown = await reader.send(editor, editor, 200, **broken, step="review")
    assert "-- name: Greet everybody" in shown
    await reader.send(editor, editor, **broken, step="save")
    late = await reader.send(editor, editor, 409, **{**broken, "text": SITE}, step="save")
    assert "Somebody saved site.yml since you opened it" in late
    await tasks.tick(call)
    assert "Line 3, column 7 conflicting action statements" in await reader.words(editor)
    assert "1 mistake" in await reader.words(home)

    history = f"{home}/history/site.yml"
    words = await reader.words(history)
    assert re.search(r"Version 2 now broke it .* Version 1 first", words)
    await reader.send(history, f"{home}/restore/site.yml", version="1")
    await tasks.tick(call)
    assert "Good" in await reader.words(home)

    await fleet.online("web-01")
    form = "/playbooks/web-shop/site/launch"
    assert "What to say" in await reader.words(form)
    job = await reader.send(
        form, form, host=fleet.ids["web-01"], check="true", greeting="ahoy", tags="a, b", verbosity="1", diff="true"
    )
    shown = await reader.words(f"{job}?tab=variables")
    assert "ahoy" in shown
    await reader.send(home, f"{home}/remove/site.yml")
    assert "Deleted, and there to be restored: site.yml" in await reader.words(f"{home}?tab=files")
    await tasks.tick(call)
    assert "web-shop" not in await reader.words("/playbooks")


async def test_forms_rights_and_credentials_are_kept_without_showing_a_secret(reader: Reader, call: Call) -> None:
    await reader.send("/projects/new", "/projects/new", title="Shop")
    await reader.send("/projects/shop/new-file", "/projects/shop/new-file", name="site.yml", text=SITE, step="save")
    assert "No credential yet" in await reader.words("/credentials")
    kinds = await reader.words("/credentials/new")
    assert "Opens what ansible-vault encrypted" in kinds
    new = "/credentials/new?kind=variables"
    refused = await reader.send(
        new, "/credentials/new", 400, kind="variables", name="Keys", pairs="ansible_host=hidden-9"
    )
    assert "decides how a play reaches its host" in refused
    assert "hidden-9" not in refused
    await reader.send(new, "/credentials/new", kind="variables", name="Keys", pairs="api_key=hidden-9\n", shared="true")
    listed = await reader.page("/credentials")
    assert "api_key" in listed
    found = re.search(r"/credentials/([0-9a-f-]{36})", listed)
    assert found is not None
    edit = f"/credentials/{found[1]}"
    assert "hidden-9" not in await reader.page(edit)
    await reader.send(edit, edit, name="API keys", shared="false", users="role:user")

    form = "/projects/shop/playbooks/site.yml"
    question: dict[str, Any] = {
        "q0_variable": "size",
        "q0_question": "How big?",
        "q0_type": "choice",
        "q0_required": "true",
    }
    refused = await reader.send(form, form, 400, approval="true", **question)
    assert "Question 1 needs choices" in refused
    await reader.send(form, form, approval="true", credential=found[1], **question, q0_choices="small\r\nlarge")
    await tasks.tick(call)
    launch = await reader.page("/playbooks/shop/site/launch")
    assert "How big?" in launch
    assert "waits until somebody else approves it" in launch
    assert "How big?" in await reader.page(form)

    rights = "/projects/shop?tab=rights"
    await reader.send(rights, "/projects/shop/rights", subject="role:user", level="launch", file="site.yml")
    assert "Role user Launch its playbooks site.yml" in await reader.words(rights)
    await reader.send(
        rights, "/projects/shop/rights", subject="role:user", level="launch", file="site.yml", take="true"
    )
    assert "Role user Launch its playbooks" not in await reader.words(rights)
    await reader.send(edit, f"{edit}/delete")
    assert "No credential yet" in await reader.words("/credentials")


async def test_nobody_without_the_permission_sees_or_changes_anything(reader: Reader, client: Browser) -> None:
    await reader.send("/projects/new", "/projects/new", title="Shop")
    for url in ("/projects/new", "/credentials", "/projects/shop"):
        async with client.get(url, headers=HTML, allow_redirects=False) as answer:
            assert answer.status == 303
