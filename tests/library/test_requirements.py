"""What a project's requirements name is brought by the real ansible-galaxy and travels with the project."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.library import tools
from server.library.errors import BadProject
from tests.library.conftest import Projects
from tests.library.test_projects import SITE

pytestmark = pytest.mark.real
MODULE = """\
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

AnsibleModule(argument_spec={}).exit_json(changed=False, msg="brought along")
"""
GALAXY = """\
namespace: acme
name: tools
version: {version}
readme: README.md
authors: [Acme]
description: Of one module
license: [MIT]
"""
USES = """\
- name: Use what was brought
  hosts: all
  gather_facts: false
  roles:
    - greeter
  tasks:
    - name: Of the collection
      acme.tools.brought:
"""


def collection(folder: Path, version: str = "1.2.3") -> bytes:
    """Build a collection of one module, and return its file."""
    source = folder / f"acme-{version}"
    (source / "plugins" / "modules").mkdir(parents=True)
    (source / "galaxy.yml").write_text(GALAXY.format(version=version))
    (source / "README.md").write_text("Acme\n")
    (source / "plugins" / "modules" / "brought.py").write_text(MODULE)
    command = [
        sys.executable,
        "-m",
        "ansible",
        "galaxy",
        "collection",
        "build",
        str(source),
        "--output-path",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return (folder / f"acme-tools-{version}.tar.gz").read_bytes()


def role() -> bytes:
    """A role as a file that a web server hands out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("tasks/main.yml", "- name: Greet\n  ansible.builtin.debug:\n    msg: of the role\n"),
            ("meta/main.yml", "galaxy_info: {author: Acme, description: Greets, min_ansible_version: '2.14'}\n"),
        ):
            entry = tarfile.TarInfo(f"greeter/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
async def shelf() -> AsyncIterator[str]:
    """The address of a web server that hands out the role."""
    app = web.Application()

    async def hand_out(_: web.Request) -> web.Response:
        return web.Response(body=role(), content_type="application/gzip")

    app.router.add_get("/greeter.tar.gz", hand_out)
    async with TestServer(app) as server:
        yield str(server.make_url("/greeter.tar.gz"))


def needs(role_at: str) -> str:
    return json.dumps(
        {
            "roles": [{"name": "greeter", "src": role_at}],
            "collections": [{"name": "vendor/acme-tools-1.2.3.tar.gz", "type": "file"}],
        }
    )


async def test_roles_and_collections_are_brought_and_said(tmp_path: Path, shelf: str) -> None:
    said: list[str] = []
    files = {
        "site.yml": USES.encode(),
        "requirements.yml": needs(shelf).encode(),
        "vendor/acme-tools-1.2.3.tar.gz": collection(tmp_path),
    }

    found = await tools.with_requirements(files, said.append)

    assert found["roles/greeter/tasks/main.yml"].startswith(b"- name: Greet")
    assert b"brought along" in found["collections/ansible_collections/acme/tools/plugins/modules/brought.py"]
    assert found["site.yml"] == files["site.yml"]
    assert "$ ansible-galaxy collection install -r requirements.yml -p collections" in said
    assert any("acme.tools:1.2.3 was installed successfully" in line for line in said), said


async def test_what_cannot_be_had_fails_in_words_and_nothing_is_published(api: Projects, tmp_path: Path) -> None:
    await api.project()
    await api.put("site.yml", SITE)
    await api.work()
    good = (await api.shown())["digest"]
    await api.put("requirements.yml", json.dumps({"collections": [{"name": "vendor/gone.tar.gz", "type": "file"}]}))
    await api.work()
    shown = await api.shown()
    last = shown["syncs"][0]
    assert (last["status"], last["reason"]) == (
        "failed", "ansible-galaxy could not install what requirements.yml asks for",
    )  # fmt: skip
    assert "vendor/gone.tar.gz" in last["log"]
    assert str(tmp_path) not in last["log"]
    assert shown["digest"] == good, "what was good stays launchable"


@pytest.mark.parametrize("text", ["collections: 7", "- [", "roles:\n  - src: 7"])
async def test_requirements_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(BadProject, match=r"could not install what requirements\.yml asks for"):
        await tools.with_requirements({"requirements.yml": text.encode()}, lambda _: None)
