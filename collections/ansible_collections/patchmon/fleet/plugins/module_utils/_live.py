# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends lines to whoever watches the run, while the module is still at work; private to this collection."""

from __future__ import annotations

import os
import socket
from typing import Optional

VARIABLE = "PATCHMON_LIVE_SOCKET"
PATIENCE_SECONDS = 2.0


class LiveLines:
    """A connection that may be absent or break at any time: a watcher never decides how the work ends."""

    def __init__(self) -> None:
        """Connect if the environment names a socket."""
        self._socket: Optional[socket.socket] = None
        path = os.environ.get(VARIABLE)
        if path:
            self._connect(path)

    def __call__(self, text: str) -> None:
        """Send one line; a watcher who does not read for two seconds gets no more."""
        if self._socket is None:
            return
        line = text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace") + b"\n"
        try:
            self._socket.sendall(line)
        except OSError:
            self.close()

    def close(self) -> None:
        """End the connection; harmless when repeated."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self, path: str) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
        else:
            self._socket = connection
