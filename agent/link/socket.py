"""The agent WebSocket: one connection at a time, kept alive, its messages handed on as they come."""

from __future__ import annotations

from typing import AsyncIterator, Optional
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from agent import __version__
from agent.config import Config, Credentials, Environment
from agent.link.failures import cause
from agent.link.http import tls_context

HANDSHAKE_SECONDS = 45.0
PING_SECONDS = 30.0
#: After this long without a pong the connection counts as dead: 90 seconds after the last sign of life.
PONG_SECONDS = 60.0
#: No message to an agent is longer.
MAX_MESSAGE_BYTES = 64 * 1024
_CLOSE_SECONDS = 1.0


class LinkFailed(Exception):
    """The connection could not be opened or ended; the text names the cause."""


class _Here(connect):
    """Never follows a server elsewhere: the credentials in the headers are for the configured one alone."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Refuse every redirection."""
        return exc


class Link:
    """An open connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, config: Config, environment: Environment, credentials: Credentials) -> Link:
        """Connect and authenticate; the credentials travel in the upgrade's headers only.

        Raises:
            LinkFailed: with a cause that tells DNS, TLS, timeout, refused and handshake apart.
        """
        url = config.websocket_url
        if not url:
            raise LinkFailed("no server is configured (patchmon_server)")
        try:
            connection = await _Here(
                url,
                additional_headers=credentials.headers,
                user_agent_header=f"patchmon-agent/{__version__}",
                compression=None,
                open_timeout=HANDSHAKE_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                max_size=MAX_MESSAGE_BYTES,
                proxy=environment.proxy_for(url) or None,
                ssl=tls_context(verify=environment.verifies(config)) if url.startswith("wss:") else None,
            )
        except (OSError, WebSocketException, ValueError) as error:
            raise LinkFailed(cause(error, urlsplit(url).hostname or "")) from error
        return cls(connection)

    async def send(self, text: str) -> None:
        """Send one message; waits while the server does not read.

        Raises:
            LinkFailed: the connection is gone.
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise LinkFailed(cause(error)) from error

    async def messages(self) -> AsyncIterator[str]:
        """Yield text messages until the connection ends."""
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed:
                return
            if isinstance(message, str):
                yield message

    async def close(self) -> None:
        """Say good-bye and close."""
        await self._connection.close()

    @property
    def ending(self) -> Optional[str]:
        """Return how the connection ended, for the log."""
        code = self._connection.close_code
        return None if code is None else f"{code} {self._connection.close_reason or ''}".strip()
