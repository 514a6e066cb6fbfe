"""Statements that add, re-key and remove hosts."""

from typing import Any

from server.core.db import Tx
from server.core.scope import Groups, in_scope


async def insert_host(
    tx: Tx,
    *,
    friendly_name: str,
    api_id: str,
    api_key: str,
    docker_enabled: bool,
    compliance_mode: str,
    expected_platform: str,
    machine_id: str,
    notes: str,
) -> tuple[int, str]:
    """Add a host; return its key and UUID."""
    row = await tx.one(
        """
        insert into hosts (friendly_name, api_id, api_key, docker_enabled, compliance_mode, expected_platform,
                           machine_id, notes)
        values (%(friendly_name)s, %(api_id)s, %(api_key)s, %(docker_enabled)s, %(compliance_mode)s,
                  %(expected_platform)s, %(machine_id)s, %(notes)s)
        returning id, uuid
        """,
        friendly_name=friendly_name,
        api_id=api_id,
        api_key=api_key,
        docker_enabled=docker_enabled,
        compliance_mode=compliance_mode,
        expected_platform=expected_platform,
        machine_id=machine_id,
        notes=notes,
    )
    if row is None:
        raise AssertionError
    return row["id"], row["uuid"]


async def replace_key(tx: Tx, groups: Groups, uuid: str, api_id: str, api_key: str) -> dict[str, Any] | None:
    """Give a host a new pair; return its key, names and the id it had."""
    return await tx.one(
        f"""
        update hosts h
           set api_id = %(api_id)s, api_key = %(api_key)s, updated_at = now()
          from (select t.id, t.api_id from hosts t
                where t.uuid = %(uuid)s and {in_scope("t.id")} for update) as old
         where h.id = old.id
        returning h.id, h.friendly_name, h.hostname, old.api_id as old_api_id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
        api_id=api_id,
        api_key=api_key,
    )


async def delete_host(tx: Tx, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Remove a host with all that hangs on it; return its key and names."""
    return await tx.one(
        f"""
        delete from hosts h
         where h.uuid = %(uuid)s and {in_scope("h.id")}
        returning id, uuid, friendly_name, hostname, api_id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )


async def lock_host(tx: Tx, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return a host's key and name, and keep others from changing the row."""
    return await tx.one(
        f"""
        select h.id, h.friendly_name
          from hosts h
         where h.uuid = %(uuid)s and {in_scope("h.id")}
           for update
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )
