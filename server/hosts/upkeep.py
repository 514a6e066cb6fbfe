"""What people change of one host: its names, address, notes and what holds for its agent."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.hosts import rules
from server.hosts.errors import AddressFromInterface, HostMissing, NoSuchInterface
from server.hosts.events import HostsSeen
from server.hosts.models import Address, Interface
from server.hosts.queries import changes

#: What of a change is told in the audit log by its name only.
_LONG = frozenset({"notes"})


async def edit(call: Call, uuid: str, wanted: Mapping[str, object]) -> None:
    """Change some of what people decide about a host; names are those of the columns.

    Raises ``HostMissing``, ``NoSuchInterface``, or ``AddressFromInterface`` for an address that an interface gives.
    """
    async with call.transaction() as tx:
        row = await _locked(tx, call, uuid)
        new = {name: value for name, value in wanted.items() if row[name] != value}
        if "primary_interface" in new:
            new |= _address_of(row, new["primary_interface"])
        elif "ip" in new and row["primary_interface"]:
            raise AddressFromInterface(interface=row["primary_interface"])
        if not new:
            return
        await changes.store_changes(tx, row["id"], new, call.now)
        subject = Subject("host", uuid, str(new.get("friendly_name", row["friendly_name"])))
        await audit.record(tx, call, "hosts.changed", subject, _told(row, new))
        tx.after_commit(announce(HostsSeen((row["id"],))))


async def _locked(tx: Tx, call: Call, uuid: str) -> dict[str, Any]:
    row = await changes.lock_for_change(tx, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise HostMissing
    return row


def _address_of(row: Mapping[str, Any], name: object) -> dict[str, object]:
    if name is None:
        return {}
    if all(one.get("name") != name for one in row["network_interfaces"]):
        raise NoSuchInterface
    address = rules.reported_ip(str(name), interfaces_of(row["network_interfaces"]), "")
    return {"ip": address} if address else {}


def interfaces_of(stored: Sequence[Mapping[str, Any]]) -> list[Interface]:
    """Return the interfaces of a host's row as far as its address needs them."""
    return [
        Interface(
            str(one.get("name", "")),
            addresses=tuple(
                Address(str(item.get("address", "")), str(item.get("family", ""))) for item in one.get("addresses", ())
            ),
        )
        for one in stored
    ]


def _told(row: Mapping[str, Any], new: Mapping[str, object]) -> dict[str, object]:
    return {name: "changed" if name in _LONG else {"from": row[name], "to": value} for name, value in new.items()}
