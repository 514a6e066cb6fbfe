# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks to the server's relay: one HTTP request per command or file; private to this collection."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ansible_collections.patchmon.fleet.plugins.plugin_utils import _relay_keeper

_HEAD_BYTES = 5
DONE, OUT, ERR, LIVE, STILL = 0, 1, 2, 3, 9
#: The server gives a sign of life far more often than this.
_SILENT_SECONDS = 90
_START_SECONDS = 5.0
_SOCKET_PATH = 100
_BLOCK = 256 * 1024
_LONGEST_REASON = 400


class RelayError(Exception):
    """The operation was not carried out; ``code`` tells why, the text is for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Server:
    """Where the relay is and how to prove who asks; ``persist_seconds`` of 0 opens a connection for every task.

    ``proxy`` is the URL of what stands between, empty for nothing.
    """

    url: str
    authorization: str
    path: str = "/api/v1/relay"
    verify: bool = True
    ca_file: str = ""
    timeout_seconds: float = 10
    persist_seconds: float = 60
    proxy: str = ""


def proxy_for(url, told):
    """Return the proxy between here and the server; empty for none.

    Args:
        url: address of the server.
        told: what was configured: a URL, C(none), or nothing for what the environment says (C(HTTPS_PROXY),
            C(HTTP_PROXY), C(NO_PROXY)).

    Raises:
        RelayError: it is no proxy that connects through.
    """
    parts = urllib.parse.urlsplit(url)
    if told == "none" or parts.scheme not in ("http", "https"):
        return ""
    found = told
    if not told and not urllib.request.proxy_bypass_environment(f"{parts.hostname}:{parts.port or ''}".rstrip(":")):
        found = urllib.request.getproxies_environment().get(parts.scheme, "")
    if not found:
        return ""
    found = found if "://" in found else f"http://{found}"
    between = urllib.parse.urlsplit(found)
    if between.scheme != "http" or not between.hostname:
        raise RelayError("bad_proxy", f"a proxy has to be http://[user:password@]host:port, not {between.scheme}://…")
    return found


def bearer(token):
    """Return how the token of a person proves who asks."""
    return f"Bearer {token}"


def basic(key, secret):
    """Return how the key and the secret of a program prove who asks."""
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode("ascii")


class Done:
    """How an operation ended."""

    def __init__(self, body):
        self.rc = int(body.get("rc") or 0)
        self.size = int(body.get("size") or 0)
        self.code = str(body.get("code") or "")
        self.reason = str(body.get("reason") or "")


class Relay:
    """One borrowed or own connection, used for one operation after the other."""

    def __init__(self, server, folder):
        self._server = server
        self._folder = folder
        self._connection = None

    def close(self):
        """Give the connection back."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

    def run(self, host, operation, target, pieces, received, live=False):
        """Carry one operation out and return its end.

        Args:
            host: UUID, friendly name or hostname.
            operation: exec, put or fetch.
            target: the command or the file's name, as bytes.
            pieces: an iterable of the input's bytes; another thread runs it while this one listens.
            received: called with the kind and the bytes of what comes.
            live: also what modules print while they run.

        Raises:
            RelayError: it was not carried out.
        """
        try:
            return self._run(host, operation, target, pieces, received, live)
        except RelayError:
            self._drop()
            raise
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            said = str(error) or type(error).__name__
            raise RelayError("cut", f"the connection to {self._server.url} was lost: {said}") from error

    def _drop(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, host, operation, target, pieces, received, live):
        if self._connection is None:
            self._connection = _Connection(self._server, self._folder)
        connection = self._connection
        connection.putrequest("POST", f"{self._server.path}/hosts/{urllib.parse.quote(host, safe='')}/{operation}")
        connection.putheader("Authorization", self._server.authorization)
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("User-Agent", "patchmon.fleet")
        line = json.dumps({"target": base64.b64encode(target).decode("ascii"), "live": live}).encode() + b"\n"
        connection.endheaders(_chunk(line))
        sender = _Sender(connection, pieces)
        sender.start()
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _refused(response, self._server.url)
        done = self._listen(response, received)
        sender.join(timeout=_SILENT_SECONDS)
        response.read()
        if response.will_close or sender.is_alive() or sender.error is not None:
            self._drop()
        if isinstance(sender.error, BaseException) and not isinstance(sender.error, OSError):
            raise sender.error
        return done

    def _listen(self, response, received):
        while True:
            head = response.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES:
                raise RelayError("cut", "the server ended the connection in the middle of the operation")
            data = response.read(int.from_bytes(head[1:], "big"))
            if head[0] == DONE:
                received(DONE, b"")
                return Done(json.loads(data))
            if head[0] in (OUT, ERR, LIVE):
                received(head[0], data)


class _Sender(threading.Thread):
    """Sends the input while the answer is read: a command may want to be heard before it listens on."""

    def __init__(self, connection, pieces):
        super().__init__(name="relay-input", daemon=True)
        self.error = None
        self._connection = connection
        self._pieces = pieces

    def run(self):
        """Send everything and say that it was all."""
        try:
            for piece in self._pieces:
                for start in range(0, len(piece), _BLOCK):
                    self._connection.send(_chunk(piece[start : start + _BLOCK]))
            self._connection.send(b"0\r\n\r\n")
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            self.error = error


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def _refused(response, url):
    text = response.read(65536)
    if response.getheader("X-PatchMon-Keeper"):
        return RelayError("unreachable", f"{url} cannot be reached: {text.decode('utf-8', 'replace')}")
    try:
        body = json.loads(text)
        said, code = str(body.get("error") or response.reason), str(body.get("code") or "")
        said += f": {body['message']}" if body.get("message") else ""
    except (ValueError, AttributeError):
        said, code = f"{response.status} {response.reason}", ""
    if response.status == http.client.UNAUTHORIZED:
        said = f"{said} (the token is wrong, expired or revoked)"
    return RelayError(code or f"http_{response.status}", said[:_LONGEST_REASON])


# ---------------------------------------------------------------- the connection


class _Connection(http.client.HTTPConnection):
    """To the server itself, to a socket of its, or to a keeper that lends a connection."""

    def __init__(self, server, folder):
        parts = urllib.parse.urlsplit(server.url)
        super().__init__(parts.hostname or "localhost", parts.port, timeout=server.timeout_seconds)
        self._server = server
        self._folder = folder
        self._lent = None

    def connect(self):
        """Open it, the cheapest way that works."""
        parts = urllib.parse.urlsplit(self._server.url)
        if parts.scheme == "unix":
            self.sock = _unix(parts.path, self._server.timeout_seconds)
        elif self._server.persist_seconds > 0:
            self.sock = self._lent = _lent(self._server, self._folder)
        if self.sock is None:
            self.sock = self._direct(parts)
        self.sock.settimeout(_SILENT_SECONDS)

    def _direct(self, parts):
        try:
            plain = _relay_keeper.dial(self._server.url, self._server.proxy, self._server.timeout_seconds)
        except OSError as error:
            raise RelayError("unreachable", f"{self._server.url} cannot be reached: {error}") from error
        if parts.scheme != "https":
            return plain
        try:
            context = _relay_keeper.tls_context(self._server.verify, self._server.ca_file)
        except OSError as error:
            plain.close()
            why = f"the certificates in {self._server.ca_file} cannot be read: {error}"
            raise RelayError("unreachable", why) from error
        return context.wrap_socket(plain, server_hostname=parts.hostname)

    def release(self):
        """Give a lent connection back to be lent again; end any other."""
        if self._lent is not None and self.sock is self._lent:
            self._lent.release()
        self.close()


class _Lent:
    """A socket to a keeper, as http.client wants it."""

    def __init__(self, plain):
        self._socket = plain

    def sendall(self, data):
        """Send a block."""
        for start in range(0, len(data), _BLOCK):
            piece = data[start : start + _BLOCK]
            self._socket.sendall(len(piece).to_bytes(4, "big") + piece)

    def makefile(self, *arguments, **options):
        """Return what the answer is read from."""
        return self._socket.makefile(*arguments, **options)

    def settimeout(self, seconds):
        """Set how long to wait for anything."""
        self._socket.settimeout(seconds)

    def release(self):
        """The last answer was read to its end."""
        try:
            self._socket.sendall(b"\0\0\0\0")
        except OSError:
            return  # the keeper is gone, and the connection with it

    def close(self):
        """Leave the keeper."""
        self._socket.close()


def _unix(path, timeout_seconds):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout_seconds)
    try:
        made.connect(path)
    except OSError as error:
        made.close()
        raise RelayError("unreachable", f"the relay's socket cannot be reached: {error}") from error
    return made


def _lent(server, folder):
    """Return a socket to the keeper, which is started when there is none; nothing when there can be none."""
    path = _keeper_path(server, folder)
    if path is None:
        return None
    deadline = time.monotonic() + _START_SECONDS
    started = False
    while time.monotonic() < deadline:
        try:
            return _Lent(_unix(path, server.timeout_seconds))
        except RelayError:
            if not started:
                started = True
                _start_keeper(path, server)
            time.sleep(0.01)
    return None


def _start_keeper(path, server):
    verify, persist = "1" if server.verify else "0", str(server.persist_seconds)
    # It outlives this process, which is what it is for; of two that start at once one leaves.
    subprocess.Popen(
        [sys.executable, "-I", _relay_keeper.__file__, path, server.url, verify, server.ca_file, persist],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={**os.environ, _relay_keeper.PROXY_VARIABLE: server.proxy},
    )


def _keeper_path(server, folder):
    text = "\0".join((server.url, str(server.verify), server.ca_file, str(server.persist_seconds), server.proxy))
    name = f"patchmon-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    for place in (folder, os.path.join(tempfile.gettempdir(), f"patchmon-{os.getuid()}")):
        path = os.path.join(place, name)
        if len(os.fsencode(path)) <= _SOCKET_PATH and _is_private(place):
            return path
    return None


def _is_private(folder):
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
