"""Credentials: kept sealed, used by name, never shown."""

import orjson

from server.audit import service as audit
from server.audit.models import Subject
from server.core.call import Call
from server.core.ids import is_uuid
from server.core.secretbox import BadSeal
from server.library import rules
from server.library.errors import BadInput, CredentialMissing
from server.library.models import Credential, NewCredential
from server.library.queries import credentials as rows


async def listed(call: Call) -> list[tuple[Credential, int]]:
    """Return every credential that the actor may use, and in how many places it is named."""
    uses = await rows.count_uses(call.db)
    return [(one, uses.get(one.id, 0)) for one in await usable(call)]


async def usable(call: Call) -> list[Credential]:
    """Return the credentials that the actor may use."""
    found = await rows.list_credentials(call.db)
    return [one for one in found if rules.may_use(call.actor, shared=one.shared, users=one.users)]


async def fetch(call: Call, credential_id: str) -> Credential:
    """Return a credential; ``CredentialMissing`` for who may not use it."""
    found = await rows.find_credentials(call.db, (credential_id,)) if is_uuid(credential_id) else []
    if not found or not rules.may_use(call.actor, shared=found[0].shared, users=found[0].users):
        raise CredentialMissing
    return found[0]


def values(call: Call, credential: Credential) -> dict[str, str]:
    """Return what a credential holds, for the place of use only; raises ``BadSeal``."""
    opened: dict[str, str] = orjson.loads(call.world.box.open(credential.sealed))
    return opened


async def create(call: Call, wanted: NewCredential) -> str:
    """Keep a credential and return its id; raises ``BadInput``, whose complaints hold no value."""
    _check(wanted, new=True)
    async with call.transaction() as tx:
        sealed = call.world.box.seal(orjson.dumps(dict(wanted.values)).decode())
        made = await rows.insert_credential(tx, call, wanted, sorted(wanted.values), sealed)
        if made is None:
            raise BadInput.of({"name": "Another credential is called like this"})
        await rows.replace_users(tx, made, () if wanted.shared else wanted.users)
        await audit.record(
            tx, call, "library.credential_created", Subject("credential", made, wanted.name),
            {"kind": wanted.kind, "values": sorted(wanted.values)},
        )  # fmt: skip
    return made


async def change(call: Call, credential_id: str, wanted: NewCredential) -> None:
    """Change a credential; values that are not given anew stay as they are."""
    before = await fetch(call, credential_id)
    _check(wanted, new=False)
    sealed, names = before.sealed, before.names
    if wanted.values:
        sealed = call.world.box.seal(orjson.dumps(_merged(call, before, wanted)).decode())
        names = sorted(_merged(call, before, wanted))
    async with call.transaction() as tx:
        if not await rows.update_credential(tx, call, before.id, wanted, names, sealed):
            raise BadInput.of({"name": "Another credential is called like this"})
        await rows.replace_users(tx, before.id, () if wanted.shared else wanted.users)
        await audit.record(
            tx, call, "library.credential_changed", Subject("credential", before.id, wanted.name),
            {"kind": before.kind, "values": sorted(wanted.values)},
        )  # fmt: skip


def _merged(call: Call, before: Credential, wanted: NewCredential) -> dict[str, str]:
    if before.kind not in rules.FIELDS:
        return dict(wanted.values)
    try:
        kept = values(call, before)
    except BadSeal:
        # Sealed with a key that is gone: what is given now is all there is.
        kept = {}
    return {**kept, **{name: value for name, value in wanted.values.items() if value}}


def _check(wanted: NewCredential, *, new: bool) -> None:
    if wrong := rules.complaints_of_credential(wanted, new=new):
        raise BadInput.of(wrong)


async def delete(call: Call, credential_id: str) -> None:
    """Forget a credential; playbooks and projects that name it go on without it."""
    found = await fetch(call, credential_id)
    async with call.transaction() as tx:
        await rows.delete_credential(tx, found.id)
        await audit.record(tx, call, "library.credential_deleted", Subject("credential", found.id, found.name))
