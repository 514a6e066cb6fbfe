"""What the sign-in page offers besides the password, and whether it offers that."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from server.core.call import Call
from server.identity.sso import discord, discovery
from server.settings import service as settings


@dataclass(frozen=True, slots=True)
class Offers:
    """The ways in: other services as pairs of title and URL, and whether names and passwords count."""

    services: list[tuple[str, str]] = field(default_factory=list)
    local: bool = True
    signup: bool = False


async def offers(call: Call, return_to: str = "/") -> Offers:
    """Return the ways in that work right now; a provider that did not answer is tried again."""
    await discovery.nudge(call)
    decided = await settings.effective(call)
    behind = f"?next={quote(return_to, safe='/')}" if return_to != "/" else ""
    found = []
    ready = await discovery.ready(call)
    if ready is not None:
        found.append((ready[0].button_text, f"/api/v1/auth/oidc/login{behind}"))
    closed = ready is not None and ready[0].disable_local
    if await discord.is_offered(call):
        found.append((decided.discord_button_text, f"/api/v1/auth/discord/login{behind}"))
    return Offers(found, local=not closed, signup=decided.signup_enabled and not closed)


async def described(call: Call) -> dict[str, Any]:
    """Return what the public answer for sign-in pages says about the ways in."""
    found = await offers(call)
    decided = await settings.effective(call)
    return {
        "signup_enabled": found.signup,
        "oidc": {
            "enabled": await discovery.ready(call) is not None,
            "button_text": decided.oidc_button_text,
            "disable_local_auth": not found.local,
        },
        "discord": {"enabled": await discord.is_offered(call), "button_text": decided.discord_button_text},
    }
