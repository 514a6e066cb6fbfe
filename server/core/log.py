"""One formatter for everything that is logged: a fixed event name plus fields, one record a line."""

import logging
import sys
from contextvars import ContextVar
from typing import Any, Final

import structlog

request_id_var: ContextVar[str] = ContextVar("request_id", default="")

_SECRET_WORDS: Final = (
    "password",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "passphrase",
    "private_key",
)


def get_log(name: str) -> Any:
    """Return the module's logger; ``log.info("event_name", field=value)``."""
    return structlog.get_logger(name)


def set_up(level: str = "info", *, colours: bool = False) -> None:
    """Send every record, ours and the libraries', to standard error in one shape."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        _redact,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if colours
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(_number(level), logging.INFO))


def _number(level: str) -> int:
    return {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}.get(level.lower(), 20)


def _add_request_id(_logger: object, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    if identifier := request_id_var.get():
        record.setdefault("request_id", identifier)
    return record


def _redact(_logger: object, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    # A last net: callers do not pass secrets, and a field with such a name never reaches the output.
    return {
        key: "***" if any(word in key.lower() for word in _SECRET_WORDS) and value else value
        for key, value in record.items()
    }
