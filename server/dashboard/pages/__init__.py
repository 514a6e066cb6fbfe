"""The overview, how it is arranged, the search, and what the bar on top of every page posts to."""

from typing import Final

from server.dashboard.pages import arranging, finding, looks, overview

routes: Final = (*overview.routes, *arranging.routes, *finding.routes, *looks.routes)
ENTRIES: Final = overview.ENTRIES + looks.ENTRIES
ACTIONS: Final = overview.ACTIONS
