"""What may enter the audit log."""

from collections.abc import Mapping
from typing import Final

HIDDEN: Final = "***"
_WORDS: Final = (
    "password",
    "secret",
    "token",
    "api_key",
    "apikey",
    "passphrase",
    "private_key",
    "cookie",
    "authorization",
)


def presentable(detail: Mapping[str, object]) -> dict[str, object]:
    """Return ``detail`` with everything whose name sounds like a secret hidden, at any depth.

    Callers do not pass secrets; this is the last net, because what is written here is kept and shown.
    """
    return {name: HIDDEN if _sounds_secret(name) and value else _inside(value) for name, value in detail.items()}


def _inside(value: object) -> object:
    if isinstance(value, Mapping):
        return presentable({str(name): inner for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_inside(one) for one in value]
    return value


def _sounds_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _WORDS) and not lowered.endswith(("_id", "_at", "_count"))
