"""Subscribing to the newsletter, where an operator configured one: a single request, and only for who asked for it."""

from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from server.core.call import Call
from server.core.log import get_log
from server.identity.models import Profile
from server.settings import service as settings

log = get_log(__name__)

_TIMEOUT: Final = ClientTimeout(total=5)


async def subscribe(call: Call, profile: Profile) -> None:
    """Send name and address to the operator's newsletter; a failure is logged, the set-up does not wait for it."""
    url = (await settings.effective(call)).newsletter_url
    if not url:
        return
    body = {"name": f"{profile.first_name} {profile.last_name}".strip(), "email": profile.email}
    try:
        async with ClientSession(timeout=_TIMEOUT) as session, session.post(url, json=body) as answer:
            answer.raise_for_status()
    except (ClientError, TimeoutError) as error:
        log.warning("newsletter_not_subscribed", reason=str(error) or type(error).__name__)
