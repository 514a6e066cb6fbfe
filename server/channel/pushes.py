"""Tells connected agents at once what operators changed; agents that are away ask when they start."""

from collections.abc import Sequence

import orjson

from server.channel.switchboard import Switchboard
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.settings import service as settings
from server.settings.events import SettingsChanged

log = get_log(__name__)

_PUSHED = ("update_interval", "compliance_scan_interval")


async def push_settings(world: World, board: Switchboard) -> None:
    """Pass other intervals of reports and scans on to every link of this process; runs until cancelled."""
    async with world.bus.following(SettingsChanged.name) as bell:
        while True:
            news = await bell.ring()
            changed = [name for name in _PUSHED if any(name in one.get("settings", ()) for one in news)]
            if changed:
                await _push(world, board, changed)


async def _push(world: World, board: Switchboard, names: Sequence[str]) -> None:
    try:
        found = await settings.anew(Call(world, system("channel")))
    except DatabaseError as error:
        # Agents ask for the interval whenever they start; nothing is lost for good.
        log.warning("settings_not_pushed", reason=str(error).strip())
        return
    told = {name: getattr(found, name) for name in names}
    text = orjson.dumps({"type": "settings_update", **told}).decode()
    for host_id in board.host_ids():
        link = board.link(host_id)
        if link is not None:
            link.send(text)
