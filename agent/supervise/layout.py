"""The run directory: everything of one play, private, on memory where there is some, gone at the end."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import List

from agent.protocol import archive

from .environment import callback_folder, collections_folder
from .spec import BadSpec, Spec, Stage

_PRIVATE = 0o600
#: Below this the job is not begun: an event is at most 256 KiB, and a play without room for its files only fails later.
JOB_ROOM_BYTES = 2 * 1024 * 1024
RUN_ROOM_BYTES = 8 * 1024 * 1024
_FOLDERS = ("inventory", "env", "results", "tmp", "remote", "async", "ansible", "artifacts")


class NoRoom(OSError):
    """Too little room for a job; the text says where and how much there is."""


def check_room(job: Path, run: Path, project_bytes: int) -> None:
    """Refuse to begin when the job's files would not fit.

    Raises:
        NoRoom: too little is free.
    """
    for folder, needed in ((job, JOB_ROOM_BYTES), (run, RUN_ROOM_BYTES + 2 * project_bytes)):
        room = os.statvfs(folder)
        free = room.f_bavail * room.f_frsize
        if free < needed:
            raise NoRoom(f"{free // 1024} KiB free at {folder}, {needed // 1024} KiB needed")


def prepare(run: Path) -> None:
    """Make the parts of the run directory that hold nothing of the job yet; Ansible's start needs them."""
    _make_private(run.parent)
    _make_private(run)
    run.chmod(0o700)
    for name in _FOLDERS:
        (run / name).mkdir(mode=0o700, exist_ok=True)
    _write(run / "ansible.cfg", _configuration(run))


def lay_out(spec: Spec, project: bytes, run: Path) -> None:
    """Write project, inventory and values.

    Raises:
        BadSpec: the playbook is not in the project.
        agent.protocol.archive.ArchiveError: the project is not a zip of ours.
    """
    archive.unpack(project, run / "project")
    for name, content in spec.files.items():
        _replace(run / "project" / name, content)
    for stage in spec.stages:
        if not (run / "project" / stage.playbook).is_file():
            raise BadSpec(f"playbook {stage.playbook!r} is not in the project")
    _write(run / "inventory" / "hosts.yml", spec.inventory)
    _write(run / "inventory" / "local.yml", json.dumps(_local(spec.host)))
    for name, text in (("variables", spec.variables), ("secrets", spec.secrets)):
        if text.strip():
            _write(run / "env" / f"{name}.yml", text)


def tell_stage(run: Path, stage: Stage, *, restarted: bool) -> None:
    """Write what a playbook may know of its place in the job."""
    told = {"patchmon_stage": stage.name, "patchmon_restarted": restarted, "patchmon_results": str(run / "results")}
    _write(run / "env" / "stage.yml", json.dumps(told))


def arguments(spec: Spec, stage: Stage, run: Path) -> List[str]:
    """Return what ``ansible-playbook`` is called with; values travel in files, never here."""
    words = ["--inventory", str(run / "inventory" / "hosts.yml"), "--inventory", str(run / "inventory" / "local.yml")]
    for name in ("variables", "secrets", "stage"):
        if (run / "env" / f"{name}.yml").exists():
            words += ["--extra-vars", f"@{run / 'env' / name}.yml"]
    words += ["--check"] if spec.check else []
    words += ["--diff"] if spec.diff else []
    words += [f"--tags={','.join(spec.tags)}"] if spec.tags else []
    words += [f"--skip-tags={','.join(spec.skip_tags)}"] if spec.skip_tags else []
    words += [f"-{'v' * spec.verbosity}"] if spec.verbosity else []
    return [*words, "--", stage.playbook]


def clear(run: Path) -> None:
    """Delete the run directory; what cannot be deleted is an error, because it may hold secrets."""
    if run.exists():
        shutil.rmtree(run)


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else can replace, or make sure that an existing one is such.

    Raises:
        PermissionError: it is a link, or somebody else's, or others may rename what is in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or others_write:
        raise PermissionError(f"{folder} is not safe for secrets")


def _local(host: str) -> object:
    """The later source wins: whatever the inventory says, the play runs here, with the agent's own interpreter."""
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"vars": own, "hosts": {host: own}}}


def _configuration(run: Path) -> str:
    return f"""\
[defaults]
home = {run}/ansible
local_tmp = {run}/tmp
remote_tmp = {run}/remote
async_dir = {run}/async
collections_path = {collections_folder()}
collections_scan_sys_path = false
interpreter_python = {sys.executable}
stdout_callback = awx_display
callback_plugins = {callback_folder()}
force_color = true
nocows = true
retry_files_enabled = false
deprecation_warnings = false
localhost_warning = false
inject_facts_as_vars = true
gathering = implicit
module_strict_utf8_response = false

[inventory]
enable_plugins = ansible.builtin.yaml
any_unparsed_is_failed = true

[connection]
pipelining = true
"""  # noqa: S108 (folders of ours, below a private one)


def _replace(path: Path, content: bytes) -> None:
    """Put what the project holds encrypted in its place, in clear; the run directory is private and goes with the job.

    Raises:
        BadSpec: the project has no such file.
    """
    if not path.is_file() or path.is_symlink():
        raise BadSpec("a secret file is not in the project")
    path.chmod(_PRIVATE)
    path.write_bytes(content)


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
