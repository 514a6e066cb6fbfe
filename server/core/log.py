"""One formatter for everything that is logged: a fixed event name plus fields, one record a line."""

import json
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

import structlog

from server.core import clock
from server.core.redaction import masked

request_id_var: ContextVar[str] = ContextVar("request_id", default="")

_LEVELS: Final = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "exception": 40, "critical": 50}
_FIRST: Final = ["timestamp", "level", "event"]
#: What these say about the start, the schema and its end is written also when logging is switched off.
_ALWAYS: Final = (
    "server.serve", "server.worker", "server.cli", "server.core.migrate", "server.core.embedded", "server.core.log",
    "server.identity.listeners", "server.identity.sso.discovery", "server.settings.listeners",
)  # fmt: skip


@dataclass(slots=True)
class _Valve:
    """What is let through; it can be turned while the process runs."""

    threshold: int = logging.INFO
    enabled: bool = True
    zone: ZoneInfo | None = None
    followed: bool = False


_valve: Final = _Valve()


def get_log(name: str) -> Any:
    """Return the module's logger; ``log.info("event_name", field=value)``."""
    return structlog.get_logger(name)


def set_up(
    level: str = "info",
    *,
    colours: bool = False,
    enabled: bool = True,
    shape: str = "logfmt",
    zone: str = "UTC",
    stream: TextIO | None = None,
    followed: bool = False,
) -> None:
    """Send every record, ours and the libraries', to one stream (standard error unless said otherwise) in one shape.

    Args:
        level: the least important records that are written; ``follow`` changes it later.
        colours: for a person in front of a terminal; the shape does not count then.
        enabled: whether more than warnings, errors and the start is written.
        shape: logfmt or json.
        zone: of the times.
        stream: where to.
        followed: what the settings decide later counts (``follow``); a command keeps what it was set up with.
    """
    ours: list[Any] = [_let_through, *_BEFORE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=ours,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_BEFORE,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(shape, colours=colours)],
        )
    )
    logging.getLogger().handlers = [handler]
    # What is ours passes the valve; the libraries are measured by the root.
    logging.getLogger("server").setLevel(logging.DEBUG)
    _valve.zone, _valve.followed = ZoneInfo(zone), followed
    _turn(level, enabled=enabled)


def follow(level: str, *, enabled: bool, zone: str) -> None:
    """Write from now on as the settings decide, unless this process keeps what it was set up with."""
    if not _valve.followed:
        return
    _valve.zone = ZoneInfo(zone)
    _turn(level, enabled=enabled)


def _turn(level: str, *, enabled: bool) -> None:
    _valve.threshold, _valve.enabled = _LEVELS.get(level.lower(), logging.INFO), enabled
    logging.getLogger().setLevel(max(_valve.threshold, logging.INFO if enabled else logging.WARNING))


def _renderer(shape: str, *, colours: bool) -> Any:
    if colours:
        return _for_people()
    if shape == "json":
        return _as_json
    return structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True)


def _for_people() -> Any:
    # Plain tracebacks: prettier ones print what variables hold, secrets too, and take half a second to draw.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _as_json(_logger: object, _method: str, record: dict[str, Any]) -> str:
    first = {name: record.pop(name) for name in _FIRST if name in record}
    return json.dumps({**first, **record}, default=str, ensure_ascii=False)


def _let_through(logger: Any, method: str, record: dict[str, Any]) -> dict[str, Any]:
    number = _LEVELS.get(method, logging.INFO)
    quiet = not _valve.enabled and number < logging.WARNING and not str(logger.name).startswith(_ALWAYS)
    if number < _valve.threshold or quiet:
        raise structlog.DropEvent
    return record


def _add_time(_logger: object, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    at: datetime = clock.now().astimezone(_valve.zone)
    text = at.isoformat(timespec="microseconds")
    record["timestamp"] = text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
    return record


def _add_request_id(_logger: object, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    if identifier := request_id_var.get():
        record.setdefault("request_id", identifier)
    return record


def _mask(_logger: object, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    # A last net: callers do not pass secrets, and what looks like one never reaches the output.
    return {key: value if key.startswith("_") else masked(key, value) for key, value in record.items()}


_BEFORE: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    _add_time,
    _add_request_id,
    structlog.processors.format_exc_info,
    _mask,
]
# Also whoever logs before ``set_up``, or without it, shows no secrets.
structlog.configure(processors=[*_BEFORE, _for_people()])
