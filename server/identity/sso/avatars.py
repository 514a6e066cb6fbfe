"""Pictures of people: fetched from where they signed in, checked, and kept here so that nobody is watched elsewhere."""

import hashlib
from typing import Final

from server.core.call import Call
from server.core.fetch import FetchFailed, FetchRefused, fetcher
from server.core.ids import is_uuid
from server.core.log import get_log
from server.identity.queries import sso as stored
from server.identity.sso import rules
from server.identity.sso.models import Avatar, Service

log = get_log(__name__)

MOST_BYTES: Final = 1024 * 1024
_SECONDS: Final = 4.0
_PHOTO_PATH: Final = "/me/photo/$value"


async def find(call: Call, user_id: str) -> Avatar | None:
    """Return a person's picture, if there is one."""
    return await stored.find_avatar(call.db, user_id) if is_uuid(user_id) else None


async def pictured(call: Call) -> frozenset[str]:
    """Return the ids of people who have a picture."""
    return frozenset(await stored.list_pictured(call.db))


async def refresh(
    call: Call, user_id: str, service: Service, url: str, *, access: str = "", private: bool = False
) -> None:
    """Fetch somebody's picture and keep it; whatever goes wrong with it never stops a sign-in.

    Args:
        call: the sign-in.
        user_id: whose picture.
        service: who named it.
        url: where it is; with ``access`` it is asked for with this token.
        access: a token of the service, for pictures that are not for everyone.
        private: the operator's environment names the place, so it may be inside.
    """
    try:
        avatar = await _fetched(call, url, access, private=private)
    except (FetchFailed, FetchRefused) as error:
        log.info("OIDC picture not taken over" if service == "oidc" else "picture not taken over", reason=str(error))
        return
    async with call.transaction() as tx:
        await stored.save_avatar(tx, user_id, service, avatar, call.now)


async def refresh_photo(call: Call, user_id: str, access: str) -> None:
    """Fetch somebody's photo from Microsoft Graph with the token of their sign-in, and keep it."""
    named = bool(call.world.env.given.reveal().get("MICROSOFT_GRAPH_URL", "").strip())
    await refresh(call, user_id, "oidc", call.world.env.graph_url + _PHOTO_PATH, access=access, private=named)


async def _fetched(call: Call, url: str, access: str, *, private: bool) -> Avatar:
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    get = fetcher(call.world.env, private=private)
    fetched = await get.get(url, limit_bytes=MOST_BYTES, seconds=_SECONDS, headers=headers)
    kind = rules.image_type(fetched.body)
    if fetched.status != 200 or not kind:  # noqa: PLR2004 (all is well)
        raise FetchFailed(f"no picture came back (status {fetched.status})")
    return Avatar(kind, hashlib.sha256(fetched.body).hexdigest(), fetched.body)
