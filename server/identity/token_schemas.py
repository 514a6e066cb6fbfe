"""What comes in and goes out at the doors of personal tokens."""

from typing import Any

from pydantic import Field

from server.identity import tokens
from server.identity.models import ApiToken, NewToken
from server.identity.schemas import Body


class TokenForm(Body):
    """The page's form of a personal token: one of the presets, or what is ticked."""

    name: str = ""
    days: int | None = None
    access: str = "all"
    scopes: list[str] = Field(default_factory=list)

    def wanted(self) -> NewToken:
        """Return the token meant."""
        presets = {key: held for key, _, held in tokens.PRESETS}
        return NewToken(self.name, self.days, presets.get(self.access, frozenset(self.scopes)))


class TokenBody(Body):
    """A new personal token: without days it does not expire, without scopes it holds all of its owner's permissions."""

    name: str = ""
    days: int | None = None
    scopes: list[str] | None = None

    def wanted(self) -> NewToken:
        """Return the token meant."""
        return NewToken(self.name, self.days, None if self.scopes is None else frozenset(self.scopes))


def token(one: ApiToken) -> dict[str, Any]:
    """Return a personal token as JSON, without its secret."""
    return {
        "id": one.id,
        "name": one.name,
        "prefix": one.prefix,
        "scopes": one.scopes,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "last_used_at": one.last_used_at,
        "last_used_ip": one.last_used_address,
    }
