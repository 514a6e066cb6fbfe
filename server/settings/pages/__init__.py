"""The pages of the settings."""

from typing import Final

from server.settings.pages import branding, general

routes: Final = (*general.routes, *branding.routes)
ENTRIES: Final = (*general.ENTRIES, *branding.ENTRIES)
