"""Texts fit for the spool: secrets masked, characters that databases refuse replaced, sizes bounded."""

from __future__ import annotations

import json
import math
import re
from typing import Dict, List, Pattern, Sequence, Tuple

from agent.protocol.messages import EVENT_BYTES

MASK = "********"
#: Shorter values are no secrets, and masking them would blacken every second word.
SHORTEST_SECRET = 3
#: A key of many lines is printed line by line, a phrase on a command line word by word; their short pieces say nothing.
_SHORTEST_PIECE = 6
_REFUSED = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_DEEPEST = 64
_OPTION = r"--?[A-Za-z0-9_-]*(?:password|passwd|passphrase|secret|token|api[-_]?key)[A-Za-z0-9_-]*"
_PASSWORD_OPTION = re.compile(rf"(?i)((?<![\w-]){_OPTION}(?:=|[ \t]+))(?!-)(\"[^\"]*\"|'[^']*'|[^\s\"',\]}}]+)")
_BARE_OPTION = re.compile(rf"(?i)^{_OPTION}$")
_URL_PASSWORD = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/@:]+:)[^\s/@]+(?=@)")
_KEPT_TEXT = 60 * 1024
_KEPT_FIELDS = ("changed", "failed", "skipped", "unreachable", "rc", "msg")
_KEPT_FIELD_TEXT = 2000


class Cleaner:
    """Cleans what a play says; knows the job's secret values."""

    def __init__(self, secret_values: Sequence[str] = ()) -> None:
        self._secrets = _pattern(secret_values)

    def text(self, text: str) -> str:
        """Return the text without secrets, U+0000 and lone surrogates."""
        if _REFUSED.search(text):
            text = _REFUSED.sub(_REPLACEMENT, text)
        if self._secrets:
            text = self._secrets.sub(MASK, text)
        if "://" in text:
            text = _URL_PASSWORD.sub(rf"\1{MASK}", text)
        if "-" in text:
            text = _PASSWORD_OPTION.sub(rf"\1{MASK}", text)
        return text

    def value(self, value: object, depth: int = 0) -> object:  # noqa: PLR0911 (one line per kind of JSON value)
        """Return a JSON value with every text in it clean, names of fields too."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._number(value)
        if depth >= _DEEPEST:
            return "…"
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(item, depth + 1) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return self._list(value, depth)
        return self.text(str(value))

    def _number(self, value: float) -> object:
        """Return a number, masked when it is a secret as a whole: part of another number is none."""
        if self._secrets and self._secrets.fullmatch(repr(value)):
            return MASK
        return value if math.isfinite(value) else str(value)

    def item(self, item: Dict[str, object]) -> Dict[str, object]:
        """Return a whole event, clean."""
        return {name: self.value(value) for name, value in item.items()}

    def _list(self, values: Sequence[object], depth: int) -> List[object]:
        """A command may come as a list of words; the word behind a password option is masked."""
        clean: List[object] = []
        for index, value in enumerate(values):
            before = values[index - 1] if index else None
            hidden = isinstance(before, str) and isinstance(value, str) and _BARE_OPTION.match(before)
            clean.append(MASK if hidden else self.value(value, depth + 1))
        return clean


def fit(item: Dict[str, object], limit: int = EVENT_BYTES) -> Dict[str, object]:
    """Return the event, cut where it is larger than ``limit`` bytes as JSON."""
    if _size(item) <= limit:
        return item
    smaller = dict(item)
    if isinstance(smaller.get("result"), dict):
        smaller["result"] = _cut_result(smaller["result"])  # type: ignore[arg-type]
    for name in ("stdout", "message", "play", "task", "action", "role", "host"):
        text = smaller.get(name)
        if isinstance(text, str) and _size(smaller) > limit:
            smaller[name] = cut_text(text, _KEPT_TEXT if name == "stdout" else _KEPT_FIELD_TEXT)
    if _size(smaller) > limit:
        smaller.pop("stats", None)
    return smaller


def cut_text(text: str, keep: int) -> str:
    """Return the beginning and the end of a long text, with a note of what is missing between them."""
    if len(text) <= keep:
        return text
    return f"{text[: keep // 2]}\n… {len(text) - keep} characters cut …\n{text[len(text) - keep // 2 :]}"


def _cut_result(result: Dict[str, object]) -> Dict[str, object]:
    kept: Dict[str, object] = {"cut": True}
    for name in _KEPT_FIELDS:
        value = result.get(name)
        if isinstance(value, str):
            kept[name] = cut_text(value, _KEPT_FIELD_TEXT)
        elif isinstance(value, (bool, int, float)):
            kept[name] = value
    return kept


def _size(item: Dict[str, object]) -> int:
    return len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _pattern(secret_values: Sequence[str]) -> Pattern[str] | None:
    forms: Dict[str, None] = {}
    for secret in secret_values:
        pieces = [piece for piece in (*secret.splitlines(), *secret.split()) if len(piece.strip()) >= _SHORTEST_PIECE]
        for piece in (secret, *pieces):
            if len(piece.strip()) >= SHORTEST_SECRET:
                forms.update(dict.fromkeys(_forms(piece)))
    if not forms:
        return None
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(re.escape(form) for form in longest_first))


def _forms(secret: str) -> Tuple[str, ...]:
    """As it is, and as it stands within JSON and within quotes of Python or the shell."""
    return (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.replace("'", "'\"'\"'"),
        repr(secret)[1:-1],
    )
