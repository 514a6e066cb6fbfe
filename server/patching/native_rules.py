"""Pure decisions about runs on existing agents: their command, what their words mean, which packages they name."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from server.patching.models import Status
from server.patching.native_models import NativeRun

S = Status

#: Names that an existing agent takes; it leaves every other one out, or drops the whole command without a word.
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._+\-]*")
_UPDATE: Final = re.compile(r"(?i)KB\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_COMMAND_BYTES: Final = 60_000


class Stage(StrEnum):
    """What an existing agent says about its run."""

    STARTED = "started"
    PROGRESS = "progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DRY_RUN_COMPLETED = "dry_run_completed"


#: The words on the wire; two have a second spelling.
STAGES: Final = {
    **{stage.value: stage for stage in Stage},
    "running": Stage.STARTED,
    "validated": Stage.DRY_RUN_COMPLETED,
}
#: How a job host ends by an agent's last word.
VERDICTS: Final = {
    Stage.COMPLETED: "succeeded",
    Stage.DRY_RUN_COMPLETED: "succeeded",
    Stage.FAILED: "failed",
    Stage.CANCELLED: "cancelled",
}
_OVER: Final = frozenset({S.CANCELLED, S.COMPLETED, S.FAILED, S.VALIDATED, S.DRY_RUN_COMPLETED, S.APPROVED})


def counts(status: Status, stage: Stage) -> bool:
    """Tell whether a word changes a run in this state.

    What is over for good stays; that time ran out or that the agent was lost is our guess, which a last word corrects.
    """
    if stage is Stage.STARTED and status == S.TIMED_OUT:
        return False
    return status not in _OVER


def command(run: NativeRun) -> dict[str, object]:
    """Return the command that begins a run."""
    found: dict[str, object] = {"type": "run_patch", "patch_run_id": run.id, "patch_type": run.patch_type}
    if len(run.package_names) == 1:
        found["package_name"] = run.package_names[0]
    if run.package_names:
        found["package_names"] = run.package_names
    return {**found, "dry_run": run.dry_run}


def refusal(run: NativeRun) -> str:
    """Say why a run cannot be put into a command; empty when it can."""
    wishes = {
        "hold packages back by pattern": run.holds,
        "keep to packages that match a pattern": run.allows,
        "install security updates alone": run.security_only,
        "do a full upgrade": run.full_upgrade,
        "restart the host": run.reboots,
        "take a snapshot": run.snapshot,
        "run playbooks before or after": run.hooks,
    }
    if wanted := [wish for wish, is_wanted in wishes.items() if is_wanted]:
        return _sentence(", ".join(wanted))
    if run.dry_run and run.windows and (not run.package_names or any(map(_UPDATE.fullmatch, run.package_names))):
        return _sentence("try Windows updates dry: it would install them")
    if bad := [name for name in run.package_names if not _NAME.fullmatch(name)]:
        return _sentence(f"patch a package with this name: {bad[0][:60]}")
    if sum(map(len, run.package_names)) + 4 * len(run.package_names) > _MOST_COMMAND_BYTES:
        return _sentence("take so many packages at once")
    return ""


def _sentence(what: str) -> str:
    return f"The host has an existing PatchMon agent, which cannot {what}"


# ---------------------------------------------------------------- packages

_INST: Final = re.compile(r"Inst (\S+)(?: \[([^\]]*)\])? \((\S+)([^)]*)\)")
_UNPACKING: Final = re.compile(r"Unpacking (\S+) \(([^)]+)\)(?: over \(([^)]+)\))?")
_SETTING_UP: Final = re.compile(r"Setting up (\S+) \(([^)]+)\)")
_HEADING: Final = re.compile(
    r"(?:Installing|Upgrading|Updating|Reinstalling|Downgrading)(?: weak)?(?: group/module packages)?"
    r"(?: (?:for )?dependencies)?:",
)
_TABLE_ROW: Final = re.compile(
    r" (?P<name>[A-Za-z0-9][\w.+-]*)\s+(?P<arch>\w+)\s+(?P<to>[\w.:~^+-]+)\s+(?P<repository>\S+)"
    r"\s+[\d.]+ ?[kKMGi]*B?\s*"
)
_PKG_HEADING: Final = re.compile(r"(?:New|Installed) packages to be (INSTALLED|UPGRADED|REINSTALLED|DOWNGRADED):")
_PKG_ROW: Final = re.compile(r"\t(\S+): (\S+)(?: -> (\S+))?.*")
_BASE_UPDATE: Final = re.compile(
    r"(?m)^(?:The following files (?:will|have been) (?:be )?(?:updated|added|removed) as part of updating to .*"
    r"|Installing updates\.\.\..*)$"
)
BASE: Final = "freebsd-base"

Row = dict[str, Any]


def affected(text: str, requested: Sequence[str], platform: str) -> list[Row]:
    """Return the packages that an agent's output says are, or would be, changed; each once, in order."""
    found: dict[str, Row] = {}
    for row in (*_apt(text), *_tables(text), *_pkg(text)):
        earlier = found.setdefault(row["name"], row)
        if earlier is not row:
            merged = {name: row[name] or earlier[name] for name in row}
            found[row["name"]] = {**merged, "action": "upgrade" if merged["from"] else merged["action"]}
    if platform == "freebsd" and _BASE_UPDATE.search(text):
        found[BASE] = _row(BASE)
    for row in found.values():
        row["requested"] = not requested or row["name"] in requested
    return list(found.values())


def _row(name: str, before: str = "", after: str = "", repository: str = "", *, security: bool = False) -> Row:
    action = "upgrade" if before or name == BASE else "install"
    return {
        "name": name.split(":", 1)[0], "from": before, "to": after, "repository": repository, "security": security,
        "action": action,
    }  # fmt: skip


def _apt(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        if found := _INST.match(line):
            source = found[4].strip().split(" [")[0]
            yield _row(found[1], found[2] or "", found[3], source, security="security" in source.lower())
        elif found := _UNPACKING.match(line):
            yield _row(found[1], found[3] or "", found[2])
        elif found := _SETTING_UP.match(line):
            yield _row(found[1], "", found[2])


def _tables(text: str) -> Iterator[Row]:
    heading, pending = "", ""
    for line in text.splitlines():
        if _HEADING.fullmatch(line.strip()):
            heading, pending = line.strip(), ""
        elif not line.startswith(" ") or not line.strip():
            heading = "" if heading and (not line.strip() or not line.startswith("=")) else heading
        elif heading:
            # A long name stands alone, and its row goes on in the next line.
            row = _TABLE_ROW.fullmatch(f"{pending}{line}" if pending else line)
            pending = line if row is None and len(line.split()) == 1 else ""
            if row is not None:
                found = _row(row["name"], "", row["to"], row["repository"])
                yield {**found, "action": "install" if heading.startswith("Installing") else "upgrade"}


def _pkg(text: str) -> Iterator[Row]:
    within = False
    for line in text.splitlines():
        if _PKG_HEADING.fullmatch(line.strip()):
            within = True
        elif within and (found := _PKG_ROW.fullmatch(line)):
            yield _row(found[1], found[2] if found[3] else "", found[3] or found[2])
        elif line.strip():
            within = False
