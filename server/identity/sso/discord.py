"""Signing in with Discord, and linking a Discord account to one's own."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from server.core.call import Call
from server.core.fetch import Fetched, Fetcher, FetchFailed, FetchRefused, fetcher
from server.core.ids import random_hex
from server.core.log import get_log
from server.core.secretbox import Secret
from server.identity import entrance
from server.identity.models import Browser, SecondStep, SignedIn
from server.identity.permissions import ADMIN_ROLES
from server.identity.sso import arrivals, avatars, config, discovery, linked, rules, states
from server.identity.sso.arrivals import Welcome
from server.identity.sso.errors import (
    DiscordIncomplete,
    LocalSignInOff,
    NoAccountForDiscord,
    SaidElsewhere,
    SignOnFailed,
)
from server.identity.sso.models import Arrival, Departure, Started
from server.settings import service as settings
from server.settings.models import Settings

log = get_log(__name__)

CALLBACK: Final = "/api/v1/auth/discord/callback"
#: What its page and its door may change.
CHANGEABLE: Final = frozenset(
    {"discord_oauth_enabled", "discord_client_id", "discord_redirect_uri", "discord_button_text"}
)
ISSUER: Final = "discord"
_SCOPES: Final = "identify email"
LIFE_SECONDS: Final = 600
_LIMIT_BYTES: Final = 64 * 1024
_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """How Discord is set up, complete."""

    client_id: str
    client_secret: Secret[str]
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Return:
    """What came of a way to Discord: a session, a second step that is still missing, or an account that is linked."""

    return_to: str
    opened: SignedIn | None = None
    step: SecondStep | None = None


async def is_offered(call: Call) -> bool:
    """Tell whether the sign-in page offers Discord: switched on, complete, and passwords would do as well."""
    decided = await settings.effective(call)
    if not decided.discord_oauth_enabled or not decided.discord_client_id:
        return False
    secret = await config.secret(call, config.FOR_DISCORD)
    return bool(secret.reveal()) and not await discovery.local_is_closed(call)


def callback_url(decided: Settings) -> str:
    """Return where Discord sends people back to, unless somebody chose another place."""
    return decided.server_url + CALLBACK


async def begin(call: Call, return_to: str) -> Departure:
    """Return where to send the browser for signing in; raises ``DiscordIncomplete`` or ``LocalSignInOff``."""
    return await _depart(call, Started(random_hex(32), "", return_to, call.now))


async def begin_link(call: Call) -> Departure:
    """Return where to send the asker's browser for linking their Discord account."""
    linked.demand_person(call)
    return await _depart(call, Started(random_hex(32), "", "/settings/profile", call.now, user_id=call.actor.id))


async def _depart(call: Call, started: Started) -> Departure:
    link = await _demand_complete(call)
    handle, state = await states.begin(call, "discord", started, LIFE_SECONDS)
    url = prepare_grant_uri(
        f"{call.world.env.discord_api_url}/oauth2/authorize",
        client_id=link.client_id,
        response_type="code",
        redirect_uri=link.redirect_uri,
        scope=_SCOPES,
        state=state,
        code_challenge=create_s256_code_challenge(started.verifier),
        code_challenge_method="S256",
    )
    return Departure(url, handle, LIFE_SECONDS)


async def finish(call: Call, handle: str, answer: Mapping[str, str], browser: Browser, trust: str = "") -> Return:
    """Open a session for who comes back from Discord, or link their account to the asker's.

    Discord asks nobody for a second factor that we would know of, so who has one here is asked for it, unless
    ``trust`` proves that the browser is trusted. Raises ``SignOnExpired``, ``SaidElsewhere``, ``SignOnFailed``,
    ``LinkedToAnother``, and what ``arrivals.enter`` refuses.
    """
    link = await _demand_complete(call)
    started = await states.take(call, "discord", handle, answer.get("state", ""), LIFE_SECONDS)
    if refused := answer.get("error", ""):
        raise SaidElsewhere(" ".join(f"{refused}: {answer.get('error_description', '')}".split())[:300])
    try:
        arrival, picture = await _arrival(call, link, started, answer.get("code", ""))
    except (FetchFailed, FetchRefused, ValueError, KeyError) as error:
        log.warning("Discord sign-in failed", reason=str(error))
        raise SignOnFailed from error
    if started.user_id:
        await linked.finish(call, started, arrival)
        await _refresh_picture(call, picture, started.user_id)
        return Return(started.return_to)
    user = await arrivals.recognise(call, arrival, await _welcome(call))
    await _refresh_picture(call, picture, user.id)
    if step := await entrance.second_step(call, user, browser, trust):
        return Return(started.return_to, step=step)
    async with call.transaction() as tx:
        return Return(started.return_to, await arrivals.open_session(tx, call, user.id, arrival, browser))


async def _welcome(call: Call) -> Welcome:
    decided = await settings.effective(call)
    # As with the form for one's own account: nobody becomes an administrator by themselves.
    role = "user" if decided.default_user_role in ADMIN_ROLES else decided.default_user_role
    return Welcome(decided.signup_enabled, role, unknown=NoAccountForDiscord)


async def _demand_complete(call: Call) -> Link:
    decided = await settings.effective(call)
    secret = await config.secret(call, config.FOR_DISCORD)
    if not decided.discord_oauth_enabled or not decided.discord_client_id or not secret.reveal():
        raise DiscordIncomplete
    if await discovery.local_is_closed(call):
        raise LocalSignInOff
    return Link(decided.discord_client_id, secret, decided.discord_redirect_uri or callback_url(decided))


async def _arrival(call: Call, link: Link, started: Started, code: str) -> tuple[Arrival, str]:
    api = call.world.env.discord_api_url
    opener = _opener(call)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": link.redirect_uri,
        "code_verifier": started.verifier,
    }
    pair = f"{quote(link.client_id, safe='')}:{quote(link.client_secret.reveal(), safe='')}"
    headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode(), "Accept": "application/json"}
    url = f"{api}/oauth2/token"
    tokens = _object(await opener.post(url, form, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS, headers=headers))
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
    url = f"{api}/users/@me"
    person = _object(await opener.get(url, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS, headers=headers, redirects=0))
    return _person(person), _picture(call, person)


def _person(person: Mapping[str, Any]) -> Arrival:
    subject = str(person["id"])
    if not subject.isdecimal():
        message = "Discord named nobody"
        raise ValueError(message)
    username = rules.text(person, "username")
    verified = person.get("verified") is True
    found = rules.email({"email": person.get("email")})
    return Arrival(
        service="discord",
        issuer=ISSUER,
        subject=subject,
        name=rules.text(person, "global_name") or username,
        # An address that nobody verified may be another person's: it finds no account, and names no new one.
        email=found if verified and found else f"discord_{subject}@discord.local",
        email_verified=bool(verified and found),
        username=username or f"discord_{subject}",
    )


def _picture(call: Call, person: Mapping[str, Any]) -> str:
    digest = rules.text(person, "avatar")
    base = call.world.env.discord_images_url
    return f"{base}/avatars/{person['id']}/{quote(digest, safe='')}.png?size=128" if digest else ""


async def _refresh_picture(call: Call, url: str, user_id: str) -> None:
    if url:
        await avatars.refresh(call, user_id, "discord", url, private=_is_named(call))


def _object(fetched: Fetched) -> dict[str, Any]:
    found = orjson.loads(fetched.body) if fetched.status == 200 else None  # noqa: PLR2004 (all is well)
    if not isinstance(found, dict):
        message = f"Discord answered with status {fetched.status}"
        raise TypeError(message) if found is not None else ValueError(message)
    return found


def _opener(call: Call) -> Fetcher:
    return fetcher(call.world.env, private=_is_named(call))


def _is_named(call: Call) -> bool:
    # Somebody who tries things out says where Discord is; that place may be this machine.
    return bool(call.world.env.given.reveal().get("DISCORD_API_URL", "").strip())


async def change(call: Call, changes: Mapping[str, Any]) -> None:
    """Store what is named of the settings; raises ``BadSetting``."""
    config.demand_no_token(call)
    await settings.change(call, {name: value for name, value in changes.items() if name in CHANGEABLE})
