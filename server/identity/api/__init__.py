"""The JSON doors of identity, one module per noun."""

from typing import Final

from server.identity.api import account, passkeys, roles, scopes, sso, tokens, two_factor, users

routes: Final = (
    *account.routes,
    *passkeys.routes,
    *two_factor.routes,
    *users.routes,
    *roles.routes,
    *scopes.routes,
    *tokens.routes,
    *sso.routes,
)
