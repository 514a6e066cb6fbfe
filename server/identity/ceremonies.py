"""The ceremonies of WebAuthn: a challenge that is good once, and what a browser's answer to it proves."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.core.call import Call
from server.core.ids import random_hex
from server.core.redis import RedisError, key
from server.identity.errors import BadPasskey, PasskeysAway, PasskeysElsewhere
from server.identity.models import Passkey
from server.settings import service as settings

_LIFE_SECONDS: Final = 300
_NAME: Final = "PatchMon"
_TRANSPORTS: Final = {one.value: one for one in AuthenticatorTransport}
# What the library raises for answers that are no answers at all.
_NONSENSE: Final = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys of this server work: the name that they belong to, and the origins of its pages."""

    rp_id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony that waits for its answer: its id, and what the browser has to be told."""

    id: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """What a new key proved; its id and its public half as base64url."""

    credential_id: str
    public_key: str
    sign_count: int
    is_synced: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a key that is known proved."""

    sign_count: int
    user_verified: bool


async def site(call: Call, here: str) -> Site:
    """Return where passkeys work; raises ``PasskeysElsewhere`` when ``here`` (the page's origin) is not there.

    The server URL decides, not what a request claims; only before anybody said one does the page's own name count.
    """
    decided = await settings.decided(call)
    chosen = call.world.env.frontend_url or (decided.settings.server_url if decided.server_url_is_known else here)
    base = urlsplit(chosen)
    rp_id = base.hostname or ""
    origins = [f"{base.scheme}://{base.netloc}"]
    origins += [one for one in decided.settings.cors_origin if (urlsplit(one).hostname or "") == rp_id]
    if here not in origins or not _is_name(rp_id):
        raise PasskeysElsewhere(url=origins[0])
    return Site(rp_id, tuple(dict.fromkeys(origins)))


async def begin_registration(call: Call, place: Site, user_id: str, username: str, known: Sequence[Passkey]) -> Begun:
    """Begin making a key for a person; keys they have already are not made again."""
    ceremony, challenge = await _new_challenge(call, "register", user_id)
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name=_NAME,
        user_name=username,
        user_display_name=username,
        user_id=user_id.encode(),
        challenge=challenge,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return Begun(ceremony, orjson.loads(webauthn.options_to_json(options)))


async def end_registration(
    call: Call, place: Site, user_id: str, ceremony: str, credential: dict[str, Any]
) -> Registered:
    """Return what a new key proved; raises ``BadPasskey``."""
    challenge = await _take_challenge(call, ceremony, "register", user_id)
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=list(place.origins),
        )
    except _NONSENSE as error:
        raise BadPasskey from error
    return Registered(
        bytes_to_base64url(verified.credential_id),
        bytes_to_base64url(verified.credential_public_key),
        verified.sign_count,
        verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
    )


async def begin_assertion(call: Call, place: Site, user_id: str, known: Sequence[Passkey]) -> Begun:
    """Begin signing in: with a key of this person, or (no person given) with any key that says whose it is.

    A key that is all there is has to check who holds it; after a password it need not.
    """
    ceremony, challenge = await _new_challenge(call, "step" if user_id else "enter", user_id)
    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id,
        challenge=challenge,
        allow_credentials=_descriptors(known) if user_id else None,
        user_verification=(UserVerificationRequirement.PREFERRED if user_id else UserVerificationRequirement.REQUIRED),
    )
    return Begun(ceremony, orjson.loads(webauthn.options_to_json(options)))


async def take_assertion(call: Call, ceremony: str, user_id: str) -> bytes:
    """Use up the challenge of a sign-in and return it; raises ``BadPasskey`` when it was used or is too old."""
    return await _take_challenge(call, ceremony, "step" if user_id else "enter", user_id)


def asserted(place: Site, challenge: bytes, credential: dict[str, Any], public_key: str, *, verified: bool) -> Asserted:
    """Return what a key proved; the caller compares the counter with the one that is kept. Raises ``BadPasskey``."""
    try:
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=list(place.origins),
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=0,
            require_user_verification=verified,
        )
    except _NONSENSE as error:
        raise BadPasskey from error
    return Asserted(found.new_sign_count, found.user_verified)


def handle_of(credential: dict[str, Any]) -> str | None:
    """Return whose key it claims to be, ``None`` when it says nothing; what cannot be read is nobody's."""
    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    if not handle:
        return None
    try:
        return base64.urlsafe_b64decode(str(handle) + "=" * (-len(str(handle)) % 4)).decode()
    except ValueError:
        return ""


async def _new_challenge(call: Call, purpose: str, user_id: str) -> tuple[str, bytes]:
    ceremony, challenge = random_hex(16), secrets.token_bytes(32)
    kept = orjson.dumps([purpose, user_id, bytes_to_base64url(challenge)]).decode()
    try:
        await call.world.redis.set(key("passkey", ceremony), kept, ex=_LIFE_SECONDS)
    except RedisError as error:
        raise PasskeysAway from error
    return ceremony, challenge


async def _take_challenge(call: Call, ceremony: str, purpose: str, user_id: str) -> bytes:
    try:
        kept = await call.world.redis.getdel(key("passkey", ceremony)) if ceremony.isalnum() else None
    except RedisError as error:
        raise PasskeysAway from error
    if kept is None:
        raise BadPasskey
    for_what, whose, challenge = orjson.loads(kept)
    if (for_what, whose) != (purpose, user_id):
        raise BadPasskey
    return base64url_to_bytes(challenge)


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[_TRANSPORTS[name] for name in one.transports if name in _TRANSPORTS],
        )
        for one in known
    ]


def _is_name(host: str) -> bool:
    # Browsers take no address as the owner of a key.
    return bool(host) and ":" not in host and not host.replace(".", "").isdecimal()
