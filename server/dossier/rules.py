"""Rows of other rooms as lines people read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from server.commands.models import TITLES
from server.core.words import counted
from server.dossier.models import Happening, Queued
from server.hosts.models import HostHead

Row = Mapping[str, Any]
KINDS: Final = ("report", "check_in", "refused", "packages", "reboot", "job", "command", "deed")
_STATES: Final = {
    "completed": "good", "succeeded": "good", "failed": "bad", "timed_out": "bad", "lost": "bad",
    "unreachable": "bad", "cancelled": "attention",
}  # fmt: skip
_QUEUE_STATES: Final = {
    "completed": "good", "failed": "bad", "active": "attention", "waiting": "neutral", "delayed": "neutral",
}  # fmt: skip
_DEEDS: Final = {
    "hosts.created": "Host added",
    "hosts.changed": "Settings of the host changed",
    "hosts.groups_changed": "Groups changed",
    "hosts.tags_changed": "Tags changed",
    "hosts.credentials_regenerated": "New credentials made",
    "hosts.switches_staged": "Integration switches changed",
}


def happening(row: Row, host: HostHead) -> Happening:
    """Return a row of the timeline as people read it."""
    return _TOLD[row["kind"]](row, host)


def _report(row: Row, host: HostHead) -> Happening:
    what = "Full report" if row["what"] == "full" else "Partial report"
    waiting = f"{counted(row['two'], 'update')}, {row['three']} for security"
    text = f"{counted(row['one'], 'package')}, {waiting}" if row["one"] >= 0 else "without packages"
    return Happening(row["at"], "report", "report", "neutral", what, text, f"{host.url}/reports/{row['ref']}")


def _check_in(row: Row, _host: HostHead) -> Happening:
    return Happening(row["at"], "check_in", "wifi", "neutral", "Checked in")


def _refused(row: Row, _host: HostHead) -> Happening:
    return Happening(row["at"], "refused", "alert-circle", "bad", "Report refused", row["text"])


def _packages(row: Row, host: HostHead) -> Happening:
    parts = ((row["one"], "installed"), (row["two"], "removed"), (row["three"], "changed"))
    words = ", ".join(f"{number} {word}" for number, word in parts if number)
    total = row["one"] + row["two"] + row["three"]
    names = row["text"] if total == 1 else f"{row['text']} and {counted(total - 1, 'other')}"
    url = f"{host.url}/reports?at={row['at'].isoformat().replace('+', '%2B')}"
    return Happening(row["at"], "packages", "package", "neutral", f"Packages: {words}", names, url)


def _reboot(row: Row, _host: HostHead) -> Happening:
    return Happening(row["at"], "reboot", "power", "neutral", "Started")


def _job(row: Row, _host: HostHead) -> Happening:
    state, words = _STATES.get(row["what"], "neutral"), row["what"].replace("_", " ")
    return Happening(row["at"], "job", "player-play", state, row["text"], words, f"/jobs/{row['ref']}", row["who"])


def _command(row: Row, host: HostHead) -> Happening:
    state, text = _STATES.get(row["what"], "neutral"), row["text"] or row["what"]
    return Happening(row["at"], "command", "bolt", state, TITLES[row["ref"]], text, f"{host.url}/queue", row["who"])


def _deed(row: Row, _host: HostHead) -> Happening:
    title = _DEEDS.get(row["what"], row["what"].partition(".")[2].replace("_", " ").capitalize())
    return Happening(row["at"], "deed", "edit", "neutral", title, _details(row["text"]), "", row["who"])


_TOLD: Final[Mapping[str, Callable[[Row, HostHead], Happening]]] = {
    "report": _report,
    "check_in": _check_in,
    "refused": _refused,
    "packages": _packages,
    "reboot": _reboot,
    "job": _job,
    "command": _command,
    "deed": _deed,
}


def _details(text: str) -> str:
    return "; ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in orjson.loads(text or "{}").items())


def _plain(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"from", "to"}:
        return f"{_plain(value['from'])} → {_plain(value['to'])}"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value in {None, ""} else str(value)


_COMPLIANCE: Final[dict[str, str]] = {
    "scan": "Compliance scan",
    "install": "Installing the scanner",
    "upgrade": "Upgrading the scanner's content",
    "remediate": "Remediation of a rule",
}


def queued(row: Row) -> Queued:
    """Return a row of the queue as people read it."""
    known = {"command": TITLES, "compliance": _COMPLIANCE}
    title = known[row["type"]][row["name"]] if row["type"] in known else str(row["name"])
    return Queued(
        row["id"],
        title,
        row["status"],
        _QUEUE_STATES[row["status"]],
        row["asked_by"],
        row["created_at"],
        row["finished_at"],
        row["error"],
        f"/jobs/{row['job']}" if row["job"] else "",
    )


class Wanted(Protocol):
    """Which lines of the activity are asked for; what is empty does not count."""

    @property
    def direction(self) -> str:
        """See ``Happening.direction``."""

    @property
    def kind(self) -> str:
        """Of which kind."""

    @property
    def status(self) -> str:
        """See ``Happening.status``."""

    @property
    def search(self) -> str:
        """A part of the title or the text."""

    @property
    def since(self) -> str:
        """From this moment on, as ISO 8601; nonsense counts as absent."""


def matches(one: Happening, wanted: Wanted) -> bool:
    """Tell whether a line is asked for."""
    return (
        wanted.direction in {"", "all", one.direction}
        and wanted.kind in {"", "all", one.kind}
        and wanted.status in {"", "all", one.status}
        and wanted.search.lower() in f"{one.title} {one.text}".lower()
        and not _is_before(one, wanted.since)
    )


def _is_before(one: Happening, since: str) -> bool:
    try:
        moment = datetime.fromisoformat(since.replace(" ", "+"))
    except ValueError:
        return False
    return one.at < (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def feed_stats(found: Sequence[Happening]) -> dict[str, int]:
    """Count lines by direction, and those that failed."""
    told = {name: sum(one.direction == name for one in found) for name in ("in", "out", "server")}
    return {"total": len(found), **told, "failed": sum(one.status == "failed" for one in found)}
