"""What went wrong with the network, in words a person can act on."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Optional
from urllib.parse import urlsplit, urlunsplit


def cause(error: BaseException, host: str = "") -> str:
    """Name the cause of a failed request or connection: DNS, TLS, timeout, refused, handshake or what it is."""
    named = _network(error, host)
    if named is not None:
        return named
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        location = getattr(getattr(error, "response", None), "headers", {}).get("Location", "")
        return "websocket: bad handshake: " + refused(status, location)
    if type(error).__module__.startswith("websockets") and "Closed" not in type(error).__name__:
        return f"websocket: bad handshake: {_text(error)}"
    if error.__cause__ is not None and not isinstance(error, OSError):
        return cause(error.__cause__, host)
    return _text(error)


def refused(status: int, location: str = "") -> str:
    """Say how a server answered; where it points to is said and not followed: the credentials are for it alone."""
    if location and 300 <= status < 400:  # noqa: PLR2004 (what HTTP calls redirections)
        parts = urlsplit(location)
        place = urlunsplit((parts.scheme.replace("ws", "http"), parts.netloc, "", "", "")) if parts.netloc else location
        command = "patchmon-agent config set-api API_ID API_KEY"
        return f"server returned {status}: it points to {place}; if the server has moved, run '{command} {place}'"
    return f"server returned {status}" + (" Unauthorized" if status == 401 else "")  # noqa: PLR2004


def _network(error: BaseException, host: str) -> Optional[str]:  # noqa: PLR0911 (one line per cause)
    if isinstance(error, socket.gaierror):
        word = "server misbehaving" if error.errno == socket.EAI_AGAIN else "no such host"
        return f"DNS: lookup {host}: {word}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: failed to verify certificate: {error.verify_message or _text(error)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or _text(error)}"
    if isinstance(error, (socket.timeout, TimeoutError, asyncio.TimeoutError)):
        return "timeout: i/o timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "connection reset by peer"
    return None


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
