"""Switches of a host's integrations: they wait until somebody applies them and the agent has taken them over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import is_uuid
from server.hosts.errors import HostMissing, NothingPending
from server.hosts.events import HostsSeen
from server.hosts.models import AgentHost
from server.hosts.queries import changes

SWITCHES: Final = (
    "docker_enabled", "compliance_mode", "compliance_openscap_enabled", "compliance_docker_bench_enabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Switches:
    """Which integrations a host has.

    Attributes:
        applied: what its agent has.
        pending: what differs and waits; ``None`` when nothing does.
        sent_at: when what waits was sent; ``None`` until somebody applied it.
        told: by integration what the agent last said of its set-up.
    """

    key: int
    id: str
    name: str
    applied: dict[str, Any]
    pending: dict[str, Any] | None
    sent_at: datetime | None
    default_profile_id: str | None
    told: dict[str, Any]

    @property
    def wanted(self) -> dict[str, Any]:
        """What holds once everything that waits is applied."""
        return {**self.applied, **(self.pending or {})}


async def switches(call: Call, uuid: str) -> Switches:
    """Return what is switched on for a host, what waits, and what its agent said of it."""
    row = await changes.fetch_switches(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise HostMissing
    return Switches(
        key=row["key"],
        id=str(row["id"]),
        name=row["friendly_name"],
        applied={name: row[name] for name in SWITCHES},
        pending=row["pending_config"],
        sent_at=row["pending_sent_at"],
        default_profile_id=row["compliance_default_profile_id"],
        told=row["integration_status"],
    )


async def stage(call: Call, uuid: str, wanted: Mapping[str, object]) -> Switches:
    """Let switches wait for somebody to apply them; one that is as the agent has it needs no waiting."""
    async with call.transaction() as tx:
        row = await changes.lock_for_change(tx, call.actor.scope, uuid) if is_uuid(uuid) else None
        if row is None:
            raise HostMissing
        merged = {**(row["pending_config"] or {}), **wanted}
        # What was sent may be in force by now: the next push has to say all of it.
        sent = row["pending_sent_at"] is not None
        waiting = {name: value for name, value in merged.items() if sent or row[name] != value}
        if waiting != (row["pending_config"] or {}):
            await changes.store_pending(tx, row["id"], waiting or None)
            subject = Subject("host", uuid, row["friendly_name"])
            await audit.record(tx, call, "hosts.switches_staged", subject, {"waiting": waiting})
            tx.after_commit(announce(HostsSeen((row["id"],))))
    return await switches(call, uuid)


async def sending(call: Call, uuid: str) -> tuple[int, dict[str, object]]:
    """Mark what waits as on its way to the agent; return the host's key and the whole configuration to push.

    Raises ``NothingPending``.
    """
    found = await switches(call, uuid)
    if not found.pending:
        raise NothingPending
    await changes.mark_pending_sent(call.db, found.key, call.now)
    wanted = found.wanted
    mode = wanted["compliance_mode"]
    enabled: object = mode if mode == "on-demand" else mode == "enabled"
    compliance = {
        "enabled": enabled,
        "openscap_enabled": wanted["compliance_openscap_enabled"],
        "docker_bench_enabled": wanted["compliance_docker_bench_enabled"],
    }
    return found.key, {"docker": wanted["docker_enabled"], "compliance": compliance}


async def confirm(call: Call, host: AgentHost) -> AgentHost:
    """Make what was sent the host's own: its agent asks for its switches or says that it has them."""
    row = await changes.confirm_pending(call.db, host.id, call.now)
    if row is None:
        return host
    await announce(HostsSeen((host.id,)))(call.world)
    return replace(host, **row)


def said_at(told: Mapping[str, Any]) -> datetime | None:
    """Return when an agent last said how ready an integration is."""
    text = told.get("timestamp")
    return datetime.fromisoformat(text) if isinstance(text, str) else None
