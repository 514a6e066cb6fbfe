"""Which provider answers: looked up at the start and again and again, so that each request knows without asking."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from server.core.call import Call, World, system
from server.core.db import Database, DatabaseError
from server.core.fetch import Fetched, Fetcher, FetchFailed, FetchRefused, fetcher
from server.core.log import get_log
from server.identity.sso import config as configs
from server.identity.sso import rules
from server.identity.sso.errors import SignOnIncomplete
from server.identity.sso.models import Config, Provider
from server.settings import service as settings
from server.settings.events import SettingsChanged

log = get_log(__name__)

INCOMPLETE: Final = "OIDC is enabled but missing required configuration"
_DOCUMENT: Final = "/.well-known/openid-configuration"
_LIMIT_BYTES: Final = 256 * 1024
_SECONDS: Final = 5.0
#: How often a provider that does not answer is tried, by itself and because somebody looks at the sign-in page.
_RETRY_SECONDS: Final = 30.0
_NUDGE: Final = timedelta(seconds=10)
#: How often one that answers is looked at again; it counts as gone after so many times without an answer.
_LOOK_SECONDS: Final = 120.0
_MISSED_MOST: Final = 3
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
_FRESH_KEYS: Final = timedelta(seconds=30)
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnusable(Exception):
    """The provider was reached, or its URL looked at, and cannot be used; the text says why."""


@dataclass(slots=True)
class _Known:
    provider: Provider | None = None
    tried_at: datetime | None = None
    missed: int = 0
    keys_at: datetime | None = None
    problem: str = ""


_known: WeakKeyDictionary[Database, _Known] = WeakKeyDictionary()
_looking: WeakKeyDictionary[Database, asyncio.Lock] = WeakKeyDictionary()


async def ready(call: Call) -> tuple[Config, Provider] | None:
    """Return the configuration and the provider when people can sign in with it right now; asks nobody outside."""
    if not (await settings.effective(call)).oidc_enabled:
        return None
    known = _known.get(call.db)
    if known is None or known.provider is None:
        return None
    config = await configs.load(call)
    usable = not config.missing and not rules.insecure(config) and _is_of(known.provider, config)
    return (config, known.provider) if usable else None


async def local_is_closed(call: Call) -> bool:
    """Tell whether people must sign in with the provider: never while it cannot be reached."""
    return (await settings.effective(call)).oidc_disable_local_auth and await ready(call) is not None


async def roles_are_synced(call: Call) -> bool:
    """Tell whether groups at the provider decide about roles, so that nobody does here."""
    return (await settings.effective(call)).oidc_sync_roles and await ready(call) is not None


def problem(call: Call) -> str:
    """Return why the provider cannot be used; empty when it can or nobody tried."""
    known = _known.get(call.db)
    return known.problem if known else ""


async def nudge(call: Call) -> None:
    """Try a provider that did not answer once more, because somebody wants to sign in; not more often than useful."""
    if not (await settings.effective(call)).oidc_enabled or await ready(call) is not None:
        return
    known = _known.get(call.db)
    if known is None or known.tried_at is None or call.now - known.tried_at >= _NUDGE:
        await look(call)


async def look(call: Call) -> Provider | None:
    """Look the provider up now, whether or not it was known; ``None`` when it cannot be used."""
    async with _looking.setdefault(call.db, asyncio.Lock()):
        known = _known.setdefault(call.db, _Known())
        known.tried_at = call.now
        config = await configs.load(call)
        if not config.enabled or config.missing:
            _known[call.db] = _Known(tried_at=call.now, problem=_incomplete(config))
            return None
        if known.provider is not None and not _is_of(known.provider, config):
            known.provider = None
        try:
            found = await _discover(call, config, quiet=known.provider is not None)
        except (FetchFailed, FetchRefused, ProviderUnusable) as error:
            _note_failure(known, config, str(error))
            return known.provider
        known.provider, known.missed, known.problem, known.keys_at = found, 0, "", call.now
        return found


def _incomplete(config: Config) -> str:
    if not config.enabled:
        return ""
    log.error(INCOMPLETE, missing=", ".join(config.missing))
    return f"{INCOMPLETE}: {', '.join(config.missing)}"


def _note_failure(known: _Known, config: Config, why: str) -> None:
    known.missed += 1
    known.problem = why
    if known.provider is not None and known.missed >= _MISSED_MOST:
        known.provider = None
    log.warning("OIDC provider cannot be used", issuer=config.issuer, reason=why, still_trusted=bool(known.provider))


def _is_of(provider: Provider, config: Config) -> bool:
    return (provider.configured, provider.client_id) == (config.issuer, config.client_id)


async def _discover(call: Call, config: Config, *, quiet: bool) -> Provider:
    say = log.debug if quiet else log.info
    if wrong := rules.insecure(config):
        raise ProviderUnusable(wrong)
    url = config.issuer.rstrip("/") + _DOCUMENT
    say(f"Discovering OIDC configuration from: {url}")
    get = opener(call.world, config)
    document = parsed(await get.get(url, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS), "discovery document")
    if not rules.same_issuer(config.issuer, document.get("issuer")):
        named = str(document.get("issuer"))[:200]
        raise ProviderUnusable(f"the discovery document is that of another issuer: {named}")
    say(f"OIDC Issuer discovered: {document['issuer']}")
    provider = replace(_provider(config, document), keys=await _keys(get, str(document["jwks_uri"])))
    say("OIDC client initialized successfully", issuer=provider.issuer)
    return provider


def _provider(config: Config, document: Mapping[str, Any]) -> Provider:
    endpoints = {name: _endpoint(config, document, name) for name in _ENDPOINTS}
    if not all(endpoints.values()):
        lacking = ", ".join(name for name, value in endpoints.items() if not value)
        raise ProviderUnusable(f"the discovery document lacks {lacking}")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Provider(
        configured=config.issuer,
        client_id=config.client_id,
        issuer=str(document["issuer"]),
        keys=KeySet([]),
        userinfo_endpoint=_endpoint(config, document, "userinfo_endpoint"),
        end_session_endpoint=_endpoint(config, document, "end_session_endpoint"),
        auth_methods=tuple(methods) if isinstance(methods, list) else (),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        **endpoints,
    )


def _endpoint(config: Config, document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        return ""
    if not value.startswith("https://" if config.enforce_https else ("https://", "http://")):
        raise ProviderUnusable(f"the {name} of the provider is not reached over https")
    return value


async def _keys(get: Fetcher, url: str) -> KeySet:
    fetched = parsed(await get.get(url, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS), "key set")
    entries = fetched.get("keys")
    # Keys for other things, and of kinds that we do not know, are for others.
    usable = [
        key
        for key in (entries if isinstance(entries, list) else [])
        if isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") in _KEY_TYPES
    ]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, KeyError) as error:
        raise ProviderUnusable("the provider's keys cannot be read") from error


def parsed(fetched: Fetched, what: str) -> dict[str, Any]:
    """Return an answer of the provider that has to be a JSON object; raises ``ProviderUnusable``."""
    try:
        found = orjson.loads(fetched.body)
    except orjson.JSONDecodeError:
        found = None
    if fetched.status != 200 or not isinstance(found, dict):  # noqa: PLR2004 (all is well)
        raise ProviderUnusable(f"the {what} cannot be read (status {fetched.status})")
    return found


def opener(world: World, config: Config) -> Fetcher:
    """Return what opens the provider's URLs; those that the operator's environment names may be inside."""
    return fetcher(world.env, private=config.trusted, https_only=config.enforce_https)


async def fresh_keys(call: Call, config: Config, provider: Provider) -> Provider:
    """Return the provider with the keys it has now, unless they were fetched a moment ago."""
    known = _known.get(call.db)
    if known is None or (known.keys_at is not None and call.now - known.keys_at < _FRESH_KEYS):
        return provider
    known.keys_at = call.now
    renewed = replace(provider, keys=await _keys(opener(call.world, config), provider.jwks_uri))
    known.provider = renewed
    return renewed


async def demand_complete(world: World) -> None:
    """Refuse to start when the environment switches it on and something is missing; raises ``SignOnIncomplete``."""
    call = Call(world, system("start"))
    config = await configs.load(call)
    if not (config.enabled and config.from_environment):
        return
    # What is made of the server's URL is not good enough here: nobody may have said that one yet.
    chosen = (await settings.effective(call)).oidc_redirect_uri
    if lacking := [*config.missing, *([] if chosen else ["redirect URI"])]:
        log.error(INCOMPLETE, missing=", ".join(lacking))
        raise SignOnIncomplete(missing=", ".join(lacking))


async def look_first(world: World) -> None:
    """Look the provider up at the start, so that the first person who comes finds the button."""
    call = Call(world, system("single sign-on"))
    if (await settings.anew(call)).oidc_enabled:
        await look(call)


async def keep_looking(world: World) -> None:
    """Look the provider up again for as long as the server runs: soon when it is not known or a setting changed."""
    async with world.bus.following(SettingsChanged.name) as bell:
        while True:
            known = _known.get(world.db)
            pause = _LOOK_SECONDS if known and known.provider and not known.missed else _RETRY_SECONDS
            await bell.ring(within=pause)
            try:
                call = Call(world, system("single sign-on"))
                if (await settings.anew(call)).oidc_enabled:
                    await look(call)
                else:
                    _known.pop(world.db, None)
            except DatabaseError as error:
                log.warning("OIDC provider not looked up", reason=str(error).strip())
