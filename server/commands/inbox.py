"""What the commands room does when agents connect."""

from aiohttp import web

from server.commands.catching_up import catching_up
from server.web.routing import AGENT_INBOXES


def set_up(app: web.Application) -> None:
    """Hear who connects."""
    app[AGENT_INBOXES].append(catching_up)
