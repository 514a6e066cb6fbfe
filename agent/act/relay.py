"""Commands and files that Ansible, running elsewhere, sends through this agent; one conversation's worth of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from typing import Awaitable, Callable, Dict, Tuple

from agent.act import relay_exec, relay_files
from agent.act.follow import Gone
from agent.act.policy import Policy
from agent.act.relay_stream import Failed, Stream
from agent.protocol.codec import encode
from agent.protocol.messages import (
    RELAY_TARGET_BYTES,
    Message,
    RelayCancel,
    RelayDone,
    RelayInput,
    RelayOpen,
    RelayRead,
)
from agent.system.log import Log
from agent.system.loop import Keeper, in_thread

#: Operations at once; each may hold two windows of chunks.
MOST = 64
_WORK = {"exec": relay_exec.carry_out, "put": relay_files.put, "fetch": relay_files.fetch}

#: The messages for ``Relay``.
TO_RELAY: Tuple[type, ...] = (RelayOpen, RelayInput, RelayRead, RelayCancel)

Send = Callable[[str], Awaitable[None]]


class Relay:
    """Every operation that runs over one connection; they end with it."""

    def __init__(self, policy: Callable[[], Policy], keeper: Keeper, log: Log, send: Send) -> None:
        self._policy = policy
        self._keeper = keeper
        self._log = log
        self._send = send
        self._open: Dict[str, Tuple[Stream, "asyncio.Task[None]"]] = {}

    async def received(self, message: Message) -> None:
        """Take one message of the server."""
        if isinstance(message, RelayOpen):
            await self._begin(message)
            return
        found = self._open.get(getattr(message, "relay", ""))
        if found is None:
            return  # it ended while this was on its way
        stream, task = found
        if isinstance(message, RelayInput):
            self._feed(stream, task, message)
        elif isinstance(message, RelayRead):
            stream.may_send(message.chunks)
        elif isinstance(message, RelayCancel):
            task.cancel()

    async def close(self) -> None:
        """The connection is gone, and whoever waited for the operations with it."""
        tasks = [task for _, task in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, opened: RelayOpen) -> None:
        code, reason = await in_thread(self._refusal, opened)
        if code:
            self._log.warning("Relay refused", operation=opened.operation, by=opened.by, code=code)
            await self._send(encode(RelayDone(opened.relay, code=code, reason=reason)))
            return
        target = base64.b64decode(opened.target)
        # A command may hold secrets; the name of a file tells what was done to the host.
        told = {"file": target.decode("utf-8", "replace")} if opened.operation != "exec" else {}
        self._log.info("Relay", operation=opened.operation, by=opened.by, **told)
        stream = Stream(opened, target, self._send)
        task = self._keeper.start(f"relay {opened.relay}", self._carry_out(opened, stream))
        self._open[opened.relay] = (stream, task)
        task.add_done_callback(lambda _: self._open.pop(opened.relay, None))

    def _refusal(self, opened: RelayOpen) -> Tuple[str, str]:
        policy = self._policy()
        if policy.automation != "any":
            word = f"automation is '{policy.automation}' in {policy.file}"
            return "forbidden", f"This host lets nobody run commands through its agent: {word}, 'any' is needed."
        if opened.operation not in _WORK or opened.relay in self._open:
            return "failed", f"The agent does not know the operation {opened.operation!r}."
        if len(self._open) >= MOST:
            return "busy", f"{len(self._open)} operations already run through this agent."
        try:
            target = base64.b64decode(opened.target, validate=True)
        except (binascii.Error, ValueError):
            return "failed", "The operation's target is not base64."
        if not target or len(target) > RELAY_TARGET_BYTES or b"\0" in target:
            return "failed", f"A command or file name has 1 to {RELAY_TARGET_BYTES} bytes, none of them zero."
        return "", ""

    @staticmethod
    def _feed(stream: Stream, task: "asyncio.Task[None]", message: RelayInput) -> None:
        if not stream.feed(message):
            # What is missing cannot be had again; half an input must not be run.
            stream.broken = True
            task.cancel()

    async def _carry_out(self, opened: RelayOpen, stream: Stream) -> None:
        try:
            done = RelayDone(opened.relay, *await _WORK[opened.operation](stream))
        except Failed as error:
            done = RelayDone(opened.relay, code=error.code, reason=str(error))
        except asyncio.CancelledError:
            if stream.broken:
                await self._send(
                    encode(RelayDone(opened.relay, code="failed", reason="A part of the input is missing."))
                )
            raise
        except OSError as error:
            done = RelayDone(opened.relay, code="failed", reason=f"{error.strerror or error}")
        except Gone:
            return  # nobody is there any more to be told
        with contextlib.suppress(Gone):
            await self._send(encode(done))
