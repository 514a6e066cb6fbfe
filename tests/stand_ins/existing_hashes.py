"""Section hashes as existing agents make them: written from the contract, without a line of ours."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from typing import Any

_CODES = [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
BLANKS = "".join(map(chr, _CODES))
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip(BLANKS)


def _string(text: str) -> str:
    return "".join(
        _SHORT.get(one) or (f"\\u{ord(one):04x}" if ord(one) < 0x20 or one in "<>&\u2028\u2029" else one)
        for one in text
    )


def _json(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f'"{_string(value)}"'
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(name)}:{_json(inner)}" for name, inner in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _row(told: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    row = {}
    for name in names:
        empty: Any = False if name.startswith(("needs", "is")) else 0 if name == "wuaRevisionNumber" else ""
        value = told.get(name) or empty
        row[name] = _clean(value) if isinstance(value, str) else value
    return row


def _digest(value: Any) -> str:
    return hashlib.sha256(_json(value).encode()).hexdigest()


def _last(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda row: tuple(row[name].encode() for name in names))
    return list({tuple(row[name] for name in names): row for row in ordered}.values())


PACKAGE = (
    "name", "description", "category", "currentVersion", "availableVersion", "needsUpdate", "isSecurityUpdate",
    "sourceRepository", "wuaGuid", "wuaKb", "wuaSeverity", "wuaCategories", "wuaSupportUrl", "wuaRevisionNumber",
)  # fmt: skip


def packages(told: list[dict[str, Any]]) -> str:
    rows = []
    for one in told:
        row = _row(one, PACKAGE)
        row["wuaCategories"] = [_clean(text) for text in sorted(one.get("wuaCategories") or [])] or None
        rows.append(row)
    return _digest(_last(rows, "name"))


def repositories(told: list[dict[str, Any]]) -> str:
    names = ("name", "url", "distribution", "components", "repoType", "isEnabled", "isSecure")
    return _digest(_last([_row(one, names) for one in told], "url", "distribution", "components"))


def interfaces(told: list[dict[str, Any]]) -> str:
    rows = []
    for one in told:
        row = _row(one, ("name", "type", "macAddress"))
        row["macAddress"] = row["macAddress"].lower()
        found = [_row(address, ("address", "family", "netmask", "gateway")) for address in one.get("addresses") or []]
        row["addresses"] = sorted(found, key=lambda row: (row["family"].encode(), row["address"].encode()))
        rows.append(row)
    return _digest(sorted(rows, key=lambda row: row["name"].encode()))


def hostname(told: str) -> str:
    return hashlib.sha256(_clean(told).encode()).hexdigest()
