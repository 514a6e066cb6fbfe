"""The signed tokens that carry a session: made and checked without looking anything up."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from server.core.call import Call
from server.core.ids import is_uuid
from server.core.secretbox import Secret
from server.identity.errors import AccessExpired, BadToken, SessionEnded

Kind = Literal["access", "refresh"]

#: The one way these are signed; what a token says about itself decides nothing.
_ALGORITHM: Final = "HS256"
#: Longer texts are none of ours and are not worth a look.
_LONGEST: Final = 2048


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says: whose session it is, and which generation (of a refresh token)."""

    session_id: str
    user_id: str
    generation: int = 0


def issue(call: Call, kind: Kind, claims: Claims, role: str, expires_at: datetime) -> str:
    """Return a signed token; the role is for programs that look inside, nothing is decided by it."""
    said: dict[str, object] = {
        "sub": claims.user_id,
        "role": role,
        "typ": kind,
        "sessionId": claims.session_id,
        "iat": int(call.now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    if kind == "refresh":
        said["gen"] = claims.generation
    return jwt.encode({"alg": _ALGORITHM}, said, _key(call.world.env.jwt_secret), algorithms=[_ALGORITHM])


def read(call: Call, kind: Kind, token: str) -> Claims:
    """Return what a token of this kind says.

    Raises ``BadToken`` for what was not signed here, ``AccessExpired`` or ``SessionEnded`` for what was good once.
    """
    if len(token) > _LONGEST:
        raise BadToken
    try:
        said = _signed(call.world.env.jwt_secret, token)
    except (JoseError, ValueError) as error:
        raise BadToken from error
    user_id, session_id, generation = said.get("sub"), said.get("sessionId"), said.get("gen", 0)
    if said.get("typ") != kind or not isinstance(generation, int) or not _is_id(user_id) or not _is_id(session_id):
        raise BadToken
    expires = said.get("exp")
    if not isinstance(expires, int):
        raise BadToken
    if expires <= call.now.timestamp():
        raise AccessExpired if kind == "access" else SessionEnded
    return Claims(str(session_id), str(user_id), generation)


@lru_cache(maxsize=4096)
def _signed(secret: Secret[str], token: str) -> dict[str, Any]:
    # A signature that was good stays good; whether the token still is, is looked at each time.
    return jwt.decode(token, _key(secret), algorithms=[_ALGORITHM]).claims


def when(moment: datetime) -> datetime:
    """Return the moment in whole seconds, as tokens say it."""
    return datetime.fromtimestamp(int(moment.timestamp()), UTC)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and is_uuid(value)


@lru_cache(maxsize=4)
def _key(secret: Secret[str]) -> OctKey:
    return OctKey.import_key(secret.reveal().encode())
