"""Adding hosts, knowing them by their credentials, remembering what they say; groups; what their pages show."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, Tx, retried, violates
from server.core.ids import is_uuid, random_hex
from server.core.secretbox import Secret
from server.hosts.agent_auth import authenticate
from server.hosts.check_ins import CheckIns, Directory, LinkNotes
from server.hosts.enrolment import exchange
from server.hosts.errors import (
    CredentialsNeeded,
    GroupMissing,
    GroupNameTaken,
    HostGone,
    HostMissing,
    OwnGroupNeeded,
    WholeFleetOnly,
)
from server.hosts.events import HostCreated, HostDeleted, HostKeysChanged
from server.hosts.groups import delete as delete_group
from server.hosts.groups import fetch_group
from server.hosts.groups import update as change_group
from server.hosts.models import (
    Activity,
    AgentActor,
    AgentHost,
    CheckIn,
    Credentials,
    IntegrationReport,
    LinkNote,
    NewHost,
)
from server.hosts.queries import agents, groups, keepers, links
from server.hosts.rules import enabled_sections, first_mode, reported_ip, stale_sections
from server.hosts.showing import (
    details,
    framed,
    head,
    history,
    link_states,
    one_as_json,
    options,
    page_as_json,
)
from server.hosts.staging import SWITCHES, stage, switches
from server.hosts.staging import confirm as confirm_switches
from server.hosts.staging import sending as send_switches
from server.hosts.tags import of as tags_of
from server.hosts.tags import read as read_tags
from server.hosts.tags import replace as replace_tags
from server.hosts.upkeep import edit
from server.settings import service as settings

_ACTIVITY_DAYS: Final = 30


# ------------------------------------------------------------------------------------------------ by people


async def create(call: Call, new: NewHost) -> Credentials:
    """Add a host and return its credentials, the only time the key is seen."""
    async with call.transaction() as tx:
        return await add(tx, call, new)


async def add(tx: Tx, call: Call, new: NewHost) -> Credentials:
    """Add a host within the caller's transaction; else as ``create``."""
    api_id, api_key = _new_pair()
    key, uuid = await keepers.insert_host(
        tx,
        friendly_name=new.friendly_name,
        api_id=api_id,
        api_key=call.world.box.verifier(api_key.reveal()),
        docker_enabled=new.docker_enabled,
        compliance_mode=first_mode(
            (await settings.effective(call)).default_compliance_mode, asked=new.compliance_enabled
        ),
        expected_platform=new.expected_platform,
        machine_id=new.machine_id,
        notes=new.notes,
    )
    await _set_groups(tx, call, key, _home(call, new.group_ids))
    subject = Subject("host", uuid, new.friendly_name)
    await audit.record(tx, call, "hosts.created", subject, {"api_id": api_id, "platform": new.expected_platform})
    tx.after_commit(announce(HostCreated(key)))
    found = await groups.groups_of(tx, call.actor.scope, key)
    return Credentials(key, uuid, new.friendly_name, api_id, api_key, tuple(found))


async def regenerate(call: Call, uuid: str) -> tuple[Credentials, str]:
    """Give a host a new pair; the old one is worthless at once. Returns the pair and the host's hostname."""
    _demand_uuid(uuid)
    api_id, api_key = _new_pair()
    async with call.transaction() as tx:
        row = await keepers.replace_key(tx, call.actor.scope, uuid, api_id, call.world.box.verifier(api_key.reveal()))
        if row is None:
            raise HostMissing
        await audit.record(tx, call, "hosts.credentials_regenerated", Subject("host", uuid, row["friendly_name"]))
        tx.after_commit(announce(HostKeysChanged(row["id"], row["old_api_id"])))
    return Credentials(row["id"], uuid, row["friendly_name"], api_id, api_key), row["hostname"] or row["friendly_name"]


async def delete(call: Call, uuid: str) -> dict[str, str]:
    """Remove a host and everything known about it; the machine itself is not touched."""
    _demand_uuid(uuid)
    async with call.transaction() as tx:
        row = await keepers.delete_host(tx, call.actor.scope, uuid)
        if row is None:
            raise HostMissing
        await audit.record(
            tx, call, "hosts.deleted", Subject("host", uuid, row["friendly_name"]), {"api_id": row["api_id"]}
        )
        tx.after_commit(announce(HostDeleted(row["id"], row["api_id"])))
    return {"id": uuid, "friendly_name": row["friendly_name"], "hostname": row["hostname"]}


async def set_groups(call: Call, uuid: str, group_ids: Sequence[str]) -> None:
    """Set a host's groups to exactly these; of who is limited, those that are theirs, and at least one.

    Raises ``HostMissing``, ``GroupMissing`` or ``OwnGroupNeeded``.
    """
    _demand_uuid(uuid)
    async with call.transaction() as tx:
        row = await keepers.lock_host(tx, call.actor.scope, uuid)
        if row is None:
            raise HostMissing
        before = await groups.groups_of(tx, None, row["id"])
        await _set_groups(tx, call, row["id"], group_ids)
        after = await groups.groups_of(tx, None, row["id"])
        subject = Subject("host", uuid, row["friendly_name"])
        detail = {"before": [one.name for one in before], "after": [one.name for one in after]}
        await audit.record(tx, call, "hosts.groups_changed", subject, {"groups": detail})


async def _set_groups(tx: Tx, call: Call, key: int, group_ids: Sequence[str]) -> None:
    wanted = set(group_ids)
    if await groups.replace_groups(tx, call.actor.scope, key, sorted(wanted)) != len(wanted):
        raise GroupMissing
    if call.actor.groups is not None and not wanted:
        raise OwnGroupNeeded


def _home(call: Call, group_ids: Sequence[str]) -> Sequence[str]:
    # Who sees one group only need not say where a new host goes.
    return call.actor.scope or () if not group_ids and len(call.actor.groups or ()) == 1 else group_ids


async def create_group(call: Call, name: str, description: str, color: str) -> dict[str, object]:
    """Add a host group; raises ``WholeFleetOnly`` or ``GroupNameTaken``."""
    if call.actor.groups is not None:
        raise WholeFleetOnly
    async with call.transaction() as tx:
        try:
            row = await groups.insert_group(tx, name, description, color)
        except IntegrityError as error:
            if violates(error, "host_groups_name"):
                raise GroupNameTaken from error
            raise
        await audit.record(tx, call, "hosts.group_created", Subject("host_group", str(row["id"]), name))
    return row


async def list_groups(call: Call) -> list[dict[str, object]]:
    """Return every group with its number of hosts."""
    return await groups.list_groups(call.db, call.actor.scope)


def _new_pair() -> tuple[str, Secret[str]]:
    return f"patchmon_{random_hex(8)}", Secret(random_hex(32))


def _demand_uuid(uuid: str) -> None:
    if not is_uuid(uuid):
        raise HostMissing


# ------------------------------------------------------------------------------------------------ by agents


def agent_of(call: Call) -> AgentHost:
    """Return the host that makes this call with its own credentials."""
    if isinstance(call.actor, AgentActor) and call.actor.host is not None:
        return call.actor.host
    raise CredentialsNeeded


async def note_report(tx: Tx, check_in: CheckIn) -> None:
    """Store what a report says about the host itself, in the report's transaction."""
    if not await agents.store_check_ins(tx, [check_in]):
        raise HostGone


async def note_refusal(call: Call, host: AgentHost, activity: Activity) -> None:
    """Remember in the host's history that something it sent was refused."""
    await agents.insert_refusal(call.db, host.id, call.now, activity)


async def note_integration(call: Call, host: AgentHost, told: IntegrationReport) -> None:
    """Remember what an agent says about the set-up of an integration."""
    async with call.transaction() as tx:
        known = await agents.lock_integration_status(tx, host.id)
        before = known.get(told.integration)
        kept = before.get("install_events", []) if isinstance(before, dict) else []
        known[told.integration] = {
            "integration": told.integration,
            "enabled": told.enabled,
            "status": told.status,
            "message": told.message,
            "components": told.components,
            "scanner_info": told.scanner_info,
            "install_events": kept if told.install_events is None else list(told.install_events),
            "timestamp": call.now.isoformat(),
        }
        ready = told.integration == "compliance" and told.status == "ready"
        await agents.store_integration_status(tx, host.id, known, compliance_ready=ready)


# ------------------------------------------------------------------------------------------------ by other rooms


async def note_connected(call: Call, host_id: int, *, secure: bool) -> None:
    """Record that a host's agent connected; for many at once use ``LinkNotes``."""
    await links.store_links(call.db, [LinkNote(host_id, connected=True, at=call.now, secure=secure)])


async def note_disconnected(call: Call, host_id: int) -> None:
    """Record that a host's agent left; only the connection that still owns the host's slot says so."""
    await links.store_links(call.db, [LinkNote(host_id, connected=False, at=call.now)])


async def reconcile_links(call: Call, online: Sequence[int], *, grace: timedelta = timedelta(seconds=60)) -> list[int]:
    """Mark hosts as disconnected that count as connected but are on nobody's list; return them.

    A server that was killed could not say that its agents left. Connections younger than ``grace`` are left alone.
    """
    return await links.mark_vanished(call.db, online, call.now, call.now - grace)


async def api_ids(call: Call, host_ids: Sequence[int]) -> dict[int, str]:
    """Return the first half of the credentials that hosts have now; hosts that are gone are missing."""
    return await agents.list_api_ids(call.db, host_ids)


async def note_hellos(call: Call, hellos: Mapping[int, dict[str, Any]]) -> None:
    """Keep the last greetings of hosts' agents: what each is and can do."""
    await retried(lambda: agents.store_hellos(call.db, hellos))


async def note_rivals(call: Call, places: Mapping[int, Sequence[str]]) -> None:
    """Remember from where several agents use these hosts' credentials at the same time."""
    await retried(lambda: links.store_rivals(call.db, places, call.now))


async def await_reports(tx: Tx, host_ids: Sequence[int]) -> None:
    """Remember that these hosts were changed; their next report clears it."""
    await agents.mark_awaiting_report(tx, host_ids)


async def await_reports_after(tx: Tx, ended: Sequence[tuple[int, str, datetime]]) -> None:
    """Remember (host, patch run, when it ended); the next full report clears it. One that came since counts."""
    await agents.mark_awaiting_run(tx, ended)


async def need_reboot(tx: Tx, host_id: int, reason: str) -> None:
    """Note that a host needs a restart."""
    await agents.mark_needs_reboot(tx, host_id, reason)


async def forget_seals(tx: Tx, host_id: int) -> None:
    """Make a host's next report be looked at in full, after its stored rows were changed by something else."""
    await agents.forget_seals(tx, host_id)


async def note_compliance(tx: Tx, host_id: int, section_hash: str, now: datetime) -> None:
    """Remember which compliance scans of a host were stored last, and that it has some at all."""
    await agents.store_compliance_hash(tx, host_id, section_hash, now)


async def note_docker(tx: Tx, host_id: int, section_hash: str, now: datetime) -> None:
    """Remember which Docker inventory of a host was stored last, and that it has one at all."""
    await agents.store_docker_hash(tx, host_id, section_hash, now)


async def ask_for_packages(tx: Tx, host_ids: Sequence[int]) -> None:
    """Make these hosts tell all their packages and repositories at the next check-in, by their keys."""
    await agents.forget_packages(tx, host_ids)


async def prune_activity(call: Call) -> int:
    """Forget history that is older than a month."""
    return await agents.delete_old_activity(call.db, call.now - timedelta(days=_ACTIVITY_DAYS))


__all__ = [
    "SWITCHES",
    "CheckIns",
    "Directory",
    "LinkNotes",
    "add",
    "agent_of",
    "api_ids",
    "ask_for_packages",
    "authenticate",
    "await_reports",
    "await_reports_after",
    "change_group",
    "confirm_switches",
    "create",
    "create_group",
    "delete",
    "delete_group",
    "details",
    "edit",
    "enabled_sections",
    "exchange",
    "fetch_group",
    "forget_seals",
    "framed",
    "head",
    "history",
    "link_states",
    "list_groups",
    "note_connected",
    "note_disconnected",
    "note_hellos",
    "note_integration",
    "note_refusal",
    "note_report",
    "note_rivals",
    "one_as_json",
    "options",
    "page_as_json",
    "prune_activity",
    "read_tags",
    "reconcile_links",
    "regenerate",
    "replace_tags",
    "reported_ip",
    "send_switches",
    "set_groups",
    "stage",
    "stale_sections",
    "switches",
    "tags_of",
]
