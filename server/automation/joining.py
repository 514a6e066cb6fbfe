"""What runs around a job's playbook: others of its own project, and those that a library's project lends."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.protocol.archive import ArchiveError, digest, pack
from server.automation import librarian
from server.automation.bundle import AROUND, file_of
from server.automation.librarian import PROJECT, Provided
from server.automation.models import Order, Playbook, Project, Variables
from server.automation.queries import library as rows
from server.core.call import Call
from server.core.db import Tx
from server.core.loop import in_thread

_RESTART: Final = "after_restart"


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a playbook.

    Attributes:
        playbook: the job's own, in the project that holds everything.
        provided: what the playbooks around it need, with files named as in that project.
        complaints: why it cannot be so, by field.
    """

    playbook: Playbook
    provided: Provided
    complaints: dict[str, str]


async def around(tx: Tx, call: Call, order: Order, found: Playbook) -> Around:
    """Put what surrounds a playbook into one project with it; a job pushes exactly one."""
    wrong: dict[str, str] = {}
    lent: dict[str, Playbook] = {}
    given = Provided()
    for field in ("before", "after"):
        for name in getattr(order.options, field):
            other = await rows.find_playbook(tx, name)
            if other is None:
                wrong[field] = f"Playbook {name} not found"
            elif other.origin.startswith(PROJECT):
                await librarian.demand(tx, call, other)
                bare = replace(order, options=replace(order.options, credentials=()))
                its = await librarian.provide(tx, call, other, bare)
                if complaint := _complaint(order, found, other, its):
                    wrong[field] = complaint
                lent[name] = other
                given = _together(given, _below(other, its))
            elif other.project_digest != found.project_digest:
                wrong[field] = f"Playbook {name} is not in the same project as {found.name}"
    if wrong or not lent:
        return Around(found, given, wrong)
    try:
        return Around(await _joined(tx, found, list(lent.values())), given, {})
    except ArchiveError as error:
        return Around(found, given, {"before": f"The projects do not fit into one: {error}"})


def _complaint(order: Order, found: Playbook, other: Playbook, its: Provided) -> str:
    if its.complaints:
        return f"Playbook {other.name}: " + "; ".join(its.complaints.values())
    if its.approval:
        return f"Playbook {other.name} needs an approval of its own, which nobody is asked for around a run"
    if asked := [one.name for one in other.fields if one.required and one.default in (None, "")]:
        return f"Playbook {other.name} asks for {', '.join(asked)}, which nobody answers around a run"
    if taken := sorted({one.name for one in found.fields} & its.secrets.keys()):
        return f"The credentials of playbook {other.name} set {', '.join(taken)}, which is a variable of {found.name}"
    if its.sealed({}) and _RESTART in order.options.after:
        return f"Playbook {other.name} needs secrets, and those do not wait on a host's disk while it restarts"
    return ""


def _below(other: Playbook, its: Provided) -> Provided:
    return replace(its, files={f"{_home(other)}/{path}": text for path, text in its.files.items()})


def _together(one: Provided, other: Provided) -> Provided:
    secrets: Variables = dict(one.secrets)
    for name, value in other.secrets.items():
        # Opened values of several projects share one variable.
        before = secrets.get(name)
        secrets[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return replace(
        one,
        secrets=secrets,
        files={**one.files, **other.files},
        environment={**one.environment, **other.environment},
        masked=tuple(dict.fromkeys((*one.masked, *other.masked))),
    )


def together(own: Provided, given: Provided) -> Provided:
    """Return what a job gets for its own playbook and for those around it; its own counts."""
    return replace(_together(given, own), approval=own.approval, complaints=own.complaints)


def _home(playbook: Playbook) -> str:
    return f"{AROUND}/{playbook.origin.removeprefix(PROJECT)}"


async def _joined(tx: Tx, found: Playbook, lent: Sequence[Playbook]) -> Playbook:
    own = await rows.fetch_project(tx, found.project_digest)
    others = [(one, await rows.fetch_project(tx, one.project_digest)) for one in lent]
    content = await in_thread(_pack, own, others)
    project = Project(digest(content), content, found.origin)
    await rows.insert_project(tx, project)
    return replace(found, project_digest=project.digest)


def _pack(own: bytes, others: Sequence[tuple[Playbook, bytes]]) -> bytes:
    files = _unpacked(own)
    for playbook, content in others:
        home = _home(playbook)
        files |= {f"{home}/{path}": text for path, text in _unpacked(content).items()}
        # Found by its name alone, whichever of the two endings its author chose.
        files[file_of(playbook.name)] = files[f"{home}/{playbook.file}"]
    return pack(files)


def _unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
