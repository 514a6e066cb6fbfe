"""Signing in with the OpenID provider: off to it with a state, a nonce and a challenge, and back with a code."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwt import JWTClaimsRegistry

from server.core.call import Call
from server.core.fetch import Fetched, FetchFailed, FetchRefused
from server.core.ids import random_hex
from server.core.log import get_log
from server.identity.models import Browser, SignedIn
from server.identity.sso import arrivals, avatars, discovery, linked, rules, states
from server.identity.sso.arrivals import Welcome
from server.identity.sso.errors import HttpsNeeded, SaidElsewhere, SignOnFailed, SignOnNotReady, SignOnOff
from server.identity.sso.models import Arrival, Claims, Config, Departure, Provider, Started
from server.settings import service as settings

log = get_log(__name__)

#: Signatures by the provider's own key only: neither none nor one made with what clients know.
_ALGORITHMS: Final = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
]
_LEEWAY_SECONDS: Final = 60
_LIMIT_BYTES: Final = 256 * 1024
_SECONDS: Final = 10.0
_SAID_MOST: Final = 300
#: The standard's limit.
_SUBJECT_MOST: Final = 255


async def begin(call: Call, return_to: str, *, secure: bool) -> Departure:
    """Return where to send the browser for signing in; raises ``SignOnOff``, ``SignOnNotReady`` or ``HttpsNeeded``."""
    return await _depart(call, Started(random_hex(32), random_hex(32), return_to, call.now), secure=secure)


async def begin_link(call: Call, *, secure: bool) -> Departure:
    """Return where to send the asker's browser for linking their account at the provider; raises as ``begin`` does."""
    linked.demand_person(call)
    started = Started(random_hex(32), random_hex(32), "/settings/profile", call.now, user_id=call.actor.id)
    return await _depart(call, started, secure=secure)


async def _depart(call: Call, started: Started, *, secure: bool) -> Departure:
    config, provider = await _demand_ready(call, secure=secure)
    handle, state = await states.begin(call, "oidc", started, config.life_seconds)
    url = prepare_grant_uri(
        provider.authorization_endpoint,
        client_id=config.client_id,
        response_type="code",
        redirect_uri=config.redirect_uri,
        scope=config.scopes,
        state=state,
        nonce=started.nonce,
        code_challenge=create_s256_code_challenge(started.verifier),
        code_challenge_method="S256",
    )
    return Departure(url, handle, config.life_seconds)


async def finish(
    call: Call, handle: str, answer: Mapping[str, str], browser: Browser, *, secure: bool
) -> tuple[SignedIn | None, str]:
    """Open a session for who comes back from the provider; return it with the page to go to.

    There is no session when somebody linked their account.
    Raises ``SignOnExpired``, ``SaidElsewhere`` with the provider's words, ``SignOnFailed``, and what
    ``arrivals.enter`` refuses.
    """
    config, provider = await _demand_ready(call, secure=secure)
    started = await states.take(call, "oidc", handle, answer.get("state", ""), config.life_seconds)
    _demand_from(provider, answer)
    try:
        arrival = await _arrival(call, config, provider, started, answer.get("code", ""))
    except (FetchFailed, FetchRefused, discovery.ProviderUnusable) as error:
        log.warning("OIDC sign-in failed: provider not usable", reason=str(error))
        raise SignOnFailed from error
    if started.user_id:
        await linked.finish(call, started, arrival)
        await _refresh_picture(call, config, arrival, started.user_id)
        return None, started.return_to
    opened = await arrivals.enter(
        call, arrival, browser, Welcome(config.auto_create, rules.new_role(config, arrival.groups), config)
    )
    await _refresh_picture(call, config, arrival, opened.user.id)
    return opened, started.return_to


async def sign_out_url(call: Call, id_token: str, origin: str) -> str:
    """Return where a browser signs out at the provider as well and comes back; empty when it cannot."""
    found = await discovery.ready(call)
    back = await after_sign_out(call, origin)
    if found is None or not found[1].end_session_endpoint:
        return ""
    config, provider = found
    hint = [("id_token_hint", id_token)] if id_token else []
    query = urlencode([*hint, ("client_id", config.client_id), ("post_logout_redirect_uri", back)])
    joint = "&" if "?" in provider.end_session_endpoint else "?"
    return f"{provider.end_session_endpoint}{joint}{query}"


async def after_sign_out(call: Call, origin: str) -> str:
    """Return where people arrive after signing out: chosen, or the sign-in page, which sends nobody anywhere."""
    decided = await settings.effective(call)
    if decided.oidc_post_logout_uri:
        return decided.oidc_post_logout_uri
    known = [one for one in decided.cors_origin if one != "*"]
    base = call.world.env.frontend_url or (origin if origin in known or not known else known[0])
    return f"{base.rstrip('/')}/login"


async def _demand_ready(call: Call, *, secure: bool) -> tuple[Config, Provider]:
    if not (await settings.effective(call)).oidc_enabled:
        raise SignOnOff
    await discovery.nudge(call)
    found = await discovery.ready(call)
    if found is None:
        raise SignOnNotReady
    if found[0].enforce_https and not secure:
        raise HttpsNeeded
    return found


def _demand_from(provider: Provider, answer: Mapping[str, str]) -> None:
    named = answer.get("iss", "")
    if (named or provider.names_itself) and named != provider.issuer:
        log.warning("OIDC answer refused: it is from another issuer", issuer=named[:200])
        raise SignOnFailed
    if error := answer.get("error", ""):
        said = " ".join(f"{error}: {answer.get('error_description', '')}".split())[:_SAID_MOST]
        log.warning("OIDC provider refused", reason=said)
        raise SaidElsewhere(said)
    if not answer.get("code"):
        raise SignOnFailed


async def _arrival(call: Call, config: Config, provider: Provider, started: Started, code: str) -> Arrival:
    tokens = await _redeem(call, config, provider, started, code)
    id_token, access = str(tokens.get("id_token") or ""), str(tokens.get("access_token") or "")
    claims = await _checked(call, config, provider, id_token, started.nonce)
    _demand_together(claims, access)
    if rules.has_overage(claims):
        log.info("OIDC groups are too many for the token and are not followed: treated as none")
    claims = await _completed(call, config, provider, claims, access)
    found = rules.groups(claims)
    said = f"OIDC groups found: {found}" if found else "No groups found in OIDC token (oidc no groups in token)"
    log.info(said)
    email = rules.email(claims)
    return Arrival(
        service="oidc",
        issuer=provider.issuer,
        subject=str(claims["sub"]),
        name=email or rules.text(claims, "preferred_username") or rules.text(claims, "name"),
        email=email,
        email_verified=rules.email_is_verified(claims),
        username=email,
        first_name=rules.text(claims, "given_name"),
        last_name=rules.text(claims, "family_name"),
        groups=found,
        picture=_picture(claims),
        id_token=id_token,
        access_token=access,
    )


def _picture(claims: Claims) -> str:
    value = claims.get("picture")
    return value if isinstance(value, str) else ""


async def _redeem(call: Call, config: Config, provider: Provider, started: Started, code: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": config.redirect_uri,
        "code_verifier": started.verifier,
    }
    secret, headers = config.client_secret.reveal(), {"Accept": "application/json"}
    if provider.auth_methods and "client_secret_basic" not in provider.auth_methods:
        form |= {"client_id": config.client_id, "client_secret": secret}
    else:
        # Both halves are encoded first, so that a colon in one of them divides nothing.
        pair = f"{quote(config.client_id, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    post = discovery.opener(call.world, config)
    fetched = await post.post(
        provider.token_endpoint, form, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS, headers=headers
    )
    if fetched.status != 200:  # noqa: PLR2004 (all is well)
        said = _error_of(fetched)
        log.warning("OIDC provider refused the code", status=fetched.status, reason=said)
        raise SaidElsewhere(said) if said else SignOnFailed
    return discovery.parsed(fetched, "token answer")


def _error_of(fetched: Fetched) -> str:
    try:
        found = discovery.parsed(replace(fetched, status=200), "refusal")
    except discovery.ProviderUnusable:
        return ""
    texts = [str(found[name]) for name in ("error", "error_description") if isinstance(found.get(name), str)]
    return " ".join(": ".join(texts).split())[:_SAID_MOST]


async def _checked(call: Call, config: Config, provider: Provider, id_token: str, nonce: str) -> dict[str, Any]:
    try:
        try:
            token = jwt.decode(id_token, provider.keys, algorithms=_ALGORITHMS)
        except (InvalidKeyIdError, ValueError):
            # The provider may have new keys.
            renewed = await discovery.fresh_keys(call, config, provider)
            token = jwt.decode(id_token, renewed.keys, algorithms=_ALGORITHMS)
        _registry(call, config, provider, nonce).validate(token.claims)
        _demand_for_us(token.claims, config.client_id)
    except (JoseError, ValueError, TypeError) as error:
        log.warning("OIDC token refused", reason=f"{type(error).__name__}: {error}")
        raise SignOnFailed from error
    return token.claims


def _registry(call: Call, config: Config, provider: Provider, nonce: str) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(call.now.timestamp()),
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": config.client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )


def _demand_for_us(claims: Claims, client_id: str) -> None:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != client_id:
        message = "the token was made for another client"
        raise ValueError(message)
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MOST or not subject.isprintable():
        message = "the token names nobody"
        raise ValueError(message)


def _demand_together(claims: Claims, access: str) -> None:
    # Only SHA-256 signatures are that common; others are compared by nobody, and TLS brought both from one place.
    given = claims.get("at_hash")
    if not isinstance(given, str) or not access:
        return
    digests = (hashlib.new(name, access.encode()).digest() for name in ("sha256", "sha384", "sha512"))
    halves = (base64.urlsafe_b64encode(one[: len(one) // 2]).rstrip(b"=") for one in digests)
    if not any(hmac.compare_digest(half, given.encode()) for half in halves):
        log.warning("OIDC token refused", reason="the access token belongs to another one")
        raise SignOnFailed


async def _completed(
    call: Call, config: Config, provider: Provider, claims: dict[str, Any], access: str
) -> dict[str, Any]:
    """Add what the provider says at its user info endpoint, where many keep the address and the groups."""
    knows = rules.email(claims) and (rules.groups(claims) is not None or rules.has_overage(claims))
    if knows or not provider.userinfo_endpoint or not access:
        return claims
    get = discovery.opener(call.world, config)
    headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
    try:
        fetched = await get.get(
            provider.userinfo_endpoint, limit_bytes=_LIMIT_BYTES, seconds=_SECONDS, headers=headers, redirects=0
        )
        more = discovery.parsed(fetched, "user info")
    except (FetchFailed, FetchRefused, discovery.ProviderUnusable) as error:
        log.warning("OIDC user info not read", reason=str(error))
        return claims
    if more.get("sub") != claims["sub"]:
        log.warning("OIDC user info not used: it is about somebody else")
        return claims
    if "email" in claims:
        # What is verified is the address beside it, not another one.
        more = {name: value for name, value in more.items() if name not in {"email_verified", "xms_edov"}}
    # What was signed decides over what was only sent.
    return {**more, **claims}


async def _refresh_picture(call: Call, config: Config, arrival: Arrival, user_id: str) -> None:
    if arrival.picture:
        await avatars.refresh(call, user_id, "oidc", arrival.picture, private=False)
    elif arrival.access_token and rules.asks_for_photo(config.scopes):
        await avatars.refresh_photo(call, user_id, arrival.access_token)
