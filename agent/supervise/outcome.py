"""What a play came to, gathered from its events as they pass."""

from __future__ import annotations

from typing import Dict, Mapping

from agent.protocol.events import Item, plain

_ERROR_MARKS = ("[ERROR]", "ERROR!")
_REASON_LENGTH = 500
_COUNTERS = {
    "ok": "ok",
    "changed": "changed",
    "failures": "failed",
    "skipped": "skipped",
    "dark": "unreachable",
    "ignored": "ignored",
    "rescued": "rescued",
}


class Outcome:
    """Notes failures, errors and statistics; ``see`` is called with clean items only."""

    def __init__(self) -> None:
        self.counters: Dict[str, int] = {}
        self.task_uuid: str | None = None
        self._failure = ""
        self._last_failure = ""
        self._error = ""
        self._last_said = ""

    def see(self, item: Item) -> None:
        """Take note of one event."""
        kind = item.get("event")
        if kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
            self.task_uuid = str(item.get("task_uuid") or item.get("uuid") or "") or None
        elif kind in ("runner_on_failed", "runner_on_unreachable", "runner_on_async_failed"):
            self._failed(item)
        elif kind in ("error", "verbose"):
            self._said(plain(str(item.get("stdout") or "")))
        elif kind == "playbook_on_stats":
            stats = item.get("stats")
            self.counters = sums(stats if isinstance(stats, dict) else {})

    def reason(self, rc: int) -> str:
        """Return in a line why the play failed: its first failure, as "task: message"."""
        # With a rescue the first failure was mended; what ended the play came last.
        failure = self._last_failure if self.counters.get("rescued") else self._failure
        ended = f"ansible-playbook ended with {rc}"
        text = failure or self._error or (f"{ended}: {self._last_said}" if self._last_said else ended)
        return text if len(text) <= _REASON_LENGTH else f"{text[: _REASON_LENGTH - 1]}…"

    def _said(self, text: str) -> None:
        """Keep the first error that Ansible prints outside of any task, with the place it names.

        The last line of all is kept as well: a trace ends with what broke.
        """
        self._last_said = text.splitlines()[-1] if text else self._last_said
        if not self._error and text.startswith(_ERROR_MARKS):
            self._error = " ".join(text.split("\n\n", maxsplit=1)[0].split())
        elif self._error and text.startswith("Origin:") and "Origin:" not in self._error:
            self._error = f"{self._error} {text.splitlines()[0]}"

    def _failed(self, item: Item) -> None:
        if item.get("ignored"):
            return
        self._last_failure = f"{item.get('task') or 'task'}: {item.get('message') or 'failed'}"
        self._failure = self._failure or self._last_failure


def sums(stats: Mapping[str, object]) -> Dict[str, int]:
    """Return the statistics of all hosts together under the protocol's names."""
    counters = {}
    for name, ours in _COUNTERS.items():
        hosts = stats.get(name)
        numbers = hosts.values() if isinstance(hosts, dict) else ()
        counters[ours] = sum(number for number in numbers if isinstance(number, int))
    return counters
