"""Sample projects, their files, launch forms and credentials."""

from dataclasses import replace
from typing import Final

from server.library.files import diff
from server.library.models import Credential, FileEntry, Finding, Grant, Listed, Project, Sync, Version
from server.library.pages import credentials, projects
from server.library.pages.editor import Change
from server.library.pages.frame import LEVELS
from server.library.pages.project import GrantRow, PlaybookRow
from server.web.fields import Field, filled
from server.web.tables import listing, parse
from tools.preview_samples.frame import Context, Sample, before, shell, uuid

_OLD: Final = """\
- name: Deploy
  hosts: all
  tasks:
    - name: Say
      ansible.builtin.debug:
        msg: one
"""
_NEW: Final = _OLD.replace("msg: one", "msg: two\n      ansible.builtin.command: uptime")
_GIT: Final = Project(
    uuid(800), "shop", "Web shop", "What the shop's hosts run.", "git", "https://git.example.com/ops/playbooks.git",
    "main", uuid(820), [uuid(821)], 60, "sealed", "launch", "a" * 64, "4cb8dd7423dc4bde3eb98560d7df917b2a59a7cc",
    before(hours=2), 0, "Ada Lovelace", before(hours=300), before(hours=2),
)  # fmt: skip
_OWN: Final = replace(
    _GIT, id=uuid(801), slug="desk", title="Help desk", kind="own", url="", branch="", revision="12",
    webhook_sealed=None,
)  # fmt: skip
_SYNCS: Final = [
    Sync(uuid(830), _GIT.id, "failed", "webhook", "", before(hours=1), before(hours=1), before(hours=1), "",
         "Remote branch release not found in upstream origin", "fatal: Remote branch release not found"),
    Sync(uuid(831), _GIT.id, "succeeded", "schedule", "library.tick", before(hours=2), before(hours=2), before(hours=2),
         _GIT.revision, "", "Fetching main\n2 playbooks: deploy.yml, site.yml\nPublished 4cb8dd7423dc."),
]  # fmt: skip
_ERROR: Final = Finding("site.yml", 4, 7, "error", "conflicting action statements: debug, command")
_HINT: Final = Finding("site.yml", 1, 0, "hint", "name[play]: All plays should be named.")
_PROJECT: Final[Context] = {
    "project": _GIT,
    "tab": "playbooks",
    "tabs": [
        {"name": name, "title": word, "url": f"/projects/shop?tab={name}", "active": False, "count": count}
        for name, word, count in (("playbooks", "Playbooks", 2), ("files", "Files", 3), ("syncs", "Log", None),
                                  ("rights", "Rights", None))
    ],
    "playbooks": [
        PlaybookRow("shop/deploy", "deploy.yml", "Deploy the shop", "Brings a release to the hosts.", True, 3, 0, True),
        PlaybookRow("shop/site", "site.yml", "Site", "", False, 0, 1, False),
    ],
    "files": [], "removed": [], "findings": [_ERROR], "syncs": _SYNCS, "grants": [], "subjects": [],
    "levels": list(LEVELS), "default_level": "Launch its playbooks", "busy": False, "failed": _SYNCS[0].reason,
    "can_edit": True, "can_sync": True, "webhook_url": "https://patchmon.example.com/api/v1/projects/shop/webhook",
    "secret": "",
}  # fmt: skip
_EDITOR: Final[Context] = {
    "shell": shell("Editor", "/projects/desk/edit/site.yml"), "project": _OWN, "path": "site.yml", "name": "site.yml",
    "version": 3, "text": _NEW, "size": len(_NEW), "diff": [], "reviewed": False, "why": "",
    "findings": [_ERROR, _HINT], "complaint": "", "can_edit": True, "is_playbook": True,
}  # fmt: skip
_CREDENTIALS: Final = [
    (Credential(uuid(820), "Deploy key", "git_key", "Reads the playbooks", ["known_hosts", "private_key"], "", True,
                "Ada", before(hours=9), before(hours=9), []), 1),
    (Credential(uuid(821), "Shop vault", "vault", "", ["password"], "", False, "Ada", before(hours=9), before(hours=1),
                ["role:admin", f"person:{uuid(3)}"]), 2),
]  # fmt: skip
_FORM: Final[Context] = {
    "shell": shell("Credential", "/credentials/new"), "credential": "", "heading": "New environment variables",
    "kind": "environment", "kinds": [],
    "about": [Field("name", "Name"), Field("description", "What it opens", required=False)],
    "values": [Field("pairs", "Values", "list", help="One per line: NAME=value.", complaint="PATH is ours")],
    "names": [], "shared": True, "subjects": [("role:admin", "Role admin"), (f"person:{uuid(3)}", "ada")], "users": [],
    "complaints": [("pairs", "PATH decides how a play runs and cannot be set")],
}  # fmt: skip


def _project(name: str, tab: str, **changes: object) -> Sample:
    tabs = [{**one, "active": one["name"] == tab} for one in _PROJECT["tabs"]]
    return name, "library/project.html", {
        "shell": shell("Project", "/projects/shop"), **_PROJECT, "tab": tab, "tabs": tabs, **changes,
    }  # fmt: skip


def _list(name: str, rows: list[Listed]) -> Sample:
    shown = listing(parse(projects.TABLE, {}), len(rows), may=bool)
    fields = {"shell": shell("Projects", "/projects"), "listing": shown, "rows": rows, "can_create": True}
    return name, "library/projects.html", fields


def _history() -> list[Change]:
    first = Version("site.yml", 1, _OLD.encode(), "first", "Ada Lovelace", before(hours=30))
    second = Version("site.yml", 2, _NEW.encode(), "", "Grace Hopper", before(hours=2))
    changed, made = diff(_OLD, _NEW, "site.yml"), diff("", _OLD, "site.yml")
    return [Change(second, changed, newest=True), Change(first, made, newest=False)]


_QUESTION: Final = [
    Field("q0_variable", "Variable", value="size", required=False),
    Field("q0_question", "Question", value="How big?", required=False),
    Field("q0_type", "Answer", "choice", value="choice", choices=(("choice", "One of several"),)),
    Field("q0_default", "Usual answer", value="small", required=False),
    Field("q0_choices", "Choices", "list", value="small\nlarge", required=False, help="One per line."),
    Field("q0_min", "At least", required=False),
    Field("q0_max", "At most", required=False),
    Field("q0_help", "Help", required=False),
    Field("q0_required", "An answer is needed", "boolean", value=True, required=False),
]

PAGES: Final[tuple[Sample, ...]] = (
    _list("projects", [Listed(_GIT, 2, 0, "failed", _SYNCS[0].reason), Listed(_OWN, 1, 1, "succeeded", "")]),
    _list("projects-empty", []),
    _project("project", "playbooks"),
    _project("project-empty", "playbooks", project=_OWN, playbooks=[], findings=[], failed="", busy=True),
    _project("project-files", "files", project=_OWN, failed="", removed=["old.yml"],
             files=[FileEntry("roles/web/tasks/main.yml", 812, 4), FileEntry("site.yml", 204, 1)]),
    _project("project-log", "syncs", secret="k7Jx-shown-once", failed=""),  # noqa: S106 (a sample)
    _project("project-rights", "rights", failed="", subjects=[("role:admin", "Role admin")],
             grants=[GrantRow(Grant("deploy.yml", "role", "user", "launch"), "Role user", "Launch its playbooks")]),
    ("project-new", "library/project_form.html", {
        "shell": shell("Project", "/projects/new"), "project": "", "heading": "New project", "kind": "git",
        "about": list(projects._ABOUT), "rights": list(projects._RIGHTS[:1]),  # noqa: SLF001 (the fields themselves)
        "git": filled(projects._GIT, {"url": "ext::x"}, {"url": "This kind of address is not fetched"}),  # noqa: SLF001
        "complaints": [("url", "This kind of address is not fetched")],
    }),
    ("editor", "library/editor.html", _EDITOR),
    ("editor-review", "library/editor.html", {**_EDITOR, "reviewed": True, "diff": diff(_OLD, _NEW, "site.yml"),
                                              "complaint": "Somebody saved site.yml since you opened it"}),
    ("editor-git", "library/editor.html", {**_EDITOR, "project": _GIT, "can_edit": False}),
    ("editor-binary", "library/editor.html", {**_EDITOR, "text": None, "findings": []}),
    ("history", "library/history.html", {
        "shell": shell("History", "/projects/desk/history/site.yml"), "project": _OWN, "path": "site.yml",
        "changes": _history(), "exists": True, "can_edit": True,
    }),
    ("playbook", "library/playbook.html", {
        "shell": shell("Playbook", "/projects/desk/playbooks/site.yml"), "project": _OWN, "file": "site.yml",
        "about": [Field("title", "Title", required=False), Field("approval", "Somebody else must approve", "boolean")],
        "questions": [_QUESTION], "offered": [(uuid(821), "Shop vault", "Vault password")], "chosen": [uuid(821)],
        "complaints": ["Question 1 needs choices"],
    }),
    ("credentials", "library/credentials.html", {
        "shell": shell("Credentials", "/credentials"), "rows": _CREDENTIALS, "kinds": dict(credentials._KINDS),  # noqa: SLF001
        "listing": listing(parse(credentials.TABLE, {}), 2, may=bool),
    }),
    ("credential-kinds", "library/credential_form.html", {**_FORM, "kind": "", "kinds": list(credentials._KINDS),  # noqa: SLF001
                                                          "heading": "New credential", "complaints": []}),
    ("credential", "library/credential_form.html", _FORM),
)  # fmt: skip
