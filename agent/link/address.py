"""The address of a server as people write it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from agent.config import ConfigError


def server_url(text: str) -> str:
    """Return a server address without its trailing slash.

    Raises:
        ConfigError: it does not start with http:// or https://, or names no host.
    """
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
        _ = parts.port
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"invalid server URL {text!r}: it must start with http:// or https:// and name a host")
    return text.rstrip("/")
