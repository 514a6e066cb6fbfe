"""The last net under logs and the audit log: what is named or looks like a secret is masked, however deep it lies."""

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_DEEPEST: Final = 20

_WORDS: Final = (
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "passphrase",
    "private_key",
    "privatekey",
    "credential",
)
#: Names with such a word that tell about a secret without holding one.
_HARMLESS: Final = re.compile(
    r"(?:_(?:id|ids|name|names|count|counts|set|type|hash|digest|at|days|seconds|minutes|hours|length|required|expires"
    r"|attempts|changed|policy|prefix|max|min)|^password_(?:min|require|rate)\w*|^has_\w+|^(?:max|min)_\w+)$"
)
_SHAPES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
    ),
    (re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@?#]*):[^\s/@]+@"), r"\1:***@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 ***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"), MASK),
    (
        re.compile(
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bpmt_[A-Za-z0-9_-]{10,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
        ),
        MASK,
    ),
    (
        re.compile(
            r"(?i)([\"']?\b[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|passphrase|private[_-]?key)[\"']?"
            r"\s*[=:]\s*)(?!\*\*\*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"',;&)}\]]+)"
        ),
        r"\1***",
    ),
)
_HINT: Final = re.compile(r"(?i)://|bearer|basic|eyJ|BEGIN|AKIA|ASIA|gh[pousr]_|pmt_|xox|pass|secret|token|key")


class Shown(str):
    """Text that is written as it is, because whoever reads the log needs it: the one-time set-up link."""

    __slots__ = ()


def masked(name: str, value: Any, depth: int = 0) -> Any:
    """Return a value as it may be written: nothing of what its name calls a secret, whatever its type is.

    Lists and mappings are gone through; texts lose what looks like a secret.
    """
    if value is None or isinstance(value, Shown):
        return value
    if is_secret(name) and value != "":
        return MASK
    return _within(value, depth)


def _within(value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return masked_text(value)
    if depth >= _DEEPEST:
        return MASK
    if isinstance(value, Mapping):
        return {key: masked(str(key), one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_within(one, depth + 1) for one in value]
    return _of_text(value)


def _of_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return masked_text(value.decode(errors="replace"))
    if isinstance(value, BaseException):
        return masked_text(str(value) or type(value).__name__)
    return value


def is_secret(name: str) -> bool:
    """Tell whether what has this name is a secret."""
    plain = name.lower().replace("-", "_")
    return any(word in plain for word in _WORDS) and not _HARMLESS.search(plain)


def masked_text(text: str) -> str:
    """Return a text without what looks like a secret in it."""
    if not _HINT.search(text):
        return text
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text
