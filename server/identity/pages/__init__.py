"""The pages of identity, one module per noun."""

from typing import Final

from server.identity.pages import account, roles, two_factor, users

routes: Final = (*account.routes, *two_factor.routes, *users.routes, *roles.routes)
ENTRIES: Final = (*users.ENTRIES, *roles.ENTRIES)
