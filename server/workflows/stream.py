"""Following a run: subscribe, read, hand over what is new, wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from server.core.call import Call
from server.core.errors import Missing, Refused
from server.identity import service as identity
from server.workflows import rules, service
from server.workflows.events import run_topic
from server.workflows.models import Row

_LOOK_SECONDS: Final = 10.0
_REST_SECONDS: Final = 0.1
_VIEW: Final = "can_view_hosts"


async def follow(call: Call, run: str, after: int) -> AsyncIterator[Row | None]:
    """Yield a run whenever it has moved past ``after``, until its end; ``None`` says that it still waits."""
    asked = call
    async with call.world.bus.following(run_topic(run)) as bell:
        while True:
            try:
                asked = await identity.again(asked, _VIEW)
                found = await service.fetch_run(asked, run)
            except (Refused, Missing):
                # Signed out meanwhile, or it is not theirs to see any more.
                return
            over = found["status"] in rules.OVER
            if found["position"] > after or over:
                after = found["position"]
                yield found
            if over:
                return
            if not await bell.ring(within=_LOOK_SECONDS):
                yield None
            await asyncio.sleep(_REST_SECONDS)
