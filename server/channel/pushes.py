"""Tells connected agents at once what operators changed; agents that are away ask when they start."""

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
            if any(name in one.get("settings", ()) for one in news for name in _PUSHED):
                await _push(world, board)


async def _push(world: World, board: Switchboard) -> None:
    try:
        found = await settings.anew(Call(world, system("channel")))
    except DatabaseError as error:
        # Agents ask for the interval whenever they start; nothing is lost for good.
        log.warning("settings_not_pushed", reason=str(error).strip())
        return
    intervals = {"update_interval": found.update_interval, "compliance_scan_interval": found.compliance_scan_interval}
    text = orjson.dumps({"type": "settings_update", **intervals}).decode()
    for host_id in board.host_ids():
        link = board.link(host_id)
        if link is not None:
            link.send(text)
