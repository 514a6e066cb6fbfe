"""What rooms offer to lower ones: an upper room registers how it is done, the page that needs it looks it up."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from server.core.call import Call

#: Asks the hosts with these UUIDs for a report; returns for each its UUID and why it was not asked (empty: it was).
ReportAsker = Callable[[Call, Sequence[str]], Awaitable[Sequence[tuple[str, str]]]]
REPORT_ASKER: Final[web.AppKey[ReportAsker]] = web.AppKey("report_asker")
