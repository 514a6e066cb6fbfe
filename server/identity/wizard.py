"""The steps of the first set-up: what was entered so far is kept, sealed, until the last step carries it out."""

from dataclasses import asdict, dataclass, replace

import orjson

from server.audit import service as audit
from server.core.call import Actor, Call
from server.core.secretbox import BadSeal
from server.identity import newsletter, people, queries, setup
from server.identity.errors import BadSetupLink, StepMissing
from server.identity.models import Browser, NewPerson, Profile, SetupLink, SignedIn
from server.settings import service as settings


@dataclass(frozen=True, slots=True)
class Draft:
    """What was entered so far; the password only as its hash."""

    username: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    password_hash: str = ""
    server_url: str = ""
    self_signed: bool = False
    newsletter: bool = False

    @property
    def person(self) -> NewPerson:
        """The first administrator; without the password, which is known as a hash only."""
        return NewPerson(Profile(self.username, self.email, self.first_name, self.last_name), "")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a set-up has come.

    Attributes:
        verifier: of the link.
        user_id: the account that was made on the way; empty before.
    """

    verifier: str
    user_id: str
    draft: Draft

    @property
    def steps_open(self) -> int:
        """The last step that may be opened now."""
        if not self.user_id and not self.draft.password_hash:
            return 1
        return 5 if self.draft.server_url else 3


async def progress(call: Call, token: str) -> Progress | None:
    """Return how far the set-up of this link, or of the person who asks, has come; ``None`` where there is none."""
    user_id = call.actor.id if call.actor.kind == "person" else None
    if not token and user_id is None:
        return None
    found = await queries.find_setup_link(call.db, call.world.box.verifier(token) if token else "", user_id)
    if found is None or (not found.user_id and not await setup.is_needed(call)):
        return None
    return Progress(found.verifier, found.user_id, _opened(call, found))


async def enter_person(call: Call, token: str, person: NewPerson) -> None:
    """Keep who the first administrator will be.

    Raises ``AdminExists``, ``BadSetupLink``, ``BadPerson`` or ``WeakPassword``.
    """
    await setup.demand_open(call, token)
    password_hash = await people.checked_hash(call, person, names_required=True)
    found = await progress(call, token)
    if found is None:
        raise BadSetupLink
    about = asdict(person.profile)
    await _keep(call, found, replace(found.draft, **about, password_hash=password_hash))


async def enter_url(call: Call, found: Progress, url: str, *, self_signed: bool) -> None:
    """Keep under which URL the server is reached; raises ``BadSetting``."""
    settings.server_url_parts(url)
    await _keep(call, found, replace(found.draft, server_url=url, self_signed=self_signed))


async def enter_newsletter(call: Call, found: Progress, *, wanted: bool) -> None:
    """Keep whether the person wants the newsletter."""
    await _keep(call, found, replace(found.draft, newsletter=wanted))


async def create_account(call: Call, found: Progress, browser: Browser) -> SignedIn:
    """Make the account that was entered, once, and open a session; the set-up goes on as that person's.

    Raises ``AdminExists``, ``NameTaken``, or ``StepMissing`` when nobody was entered yet.
    """
    if not found.draft.password_hash:
        raise StepMissing
    async with call.transaction() as tx:
        opened = await setup.insert_admin(tx, call, found.draft.person, found.draft.password_hash, browser)
        await queries.keep_setup_link(tx, found.verifier, opened.user.id)
        bare = replace(found.draft, password_hash="")
        await queries.update_draft(tx, found.verifier, _sealed(call, bare))
    return opened


async def save_url(call: Call, found: Progress) -> None:
    """Store the server URL that was entered."""
    if found.draft.server_url:
        parts = settings.server_url_parts(found.draft.server_url)
        await settings.change(call, {**parts, "ignore_ssl_self_signed": found.draft.self_signed})


async def close(call: Call, found: Progress) -> None:
    """End the set-up for good; who asked for the newsletter is subscribed now, once."""
    async with call.transaction() as tx:
        await queries.delete_setup_links(tx)
        await audit.record(tx, call, "identity.setup_finished")
    if found.draft.newsletter:
        await newsletter.subscribe(call, found.draft.person.profile)


def continuing(call: Call, opened: SignedIn) -> Actor:
    """Return who goes on with the set-up."""
    return setup.themselves(call, opened)


async def _keep(call: Call, found: Progress, draft: Draft) -> None:
    async with call.transaction() as tx:
        await queries.update_draft(tx, found.verifier, _sealed(call, draft))


def _sealed(call: Call, draft: Draft) -> str:
    return call.world.box.seal(orjson.dumps(asdict(draft)).decode())


def _opened(call: Call, link: SetupLink) -> Draft:
    if not link.sealed_draft:
        return Draft()
    try:
        return Draft(**orjson.loads(call.world.box.open(link.sealed_draft)))
    except BadSeal:
        # The key was changed between two steps: begin again.
        return Draft()
