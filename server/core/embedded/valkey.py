"""The embedded Valkey: its settings, and knowing when it is ready."""

import signal
import socket
from pathlib import Path
from typing import Final

from server.core import clock
from server.core.embedded import places
from server.core.embedded.ground import Ground, Say
from server.core.embedded.processes import Launch
from server.core.log import get_log

log = get_log(__name__)

_SOCKET: Final = "valkey.sock"
_PING_SECONDS: Final = 1.0
_DAMAGE: Final = ("Bad file format reading the append only file", "error reading the append only file")
# Written to the file before a client is answered, on disk within a second: PostgreSQL holds what must not be lost.
_OPTIONS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "protected-mode": "yes",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "auto-aof-rewrite-min-size": "16mb",
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}


class Valkey:
    """Valkey in ``data_dir/valkey``, reached through a socket only."""

    name: Final = "valkey"

    def __init__(self, ground: Ground, say: Say) -> None:
        self._ground = ground
        self._say = say
        self._folder = ground.data_dir / "valkey"
        self._socket = ground.runtime_dir / _SOCKET

    @property
    def url(self) -> str:
        """The address for a client; there is no password, the socket's directory is closed to others."""
        return url(self._ground.runtime_dir)

    def prepare(self) -> None:
        """Make the data directory; only the lock may tell whether an old instance lives, so no file is removed."""
        places.make_private(self._folder, self._ground.account)

    def launch(self) -> Launch:
        """Return how to start it; SIGTERM lets it write what it holds, whoever sends it."""
        options = _OPTIONS | {"unixsocket": str(self._socket), "dir": str(self._folder)}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        command = [str(self._ground.programs.valkey), *arguments]
        return Launch(
            name=self.name,
            command=self._ground.account.bound(command, on_death=signal.SIGTERM),
            lock=self._ground.lock(self.name),
            stop=((signal.SIGTERM, 20.0),),
        )

    def ready(self, _pid: int) -> bool:
        """Tell whether it answers; while it reads its file it says ``LOADING``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PING_SECONDS)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except (FileNotFoundError, ConnectionError, TimeoutError):
                return False

    def set_aside(self, last_words: str) -> bool:
        """Put away a damaged append-only file and tell whether to try again with an empty one.

        What Valkey holds can be rebuilt, at worst people sign in again; a server that does not start helps nobody.
        """
        if not any(sign in last_words for sign in _DAMAGE):
            return False
        away = self._folder.with_name(f"valkey-damaged-{clock.now():%Y%m%dT%H%M%SZ}")
        self._folder.rename(away)
        log.error("valkey_file_damaged", moved_to=str(away))
        self._say(f"Valkey's file is damaged; it was moved to {away} and a new one begun")
        self.prepare()
        return True


def url(runtime_dir: Path) -> str:
    """Return the redis URL of the Valkey whose socket is in ``runtime_dir``."""
    return f"unix://{runtime_dir / _SOCKET}"
