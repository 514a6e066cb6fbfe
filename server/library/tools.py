"""Ansible's own programs over a project's files: what is wrong with its syntax, and what its requirements bring."""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from agent.protocol.archive import ArchiveError, read_folder
from server.automation import service as automation
from server.core import programs
from server.core.loop import in_thread
from server.library.errors import BadProject
from server.library.models import MOST_BYTES, MOST_FILES, Files, Finding

_CHECK_SECONDS: Final = 60.0
_LINT_SECONDS: Final = 120.0
_GALAXY_SECONDS: Final = 600.0
_MOST_CHECKED: Final = 50
_REQUIREMENTS: Final = ("requirements.yml", "requirements.yaml")
_ROLE_REQUIREMENTS: Final = ("roles/requirements.yml", "roles/requirements.yaml")
_COLLECTION_REQUIREMENTS: Final = ("collections/requirements.yml", "collections/requirements.yaml")
_ORIGIN: Final = re.compile(r"^Origin: (?P<path>/[^\n]*?)(?::(?P<line>\d+))?(?::(?P<place>\d+))?$", re.MULTILINE)
_ERROR: Final = re.compile(
    r"^(?:\[ERROR\]:|ERROR!)\s*(?P<text>.+?)(?=\n(?:Origin:|\n|\[)|\Z)", re.MULTILINE | re.DOTALL
)
_CAUSE: Final = re.compile(r"<<< caused by >>>\s*\n+(?P<text>[^\n]+)")
_LINTED: Final = re.compile(r"^(?P<path>[^:\n]+):(?P<line>\d+)(?::(?P<place>\d+))?: (?P<text>.+)$", re.MULTILINE)
_NOT_HERE: Final = ("syntax-check", "load-failure", "internal-error")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")

Say = Callable[[str], None]


@contextmanager
def laid_out(files: Files) -> Iterator[Path]:
    """Yield a folder with ``project`` in it, for one program run; gone afterwards, whatever became of it."""
    with tempfile.TemporaryDirectory(prefix="patchmon-library-") as name:
        folder = Path(name)
        for path, content in files.items():
            place = folder / "project" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        (folder / "project").mkdir(exist_ok=True)
        (folder / "ansible.cfg").write_text(_configuration(folder), encoding="utf-8")
        programs.hand_over(folder)
        yield folder


def _configuration(folder: Path) -> str:
    # A project's own ansible.cfg would decide which plugins are loaded here; on hosts it does not count either.
    lines = (
        "[defaults]",
        f"home = {folder / 'home'}",
        f"local_tmp = {folder / 'scratch'}",
        f"collections_path = {folder / 'project' / 'collections'}:{automation.distributed('collections')}",
        f"roles_path = {folder / 'project' / 'roles'}",
        "callbacks_enabled =",
        "retry_files_enabled = false",
        "nocows = true",
        "deprecation_warnings = false",
        "localhost_warning = false",
        "[inventory]",
        "enable_plugins = ansible.builtin.host_list",
    )
    return "\n".join(lines) + "\n"


def _environment(folder: Path) -> dict[str, str]:
    return {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}


async def syntax(files: Files, playbooks: list[str]) -> list[Finding]:
    """Return what ``ansible-playbook --syntax-check`` finds, with file and line; one look per playbook."""
    found: list[Finding] = []
    lines = laid_out(files)
    folder = await in_thread(lines.__enter__)
    try:
        for playbook in playbooks[:_MOST_CHECKED]:
            command = [sys.executable, "-m", "ansible", "playbook", "--syntax-check", "-i", "localhost,", playbook]
            done = await programs.run(
                command, cwd=folder / "project", environment=_environment(folder), seconds=_CHECK_SECONDS
            )
            if done.late:
                found.append(Finding(playbook, 0, 0, "error", f"The check took longer than {_CHECK_SECONDS:g} s"))
            elif done.code != 0:
                found.append(_read(done.output, f"{folder}/project/", playbook))
    finally:
        await in_thread(lines.__exit__, None, None, None)
    return list(dict.fromkeys(found))


def _read(output: str, root: str, playbook: str) -> Finding:
    text = _COLOUR.sub("", output)
    error, cause = _ERROR.search(text), _CAUSE.search(text)
    origins = [one for one in _ORIGIN.finditer(text) if one["path"].startswith(root)]
    said = " ".join((error["text"] if error else text.strip() or "The check failed").split())
    if cause and cause["text"] not in said:
        said = f"{said} {cause['text'].strip()}"
    said = said.replace(root, "")[:1000]
    if not origins:
        return Finding(playbook, 0, 0, "error", said)
    # The innermost place comes last.
    place = origins[-1]
    return Finding(place["path"].removeprefix(root), int(place["line"] or 0), int(place["place"] or 0), "error", said)


async def hints(files: Files, playbooks: list[str]) -> list[Finding]:
    """Return what ansible-lint would do better, where it is installed."""
    if not playbooks or find_spec("ansiblelint") is None:
        return []
    lines = laid_out(files)
    folder = await in_thread(lines.__enter__)
    try:
        command = [
            sys.executable, "-m", "ansiblelint", "--offline", "--nocolor", "-q", "-p", "--profile", "basic",
            "--project-dir", ".", *playbooks[:_MOST_CHECKED],
        ]  # fmt: skip
        done = await programs.run(
            command, cwd=folder / "project", environment=_environment(folder), seconds=_LINT_SECONDS
        )
    finally:
        await in_thread(lines.__exit__, None, None, None)
    found = [
        Finding(one["path"], int(one["line"]), int(one["place"] or 0), "hint", one["text"][:500])
        for one in _LINTED.finditer(done.output)
        # What installed roles and collections would have brought is not here.
        if one["path"] in files and not one["text"].startswith(_NOT_HERE)
    ]
    return list(dict.fromkeys(found))[:200]


def requirements(files: Files) -> list[str]:
    """Return the files that say which roles and collections a project needs."""
    return [path for path in (*_REQUIREMENTS, *_ROLE_REQUIREMENTS, *_COLLECTION_REQUIREMENTS) if path in files]


async def with_requirements(files: Files, say: Say) -> dict[str, bytes]:
    """Return the files and everything their requirements bring; raises ``BadProject`` when that cannot be had.

    Which versions came is fixed by the digest of the project: hosts get exactly these bytes.
    """
    lines = laid_out(files)
    folder = await in_thread(lines.__enter__)
    try:
        for path in requirements(files):
            for kind, target in _wanted(path):
                command = [
                    sys.executable, "-m", "ansible", "galaxy", kind, "install", "-r", path, "-p", target, "--force",
                ]  # fmt: skip
                say(f"$ ansible-galaxy {kind} install -r {path} -p {target}")
                done = await programs.run(
                    command, cwd=folder / "project", environment=_environment(folder), seconds=_GALAXY_SECONDS
                )
                say(done.output.replace(str(folder), "").strip())
                if done.code != 0:
                    raise BadProject(f"ansible-galaxy could not install what {path} asks for")
        return await in_thread(collected, folder / "project")
    finally:
        await in_thread(lines.__exit__, None, None, None)


def _wanted(path: str) -> tuple[tuple[str, str], ...]:
    roles, collections = ("role", "roles"), ("collection", "collections")
    if path in _ROLE_REQUIREMENTS:
        return (roles,)
    return (collections,) if path in _COLLECTION_REQUIREMENTS else (roles, collections)


def collected(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder; raises ``BadProject`` for links, and for more than a project may have."""
    total = number = 0
    for one in folder.rglob("*"):
        if one.is_symlink() and ".git" not in one.parts:
            raise BadProject(f"{one.relative_to(folder)} is a link; only plain files are kept")
        if one.is_file() and ".git" not in one.parts:
            number, total = number + 1, total + one.stat().st_size
        if number > MOST_FILES or total > MOST_BYTES:
            raise BadProject(f"More than {MOST_FILES} files or {MOST_BYTES // 1024**2} MiB")
    try:
        return read_folder(folder)
    except ArchiveError as error:
        raise BadProject(str(error).replace(str(folder), "")) from error
