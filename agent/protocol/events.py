"""ansible-runner's events as items of the spool; pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Dict, List, Mapping

Item = Dict[str, object]

_FAILURES = ("runner_on_failed", "runner_on_unreachable", "runner_on_async_failed")
#: Kept also past a cap: without them nobody could tell how the job ended.
VITAL = frozenset(("playbook_on_stats", *_FAILURES))
_STATS = ("processed", "ok", "changed", "failures", "dark", "skipped", "ignored", "rescued")
_OUTPUTS = ("stderr", "module_stderr", "stdout", "module_stdout")
_MESSAGE_LENGTH = 500
_EXEC_WITH_ENVIRONMENT = re.compile(r"> EXEC .*? -c .*?\b[A-Za-z_][A-Za-z0-9_]*=")
_EXCERPT_LINE = re.compile(r"^(\d+\s.*|\d+|\^ column \d+)$")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def to_item(event: Mapping[str, object]) -> Item | None:
    """Return what is kept of an event; ``None`` when it says nothing or carries what must not leave the host.

    Fields without a value are left out. The environment, the command line and task arguments are never looked at.
    """
    kind = event.get("event")
    # The terminal between Ansible and its runner adds the carriage returns.
    stdout = str(event.get("stdout") or "").replace("\r\n", "\n")
    if not isinstance(kind, str) or "env" in event or "command" in event:
        return None
    if kind == "verbose" and (not plain(stdout) or _EXEC_WITH_ENVIRONMENT.search(stdout)):
        return None
    data = event.get("event_data")
    data = data if isinstance(data, dict) else {}
    result = _result(data.get("res"))
    item: Item = {
        "at": moment(event.get("created")),
        "event": kind,
        "uuid": event.get("uuid"),
        "parent": event.get("parent_uuid"),
        "play": data.get("play"),
        "task": data.get("task"),
        "task_uuid": data.get("task_uuid"),
        "action": data.get("task_action"),
        "role": data.get("role"),
        "host": data.get("host"),
        "duration": data.get("duration"),
        "stdout": without_excerpt(stdout) if "Origin: " in stdout else stdout,
    }
    if result is not None:
        item["result"] = result
        # A hidden result does not say it, the line on the terminal does.
        item["changed"] = bool(result.get("changed", plain(stdout).startswith("changed:")))
    if kind in _FAILURES:
        item["ignored"] = bool(data.get("ignore_errors"))
        item["message"] = failure_message(result or {})
    if kind == "playbook_on_stats":
        item["stats"] = {name: data[name] for name in _STATS if isinstance(data.get(name), dict)}
    return {name: value for name, value in item.items() if value is not None and value != ""}


def live_item(text: str, at: datetime, task_uuid: str | None) -> Item:
    """Return lines that a module printed while it still runs."""
    item: Item = {"at": rfc3339(at), "event": "live", "stdout": text}
    if task_uuid:
        item["task_uuid"] = task_uuid
    return item


def failure_message(result: Mapping[str, object]) -> str:
    """Return the short reason in a module's result."""
    if "censored" in result:
        return "failed; the output is hidden (no_log)"
    said = result.get("msg")
    words = [said] if isinstance(said, str) and said.strip() else []
    if words in ([], ["non-zero return code"]):
        words += [text for text in (_line(result.get(name)) for name in _OUTPUTS) if text][:1]
    if words == ["non-zero return code"]:
        words = [f"ended with {result.get('rc')}"]
    text = " ".join(": ".join(words).split()) or "failed"
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[: _MESSAGE_LENGTH - 1]}…"


def _line(output: object) -> str:
    """Return the last line that says something; that is where programs say why they failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] if isinstance(output, str) else []
    return lines[-1] if lines else ""


def plain(text: str) -> str:
    """Return terminal text without colours and carriage returns, stripped."""
    return _ANSI.sub("", text).replace("\r", "").strip()


def without_excerpt(stdout: str) -> str:
    """Return an error's text without the lines of the playbook around it.

    Ansible shows them although the task, or its neighbour, is to be kept out of every log (no_log).
    """
    kept: List[str] = []
    inside = False
    for line in stdout.split("\n"):
        if inside and (_EXCERPT_LINE.match(plain(line)) or not plain(line)):
            continue
        inside = plain(line).startswith("Origin: ")
        kept.append(line)
    return "\n".join(kept)


def moment(created: object) -> str:
    """Return a runner's time as RFC 3339 with milliseconds in UTC; now, when it gives none."""
    try:
        at = datetime.fromisoformat(str(created))
    except ValueError:
        at = datetime.now(timezone.utc)
    return rfc3339(at if at.tzinfo else at.replace(tzinfo=timezone.utc))


def rfc3339(at: datetime) -> str:
    """Return an aware time as text, in UTC, with milliseconds."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _result(res: object) -> Item | None:
    if not isinstance(res, dict):
        return None
    if res.get("_ansible_no_log") or "censored" in res:
        return {"censored": "the output is hidden (no_log)", **{k: res[k] for k in ("changed", "failed") if k in res}}
    return {str(name): value for name, value in res.items() if not str(name).startswith("_ansible_")}
