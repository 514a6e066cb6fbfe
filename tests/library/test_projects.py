"""Operators' own playbooks, from the text in the editor to the job on a host."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from server.core.call import Call
from server.library import archives, plays, tasks
from server.library.errors import BadFile
from server.library.models import Said
from tests.factories.automation import Fleet
from tests.library.conftest import Projects

SITE = """\
- name: Greet everybody
  hosts: all
  gather_facts: false
  vars_prompt:
    - name: greeting
      prompt: What to say
      default: hello
      private: false
  tasks:
    - name: Say it
      ansible.builtin.debug:
        msg: "{{ greeting }}"
"""
BROKEN = """\
- hosts: all
  tasks:
    - name: Two at once
      ansible.builtin.debug:
        msg: one
      ansible.builtin.command: "true"
"""


async def test_a_playbook_is_written_checked_published_launched_and_restored(
    api: Projects, fleet: Fleet, call: Call
) -> None:
    await api.project()
    await api.put("site.yml", SITE)
    await api.put("group_vars/all.yml", "colour: blue\n")
    await api.work()
    shown = await api.shown()
    assert [one["path"] for one in shown["files"]] == ["group_vars/all.yml", "site.yml"]
    assert (shown["findings"], shown["syncs"][0]["status"]) == ([], "succeeded"), shown["syncs"][0]["log"]
    listed = {one["name"]: one for one in (await api.ask("GET", "/playbooks"))["playbooks"]}
    playbook = listed["shop/site"]
    assert (playbook["title"], playbook["digest"]) == ("Greet everybody", shown["digest"])
    assert [(one["name"], one["default"], one["required"]) for one in playbook["variables"]] == [
        ("greeting", "hello", False)
    ]

    # ansible-lint says what could be better, once nothing is wrong.
    await api.put("loose.yml", "- hosts: all\n  tasks: []\n")
    await api.work()
    project = await call.db.value("select id from library_projects where slug = %(slug)s", slug="shop")
    await tasks.hints(call, project, (await api.shown())["digest"])
    assert {(one["path"], one["kind"]) for one in (await api.shown())["findings"]} == {("loose.yml", "hint")}

    agent = await fleet.online("web-01")
    job = await api.launch("web-01", playbook="shop/site", variables={"greeting": "ahoy"}, check=False)
    held = await agent.job()
    assert held.spec["playbook"] == "site.yml"
    assert "ahoy" in held.spec["variables"]
    await agent.end(held, "failed")
    await api.status(job, "failed")
    again = await api.ask("POST", f"/jobs/{job['id']}/relaunch", status=201)
    assert again["variables"] == {"greeting": "ahoy"}

    # What cannot run says where, the rest stays launchable; an earlier version comes back.
    saved = await api.put("site.yml", BROKEN, version=1)
    assert saved["version"] == 2
    await api.put("site.yml", "too late", version=1, status=409)
    await api.work()
    (found,) = [one for one in (await api.shown())["findings"] if one["kind"] == "error"]
    assert (found["path"], found["line"]) == ("site.yml", 3)
    assert "conflicting action statements" in found["text"]


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.yml")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/shadow")
    return buffer.getvalue()


def _tar(change: Callable[[tarfile.TarInfo], None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("top/site.yml")
        info.size = 3
        change(info)
        archive.addfile(info, io.BytesIO(b"[]\n" if info.isfile() else b""))
    return buffer.getvalue()


def _set(**values: object) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        for name, value in values.items():
            setattr(info, name, value)

    return change


HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zip that leads out": ("a.zip", lambda: _zip(**{"../up.yml": b"x"}), "is not the name of a file below the project"),
    "zip from the root": ("a.zip", lambda: _zip(**{"/etc/x": b"x"}), "is not the name of a file below the project"),
    "zip with a link": ("a.zip", _zip_link, "is a link or a device"),
    "zip bomb": ("a.zip", lambda: _zip(**{"bomb.bin": bytes(20 * 1024**2)}), "is larger than 8 MiB"),
    "many large ones": (
        "a.zip", lambda: _zip(**{f"f{n}": bytes(7 * 1024**2) for n in range(5)}), "larger than 32 MiB",
    ),
    "no zip": ("a.zip", lambda: b"PK\3\4nonsense", "not a readable zip"),
    "tar that leads out": (
        "a.tar.gz", lambda: _tar(_set(name="../../up.yml")), "is not the name of a file below the project",
    ),
    "tar with a link": (
        "a.tar.gz", lambda: _tar(_set(type=tarfile.SYMTYPE, linkname="/etc/shadow", size=0)), "is a link or a device",
    ),
    "tar with a device": ("a.tar.gz", lambda: _tar(_set(type=tarfile.CHRTYPE, size=0)), "is a link or a device"),
    "no tar": ("a.tgz", lambda: b"no tar", "not a readable tar"),
    "a program": ("a.exe", lambda: b"MZ", "Upload a playbook"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused_with_a_sentence(kind: str) -> None:
    name, data, sentence = HOSTILE[kind]
    with pytest.raises(BadFile, match=sentence):
        archives.read(name, data())


async def test_an_archive_replaces_what_is_there(api: Projects) -> None:
    await api.project()
    await api.put("old.yml", SITE)
    good = _tar(_set())
    async with api.session.post(
        f"{api.url}/api/v1/projects/shop/archive?name=p.tar.gz&replace=true", data=good, headers=api.headers
    ) as answer:
        assert (answer.status, await answer.json()) == (200, {"changed": 2})
    assert [one["path"] for one in (await api.shown())["files"]] == ["site.yml"]


def test_forms_come_from_roles_and_surveys() -> None:
    spec = b"argument_specs: {main: {options: {port: {type: int, required: true}, token: {type: str, no_log: true}}}}"
    files = {
        "a.yml": b"- hosts: all\n  roles: [web]\n",
        "roles/web/meta/argument_specs.yml": spec,
        "vars.yml": b"a: 1\n",
    }
    (found,), wrong = plays.playbooks("shop", files, {}, "0" * 64, "project:shop")
    assert [(one.name, one.kind, one.required) for one in found.fields] == [
        ("port", "number", True),
        ("token", "password", False),
    ]
    assert wrong == ()
    survey: list[dict[str, object]] = [
        {"variable": "text", "type": "multiline", "question": "Say more"},
        {"variable": "sizes", "type": "multichoice", "choices": ["s", "m", "l"], "default": ["m"]},
        {"variable": "count", "type": "number", "min": 1, "max": 5, "required": True},
        {"variable": "key", "type": "password"},
    ]
    assert plays.complaints_of_survey(survey) == []
    (asked,), _ = plays.playbooks("shop", files, {"a.yml": Said("a.yml", survey=survey)}, "0" * 64, "project:shop")
    assert [one.kind for one in asked.fields] == ["area", "choices", "number", "password"]
    bad: list[dict[str, object]] = [
        {"variable": "ansible_host"},
        {"variable": "a", "type": "x"},
        {"variable": "b", "type": "choice"},
    ]
    assert len(plays.complaints_of_survey(bad)) == 3


async def test_a_survey_asks_and_a_second_person_approves(api: Projects, operator: Projects, fleet: Fleet) -> None:
    await api.project()
    await api.put("site.yml", SITE)
    await api.work()
    survey = [{"variable": "size", "type": "choice", "choices": ["s", "l"], "required": True, "question": "How big?"}]
    await api.ask("PUT", "/projects/shop/playbooks/site.yml", {"survey": survey, "approval": True})
    assert (await api.ask("GET", "/projects/shop/playbooks/site.yml"))["approval"] is True
    await api.work()
    agent = await fleet.online("web-01")
    order = {"playbook": "shop/site", "hosts": ["web-01"], "check": False}
    refused = await operator.ask("POST", "/jobs", {**order, "variables": {"size": "xl"}}, status=400)
    assert refused["complaints"] == {"variables.size": "must be one of s, l"}
    job = await operator.ask("POST", "/jobs", {**order, "variables": {"size": "l"}}, status=201)
    assert job["status"] == "awaiting_approval"
    own = await operator.ask("POST", f"/jobs/{job['id']}/approve", status=403)
    assert own["code"] == "not_your_own_job"
    assert (await api.ask("POST", f"/jobs/{job['id']}/approve"))["status"] in {"queued", "dispatched"}
    held = await agent.job()
    await agent.end(held, "succeeded")
    await api.status(job, "succeeded")
    assert (await api.ask("POST", f"/jobs/{job['id']}/approve", status=409))["code"] == "nothing_to_approve"


async def test_rights_count_per_project_and_playbook(api: Projects, operator: Projects, fleet: Fleet) -> None:
    await api.project(default_level="view")
    for name in ("site", "other"):
        await api.put(f"{name}.yml", SITE)
    await api.work()
    await fleet.enrol("web-01")
    order = {"hosts": ["web-01"], "check": True}
    assert (await operator.ask("POST", "/jobs", {**order, "playbook": "shop/site"}, status=403))[
        "code"
    ] == "may_not_launch"
    await operator.put("site.yml", "x", version=1, status=403)
    for file, level in (("site.yml", "launch"), ("other.yml", "none")):
        right = {"file": file, "subject_kind": "role", "subject": "host_manager", "level": level}
        await api.ask("PUT", "/projects/shop/rights", right)
    assert len((await api.ask("GET", "/projects/shop/rights"))["rights"]) == 3
    await operator.ask("POST", "/jobs", {**order, "playbook": "shop/site"}, status=201)
    seen = [one["name"] for one in (await operator.ask("GET", "/playbooks"))["playbooks"]]
    assert "shop/site" in seen
    assert "shop/other" not in seen
    await operator.ask("POST", "/jobs", {**order, "playbook": "shop/other"}, status=403)
    assert (await operator.ask("DELETE", "/projects/shop", status=403))["code"] == "project_forbidden"
    await api.ask("DELETE", "/projects/shop", status=204)
    assert (await api.ask("GET", "/projects/shop", status=404))["code"] == "project_not_found"
