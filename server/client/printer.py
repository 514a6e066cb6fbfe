"""A job's events on a terminal, live and in colour; what `patchmon jobs watch` and the quick start print."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

_RESET: Final = "\x1b[0m"
_STYLES: Final = {
    "good": "\x1b[32m",
    "changed": "\x1b[33m",
    "bad": "\x1b[31m",
    "muted": "\x1b[2m",
    "live": "\x1b[36m",
    "bold": "\x1b[1m",
}
_ENDS: Final = {
    "runner_on_ok": ("✓", "ok", "good"),
    "runner_on_failed": ("✗", "failed", "bad"),
    "runner_on_async_failed": ("✗", "failed", "bad"),
    "runner_on_skipped": ("·", "skipped", "muted"),
    "runner_on_unreachable": ("✗", "unreachable", "bad"),
}
_WARNINGS: Final = frozenset({"warning", "error", "cap_reached", "unreadable"})
_STATUS_STYLES: Final = {"good": "good", "bad": "bad", "attention": "changed", "neutral": "bold"}


@dataclass(slots=True)
class Printer:
    """Prints what the API's stream says: hosts' states, plays, tasks with their time, and live lines as they come.

    Attributes:
        colours: by default only where someone looks.
        several: the lines say which host they are about.
    """

    out: TextIO = field(default_factory=lambda: sys.stdout)
    colours: bool | None = None
    several: bool = False
    _states: dict[str, str] = field(default_factory=dict)
    _play: str = ""

    def __post_init__(self) -> None:
        if self.colours is None:
            self.colours = self.out.isatty()

    def happening(self, name: str, data: Mapping[str, Any]) -> None:
        """Print one message of a job's stream, by its name."""
        if name == "event":
            self.event(data)
        elif name == "host":
            self.host(data)
        elif name == "end":
            self.end(data)

    def event(self, event: Mapping[str, Any]) -> None:
        """Print one event."""
        kind = str(event.get("event", ""))
        if event.get("source") == "live":
            for line in str(event.get("stdout") or "").splitlines():
                self._line(event, self._styled("live", "│ ") + line, indent=4)
        elif kind == "playbook_on_play_start":
            self._start_play(str(event.get("play") or ""))
        elif kind in _ENDS:
            self._task(event, *_ENDS[kind])
        elif kind in _WARNINGS:
            text = str(event.get("message") or event.get("stdout") or "").strip()
            self._line(event, self._styled("changed", f"! {text}"))

    def _start_play(self, play: str) -> None:
        if play and play != self._play:
            self._play = play
            self._write(self._styled("bold", f"▶ {play}"))

    def _task(self, event: Mapping[str, Any], mark: str, word: str, style: str) -> None:
        if event.get("ignored"):
            word, style = "failed, ignored", "changed"
        elif word == "ok" and event.get("changed"):
            word, style = "changed", "changed"
        took = event.get("duration")
        seconds = self._styled("muted", f"  {took:.1f} s") if isinstance(took, int | float) else ""
        task = str(event.get("task") or "").rsplit(" : ", 1)[-1]
        self._line(event, f"{self._styled(style, mark)} {task}  {self._styled(style, word)}{seconds}")
        if event.get("message"):
            self._line(event, self._styled(style, str(event["message"])), indent=4)

    def host(self, host: Mapping[str, Any]) -> None:
        """Print a host's new state, once."""
        name, status = str(host.get("name", "")), str(host.get("status", ""))
        if self._states.get(name) == status:
            return
        self._states[name] = status
        style = _STATUS_STYLES.get(str(host.get("state")), "bold")
        reason = f": {host['reason']}" if host.get("reason") else ""
        self._write(f"{self._styled(style, '●')} {name} {self._styled(style, status.replace('_', ' '))}{reason}")

    def end(self, job: Mapping[str, Any]) -> None:
        """Print the job's end."""
        style = _STATUS_STYLES.get(str(job.get("state")), "bold")
        counts = ", ".join(
            f"{number} {str(word).replace('_', ' ')}" for word, number in (job.get("counts") or {}).items()
        )
        took = job.get("duration_seconds")
        seconds = f" in {took:.1f} s" if isinstance(took, int | float) else ""
        word = self._styled(style, str(job.get("status", "")).replace("_", " "))
        self._write(f"{self._styled('bold', str(job.get('title', 'Job')))} {word}{seconds} ({counts})")

    def _line(self, event: Mapping[str, Any], text: str, indent: int = 2) -> None:
        host = self._styled("muted", f"{event.get('host')} ") if self.several else ""
        self._write(" " * indent + host + text)

    def _styled(self, style: str, text: str) -> str:
        return f"{_STYLES[style]}{text}{_RESET}" if self.colours else text

    def _write(self, text: str) -> None:
        # What a host printed must not steer this terminal; colours stay, other controls go.
        self.out.write(_harmless(text, colours=bool(self.colours)) + "\n")
        self.out.flush()


def _harmless(text: str, *, colours: bool) -> str:
    if text.isprintable():
        return text
    kept = []
    rest = text
    while rest:
        if colours and rest.startswith("\x1b[") and (end := _end_of_colour(rest)):
            kept.append(rest[:end])
            rest = rest[end:]
            continue
        kept.append(rest[0] if rest[0].isprintable() or rest[0] == "\t" else "")
        rest = rest[1:]
    return "".join(kept)


def _end_of_colour(text: str) -> int:
    for place, character in enumerate(text[2:20], 2):
        if character == "m":
            return place + 1
        if character not in "0123456789;":
            return 0
    return 0
