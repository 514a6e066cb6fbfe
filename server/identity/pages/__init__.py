"""The pages of identity, one module per noun."""

from typing import Final

from server.identity.pages import (
    account,
    passkeys,
    profile,
    roles,
    scopes,
    security,
    setup,
    sign_on,
    sso,
    tokens,
    two_factor,
    users,
)

routes: Final = (
    *account.routes,
    *setup.routes,
    *profile.routes,
    *two_factor.routes,
    *passkeys.routes,
    *users.routes,
    *roles.routes,
    *scopes.routes,
    *tokens.routes,
    *security.routes,
    *sign_on.routes,
    *sso.routes,
)
ENTRIES: Final = (*profile.ENTRIES, *users.ENTRIES, *roles.ENTRIES, *security.ENTRIES, *sign_on.ENTRIES)
