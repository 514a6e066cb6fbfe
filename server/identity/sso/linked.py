"""A person's identities at other services: which there are, linking one, unlinking one, linking ahead."""

from dataclasses import dataclass

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.ids import is_uuid
from server.identity import queries, ranks, scopes
from server.identity.errors import BadPerson, PersonMissing, PersonsOnly, RankTooLow
from server.identity.queries import sso as stored
from server.identity.sso import arrivals, discovery
from server.identity.sso.errors import LinkedToAnother, NotLinked, OnlyWayIn, SignOnExpired, SignOnNotReady
from server.identity.sso.models import Arrival, Identity, Service, Started

_SUBJECT_MOST = 255


@dataclass(frozen=True, slots=True)
class Linked:
    """What the profile says about other services.

    Attributes:
        identities: those that are linked.
        discord: the one at Discord among them.
        offers_discord: one can be linked now.
        may_unlink: there is another way to sign in.
        offers_oidc: an account at the provider can be linked now.
    """

    identities: list[Identity]
    discord: Identity | None
    offers_discord: bool
    may_unlink: bool
    offers_oidc: bool = False


async def mine(call: Call, *, offers_discord: bool) -> Linked:
    """Return the asker's identities and what can be done about them."""
    found = await stored.list_identities(call.db, call.actor.id)
    discord = next((one for one in found if one.provider == "discord"), None)
    may_unlink = discord is not None and await _has_other_way(call, "discord", found)
    ready = await discovery.ready(call)
    offers_oidc = ready is not None and not any(one.issuer == ready[1].issuer for one in found)
    return Linked(found, discord, offers_discord and discord is None, may_unlink, offers_oidc)


async def finish(call: Call, started: Started, arrival: Arrival) -> None:
    """Link who comes back to the account that set out; raises ``SignOnExpired`` or ``LinkedToAnother``."""
    # Another person may have signed in meanwhile.
    if (call.actor.kind, call.actor.id) != ("person", started.user_id):
        raise SignOnExpired
    await link(call, arrival)


async def link(call: Call, arrival: Arrival) -> None:
    """Link an identity to the asker's account; raises ``LinkedToAnother``."""
    demand_person(call)
    async with call.transaction() as tx:
        identity = await stored.find_identity(tx, arrival.service, arrival.issuer, arrival.subject)
        if identity is None:
            await arrivals.link(tx, call, arrival, call.actor.id)
        elif identity.user_id != call.actor.id:
            raise LinkedToAnother
        else:
            await stored.mark_identity_used(tx, identity.id, arrival.name, call.now)


async def unlink(call: Call, service: Service) -> None:
    """Unlink a service from the asker's account; raises ``NotLinked`` or ``OnlyWayIn``."""
    demand_person(call)
    found = await stored.list_identities(call.db, call.actor.id)
    if not any(one.provider == service for one in found):
        raise NotLinked
    if not await _has_other_way(call, service, found):
        raise OnlyWayIn
    async with call.transaction() as tx:
        await stored.delete_identities(tx, call.actor.id, service)
        subject = Subject("user", call.actor.id, call.actor.name)
        await audit.record(tx, call, "identity.account_unlinked", subject, {"provider": service})


async def _has_other_way(call: Call, service: Service, found: list[Identity]) -> bool:
    if any(one.provider != service for one in found):
        return True
    return await queries.find_password(call.db, call.actor.id) is not None


async def subject_of(call: Call, user_id: str) -> str | None:
    """Return as whom the provider knows a person, empty when it does not; ``None`` while there is no provider."""
    if (ready := await discovery.ready(call)) is None:
        return None
    found = await stored.list_identities(call.db, user_id)
    return next((one.subject for one in found if (one.provider, one.issuer) == ("oidc", ready[1].issuer)), "")


async def link_ahead(call: Call, user_id: str, subject: str) -> None:
    """Say as whom the provider will know a person, before they come for the first time; empty unlinks.

    For providers that do not say whether they verified an address. Raises ``SignOnNotReady``, ``RankTooLow``,
    ``BeyondYourGroups``, ``BadPerson`` or ``LinkedToAnother``.
    """
    demand_person(call)
    if (ready := await discovery.ready(call)) is None:
        raise SignOnNotReady
    subject = subject.strip()
    if len(subject) > _SUBJECT_MOST or not subject.isprintable():
        raise BadPerson({"oidc_subject": f"must be one line of at most {_SUBJECT_MOST} characters"})
    async with call.transaction() as tx:
        await queries.lock_admins(tx)
        user = await queries.find_user_for_change(tx, user_id) if is_uuid(user_id) else None
        if user is None:
            raise PersonMissing
        # Whoever chooses the identity chooses who signs in as this person.
        if not ranks.may_touch(call.actor, user.role):
            raise RankTooLow
        await scopes.demand_reach(tx, call, user_id)
        await stored.delete_identities(tx, user_id, "oidc")
        identity = Identity("", user_id, "oidc", ready[1].issuer, subject, "", call.now, None)
        if subject and not await stored.save_identity(tx, user_id, identity):
            raise LinkedToAnother
        detail = {"provider": "oidc", "issuer": ready[1].issuer, "subject": subject}
        await audit.record(tx, call, "identity.account_linked", Subject("user", user.id, user.username), detail)


def demand_person(call: Call) -> None:
    """Refuse tokens: they manage nobody's ways to sign in."""
    if call.actor.kind != "person":
        raise PersonsOnly
