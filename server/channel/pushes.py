"""Tells connected agents at once what operators changed; agents that are away ask when they start."""

import orjson

from server.channel.switchboard import Switchboard
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.log import get_log
from server.settings import service as settings
from server.settings.events import SettingsChanged

log = get_log(__name__)

_PUSHED = "update_interval"


async def push_settings(world: World, board: Switchboard) -> None:
    """Pass another report interval on to every link of this process; runs until cancelled."""
    async with world.bus.following(SettingsChanged.name) as bell:
        while True:
            news = await bell.ring()
            if any(_PUSHED in one.get("settings", ()) for one in news):
                await _push(world, board)


async def _push(world: World, board: Switchboard) -> None:
    try:
        minutes = (await settings.anew(Call(world, system("channel")))).update_interval
    except DatabaseError as error:
        # Agents ask for the interval whenever they start; nothing is lost for good.
        log.warning("settings_not_pushed", reason=str(error).strip())
        return
    text = orjson.dumps({"type": "settings_update", "update_interval": minutes}).decode()
    for host_id in board.host_ids():
        link = board.link(host_id)
        if link is not None:
            link.send(text)
