# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps connections to the server open between tasks; private to this collection.

Ansible forks a process for every task of every host, and what that process opens is lost with it. This program listens
on a socket of its user's, lends open connections to whoever comes, and ends when nobody came for a while. It passes
bytes on and understands none of them: tokens are in them, so it keeps nothing.

A borrower sends blocks, each with its length in four bytes before it; a block of no bytes says that the answer was read
to its end, and the connection may be lent again.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import socket
import ssl
import sys
import urllib.parse

_PIECE = 65536
_LOOK_SECONDS = 1.0
_KEPT = 64
_HEAD_BYTES = 65536
_DIAL_SECONDS = 30
#: Where the keeper is told its proxy: the password of one must not be in a list of processes.
PROXY_VARIABLE = "PATCHMON_KEEPER_PROXY"


class Keeper:
    """Lends connections to one server."""

    def __init__(self, url: str, verify: bool, ca_file: str, idle_seconds: float, proxy: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._proxy = proxy
        self._tls = tls_context(verify, ca_file) if parts.scheme == "https" else None
        self._idle_seconds = idle_seconds
        self._free: list = []
        self._borrowers = 0
        self._last = 0.0

    async def run(self, path: str) -> None:
        """Listen until nobody came for a while."""
        self._last = asyncio.get_running_loop().time()
        server = await asyncio.start_unix_server(self._lend, path)
        os.chmod(path, 0o600)
        while self._borrowers or asyncio.get_running_loop().time() - self._last < self._idle_seconds:  # noqa: ASYNC110 (time itself is waited for)
            await asyncio.sleep(_LOOK_SECONDS)
        os.unlink(path)
        server.close()

    async def _lend(self, reader, writer) -> None:
        self._borrowers += 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return  # a borrower that is gone needs no answer
        finally:
            self._borrowers -= 1
            self._last = asyncio.get_running_loop().time()
            writer.close()

    async def _serve(self, reader, writer) -> None:
        try:
            far_reader, far_writer = await self._connection()
        except OSError as error:
            writer.write(_refusal(str(error)))
            await writer.drain()
            return
        returning = asyncio.ensure_future(_pass_on(far_reader, writer))
        whole = False
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if not size:
                    whole = not returning.done()
                    return
                far_writer.write(await reader.readexactly(size))
                await far_writer.drain()
        finally:
            returning.cancel()
            await asyncio.gather(returning, return_exceptions=True)
            if whole and len(self._free) < _KEPT:
                self._free.append((far_reader, far_writer))
            else:
                far_writer.close()

    async def _connection(self):
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        plain = await asyncio.get_running_loop().run_in_executor(None, dial, self._url, self._proxy, _DIAL_SECONDS)
        plain.setblocking(False)
        return await asyncio.open_connection(
            sock=plain, ssl=self._tls, server_hostname=self._host if self._tls else None
        )


async def _pass_on(reader, writer) -> None:
    try:
        while True:
            data = await reader.read(_PIECE)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        # The server ended it: so must the borrower's side end.
        writer.write_eof()
    except OSError:
        return


def _refusal(reason: str) -> bytes:
    body = reason.encode("utf-8", "replace")
    head = f"HTTP/1.1 502 Bad Gateway\r\nX-PatchMon-Keeper: refused\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def dial(url: str, proxy: str, timeout_seconds: float) -> socket.socket:
    """Return a connection to the server of this URL, through a proxy where one is named.

    Raises:
        OSError: it cannot be reached, or the proxy does not let it be.
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not proxy:
        made = socket.create_connection((host, port), timeout_seconds)
    else:
        between = urllib.parse.urlsplit(proxy)
        made = socket.create_connection((between.hostname or "", between.port or 3128), timeout_seconds)
        try:
            _pass_through(made, between, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except OSError:
            made.close()
            raise
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _pass_through(made: socket.socket, proxy: urllib.parse.SplitResult, target: str) -> None:
    """Have the proxy connect through; reads its answer byte by byte, for what follows belongs to the server."""
    named = f"{proxy.hostname}:{proxy.port or 3128}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: patchmon.fleet"]
    if proxy.username:
        pair = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
        lines.append("Proxy-Authorization: Basic " + base64.b64encode(pair.encode()).decode("ascii"))
    made.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < _HEAD_BYTES:
        byte = made.recv(1)
        if not byte:
            raise OSError(f"the proxy {named} ended the connection")
        head += byte
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy {named} did not connect to {target}: {status}")


def tls_context(verify: bool, ca_file: str) -> ssl.SSLContext:
    """Return how the server proves who it is."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if ca_file:
        # Beside those of the system, which are left out where a file is named.
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def main(path: str, url: str, verify: str, ca_file: str, idle_seconds: str) -> None:
    """Be the one keeper of this socket, or leave it to the other."""
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if os.path.exists(path):
        os.unlink(path)
    asyncio.run(Keeper(url, verify == "1", ca_file, float(idle_seconds), os.environ.get(PROXY_VARIABLE, "")).run(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
