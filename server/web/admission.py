"""How many agents are greeted at the same time: the others wait their turn, so that people's requests keep theirs.

When a server starts again, thousands of agents stand there in the same moment. To read all their requests would keep
the loop busy for longer than a page may take. So theirs are not even read before it is their turn; all others are.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

#: Enough to keep a processor and some database connections busy; with more, a page waits longer between two steps.
AT_ONCE: Final = 16
_PATH: Final = "/api/v1/agents/ws"
_GREETING: Final = f"GET {_PATH}".encode()
_END_OF_HEAD: Final = b"\r\n\r\n"


class Admission:
    """Lets so many agents in at a time, in the order of coming, until each has its answer."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._inside: set[Connection] = set()
        self._waiting: dict[Connection, bytes] = {}

    def waits(self, connection: "Connection") -> bool:
        """Tell whether others come before this one."""
        return connection in self._waiting

    def may_enter(self, connection: "Connection", greeting: bytes) -> bool:
        """Say whether the greeting may be read now; else it is kept until it may."""
        if len(self._inside) < self._at_once:
            self._inside.add(connection)
            return True
        self._waiting[connection] = greeting
        connection.pause()
        return False

    def leave(self, connection: "Connection") -> None:
        """Give the place to the next: there is an answer, or nobody to give it to. Twice does no harm."""
        self._waiting.pop(connection, None)
        if connection not in self._inside:
            return
        self._inside.discard(connection)
        if self._waiting:
            following = next(iter(self._waiting))
            self._inside.add(following)
            # Not at once: whoever gives their place back while they are read would have the next read inside of it.
            asyncio.get_running_loop().call_soon(following.go_on, self._waiting.pop(following))


ADMISSION: Final = web.AppKey("admission", Admission)


def set_up(app: web.Application) -> None:
    """Have every answer make room for the next agent."""
    app[ADMISSION] = Admission()
    app.on_response_prepare.append(_answered)


async def _answered(request: web.Request, _answer: web.StreamResponse) -> None:
    if isinstance(request.protocol, Connection):
        request.config_dict[ADMISSION].leave(request.protocol)


class Connection(RequestHandler):
    """A connection to the server; an agent's greeting on it may have to wait."""

    __slots__ = ("_admission",)

    def __init__(self, admission: Admission, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._admission = admission

    @property
    def waits(self) -> bool:
        """Tell whether a greeting of it was not read yet, which is not its fault."""
        return self._admission.waits(self)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless it is a greeting that has to wait.

        A greeting that comes in pieces takes no place, or whoever never ends theirs would keep the others out.
        """
        if not data.startswith(_GREETING) or not data.endswith(_END_OF_HEAD):
            super().data_received(data)
        elif self._admission.may_enter(self, data):
            self._read(data)

    def pause(self) -> None:
        """Hear nothing more for now."""
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on(self, greeting: bytes) -> None:
        """Read what had to wait, and listen again."""
        if self.transport is not None:
            self.transport.resume_reading()
            self._read(greeting)

    def _read(self, greeting: bytes) -> None:
        super().data_received(greeting)
        # What looked like a greeting may have been a piece of something else, which gets no answer that soon.
        last = self._messages[-1][0] if self._messages else None
        if not getattr(last, "path", "").startswith(_PATH):
            self._admission.leave(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room."""
        self._admission.leave(self)
        super().connection_lost(exc)


class Door(web.TCPSite):
    """Where a server listens; ``options`` are those its runner has for connections."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, backlog: int, options: Mapping[str, Any]) -> None:
        super().__init__(runner, host, port, backlog=backlog)
        self._admission = runner.app[ADMISSION]
        self._options = options

    async def start(self) -> None:
        """Listen."""
        await super(web.TCPSite, self).start()
        loop, server = asyncio.get_running_loop(), self._runner.server
        if server is None:
            raise RuntimeError
        self._server = await loop.create_server(
            lambda: Connection(self._admission, server, loop=loop, **self._options),
            self._host, self._port, backlog=self._backlog,
        )  # fmt: skip
