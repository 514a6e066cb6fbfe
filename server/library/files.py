"""Files of projects that are written here: reading, saving with their history, uploading, restoring."""

import difflib
from dataclasses import replace
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.db import Tx
from server.library import access, archives, syncing
from server.library.errors import BadFile, Changed, FileMissing, NotWritable
from server.library.models import MOST_BYTES, MOST_FILES, MOST_TEXT_BYTES, FileEntry, Project, Version
from server.library.queries import files as rows
from server.library.queries import projects as project_rows

_VERSIONS: Final = 100
_CONTEXT_LINES: Final = 3


async def listed(call: Call, project: Project) -> list[FileEntry]:
    """Return a project's files by name."""
    return await rows.list_files(call.db, project.id)


async def removed(call: Call, project: Project) -> list[str]:
    """Return the paths of files that were deleted and can be restored."""
    return await rows.list_removed(call.db, project.id) if project.kind == "own" else []


async def read(call: Call, project: Project, path: str) -> tuple[bytes, int]:
    """Return a file's content and version."""
    found = await rows.find_file(call.db, project.id, path)
    if found is None:
        raise FileMissing(path=path)
    return found


def text_of(content: bytes) -> str | None:
    """Return a file as text for the editor; nothing for what is none, or too long."""
    if len(content) > MOST_TEXT_BYTES or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def diff(before: str, after: str, path: str) -> list[str]:
    """Return what changes, as lines of a unified diff without its first two."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="", n=_CONTEXT_LINES)
    return list(lines)[2:]


async def save(call: Call, slug: str, path: str, text: str, *, version: int, why: str = "") -> int:
    """Keep a new version of a file and return its number; ``version`` is the one that was edited, 0 for a new file.

    Raises ``Changed`` when somebody else saved it meanwhile, ``BadFile`` for what no project can have.
    """
    project = await _own(call, slug)
    archives.checked(path)
    content = text.replace("\r\n", "\n").encode("utf-8")
    if len(content) > MOST_TEXT_BYTES:
        raise BadFile(reason=f"{path} is larger than {MOST_TEXT_BYTES // 1024} KiB; upload it instead")
    async with call.transaction() as tx:
        await project_rows.lock_project(tx, project.id)
        now = await rows.find_file(tx, project.id, path)
        if (now[1] if now else 0) != version:
            raise Changed(path=path)
        if now and now[0] == content:
            return version
        number = await _write(tx, call, project, {path: content}, why)
        await _note(tx, call, project, "library.file_saved", path=path, version=number[path], why=why)
    return number[path]


async def upload(call: Call, slug: str, name: str, data: bytes, *, why: str = "", replace_all: bool = False) -> int:
    """Put the files of an upload into a project and return how many changed; ``replace_all`` removes all others."""
    project = await _own(call, slug)
    found = archives.read(name, data)
    async with call.transaction(long=True) as tx:
        await project_rows.lock_project(tx, project.id)
        before = await rows.read_all(tx, project.id)
        changed = {path: content for path, content in found.items() if before.get(path) != content}
        after = found if replace_all else {**before, **found}
        if len(after) > MOST_FILES or sum(map(len, after.values())) > MOST_BYTES:
            raise BadFile(reason=f"The project would have more than {MOST_FILES} files or {MOST_BYTES // 1024**2} MiB")
        _demand_no_folder(after)
        await _write(tx, call, project, changed, why or f"Uploaded {name[:100]}")
        gone = [path for path in before if path not in after]
        for path in gone:
            await _remove(tx, call, project, path, why or f"Not in {name[:100]}")
        if changed or gone:
            await _note(tx, call, project, "library.files_uploaded", name=name[:200], files=len(changed) + len(gone))
    return len(changed) + len(gone)


async def remove(call: Call, slug: str, path: str, *, why: str = "") -> None:
    """Take a file away; its versions stay and can be restored."""
    project = await _own(call, slug)
    async with call.transaction() as tx:
        await project_rows.lock_project(tx, project.id)
        if await rows.find_file(tx, project.id, path) is None:
            raise FileMissing(path=path)
        await _remove(tx, call, project, path, why)
        await _note(tx, call, project, "library.file_deleted", path=path, why=why)


async def history(call: Call, project: Project, path: str) -> list[Version]:
    """Return a file's versions, newest first."""
    found = await rows.list_versions(call.db, project.id, path, _VERSIONS)
    if not found:
        raise FileMissing(path=path)
    return [replace(one, content=None if one.content is None else bytes(one.content)) for one in found]


async def restore(call: Call, slug: str, path: str, version: int) -> int:
    """Make an earlier version the newest one."""
    project = await _own(call, slug)
    async with call.transaction() as tx:
        await project_rows.lock_project(tx, project.id)
        found = await rows.find_version(tx, project.id, path, version)
        if found is None or found.content is None:
            raise FileMissing(path=path)
        number = await _write(tx, call, project, {path: bytes(found.content)}, f"Restored version {version}")
        await _note(tx, call, project, "library.file_restored", path=path, version=version)
    return number[path]


async def _own(call: Call, slug: str) -> Project:
    project = await access.project(call, slug, "edit")
    if project.kind != "own":
        raise NotWritable
    return project


def _demand_no_folder(files: dict[str, bytes]) -> None:
    folders = {path[:place] for path in files for place, letter in enumerate(path) if letter == "/"}
    if both := sorted(folders & set(files)):
        raise BadFile(reason=f"{both[0]} is a file and a folder at once")


async def _write(tx: Tx, call: Call, project: Project, files: dict[str, bytes], why: str) -> dict[str, int]:
    names = {one.path: b"" for one in await rows.list_files(tx, project.id)}
    _demand_no_folder({**names, **files})
    if len({**names, **files}) > MOST_FILES:
        raise BadFile(reason=f"A project has at most {MOST_FILES} files")
    numbers: dict[str, int] = {}
    for path, content in files.items():
        numbers[path] = await rows.last_version(tx, project.id, path) + 1
        await rows.write_file(tx, call, project.id, path, numbers[path], content, why[:500])
    return numbers


async def _remove(tx: Tx, call: Call, project: Project, path: str, why: str) -> None:
    version = await rows.last_version(tx, project.id, path) + 1
    await rows.remove_file(tx, call, project.id, path, version, why[:500])


async def _note(tx: Tx, call: Call, project: Project, verb: str, **detail: object) -> None:
    await rows.note_change(tx, call, project.id)
    await audit.record(tx, call, verb, Subject("project", project.id, project.title), detail)
    await syncing.ask_in(tx, call, project.id, "saved")
