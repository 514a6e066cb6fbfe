"""Statements about what agents say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from server.core.db import Database, Tx, as_json
from server.hosts.models import Activity, AgentHost, CheckIn
from server.hosts.queries.texts import hostile_json


async def find_agents(db: Database, api_ids: Sequence[str]) -> list[AgentHost]:
    """Return everything a check-in needs to know of these hosts, in one indexed read."""
    return await db.all(
        """
        select id, uuid, friendly_name, hostname, api_id, api_key, status, expected_platform, os_type, auto_update,
               primary_interface, docker_enabled, compliance_mode, compliance_openscap_enabled,
               compliance_docker_bench_enabled, packages_hash, repos_hash, interfaces_hash, hostname_hash, docker_hash,
               compliance_hash, packages_seal, repos_seal
          from hosts
         where api_id = any(%(api_ids)s)
        """,
        AgentHost,
        api_ids=list(api_ids),
    )


async def list_api_ids(db: Database, host_ids: Sequence[int]) -> dict[int, str]:
    """Return which credentials hosts have now; those that are gone are missing."""
    rows = await db.all("select id, api_id from hosts where id = any(%(host_ids)s)", host_ids=list(host_ids))
    return {row["id"]: row["api_id"] for row in rows}


async def count_hosts(db: Database) -> int:
    """Return how many hosts there are in the whole fleet."""
    count: int = await db.value("select count(*) from hosts")
    return count


async def upgrade_key(db: Database, host_id: int, old: str, new: str) -> None:
    """Replace a slow verifier by a fast one, unless it was replaced meanwhile."""
    await db.execute(
        "update hosts set api_key = %(new)s where id = %(host_id)s and api_key = %(old)s",
        host_id=host_id,
        old=old,
        new=new,
    )


async def store_check_ins(db: Database | Tx, check_ins: Sequence[CheckIn]) -> list[int]:
    """Store what hosts said, each host at most once, in one statement; return the hosts that exist.

    An absent value leaves the column alone. The rows are locked in the order of their ids: two processes storing the
    same
    hosts at the same time wait for each other instead of deadlocking.
    """
    return await db.column(
        """
        with seen as materialized (
            select *
              from jsonb_to_recordset(%(rows)s::jsonb) as s(
                   host_id int, at timestamptz, hostname text, machine_id text, ip text, os_type text, os_version text,
                   architecture text, kernel_version text, installed_kernel_version text, selinux_status text,
                   package_manager text, agent_version text, cpu_model text, cpu_cores int, ram_installed double
                   precision,
                   swap_size double precision, disk_details jsonb, gateway_ip text, dns_servers jsonb,
                   network_interfaces jsonb,
                   system_uptime text, boot_time timestamptz, load_average jsonb, needs_reboot boolean, reboot_reason
                   text,
                   packages_hash text, repos_hash text, interfaces_hash text, hostname_hash text, packages_seal text,
                   repos_seal text, unfinished_packages text[], hardware jsonb, full_report boolean,
                   reported boolean, activity jsonb)
        ), locked as materialized (
            select id from hosts where id in (select host_id from seen) order by id for no key update
        ), updated as (
            update hosts h
               set status = 'active',
                   last_update = greatest(s.at, h.last_update),
                   hostname = coalesce(s.hostname, h.hostname),
                   machine_id = coalesce(s.machine_id, h.machine_id),
                   ip = coalesce(s.ip, h.ip),
                   os_type = coalesce(s.os_type, h.os_type),
                   os_version = coalesce(s.os_version, h.os_version),
                   architecture = coalesce(s.architecture, h.architecture),
                   kernel_version = coalesce(s.kernel_version, h.kernel_version),
                   installed_kernel_version = coalesce(s.installed_kernel_version, h.installed_kernel_version),
                   selinux_status = coalesce(s.selinux_status, h.selinux_status),
                   package_manager = coalesce(s.package_manager, h.package_manager),
                   agent_version = coalesce(s.agent_version, h.agent_version),
                   cpu_model = coalesce(s.cpu_model, h.cpu_model),
                   cpu_cores = coalesce(s.cpu_cores, h.cpu_cores),
                   ram_installed = coalesce(s.ram_installed, h.ram_installed),
                   swap_size = coalesce(s.swap_size, h.swap_size),
                   disk_details = coalesce(s.disk_details, h.disk_details),
                   gateway_ip = coalesce(s.gateway_ip, h.gateway_ip),
                   dns_servers = coalesce(s.dns_servers, h.dns_servers),
                   network_interfaces = coalesce(s.network_interfaces, h.network_interfaces),
                   system_uptime = coalesce(s.system_uptime, h.system_uptime),
                   boot_time = coalesce(s.boot_time, h.boot_time),
                   load_average = coalesce(s.load_average, h.load_average),
                   needs_reboot = coalesce(s.needs_reboot, h.needs_reboot),
                   reboot_reason = case when not s.needs_reboot then '' else coalesce(s.reboot_reason,
                   h.reboot_reason) end,
                   unfinished_packages = coalesce(s.unfinished_packages, h.unfinished_packages),
                   hardware = case when s.hardware is null then h.hardware else h.hardware || s.hardware end,
                   packages_hash = coalesce(s.packages_hash, h.packages_hash),
                   repos_hash = coalesce(s.repos_hash, h.repos_hash),
                   interfaces_hash = coalesce(s.interfaces_hash, h.interfaces_hash),
                   hostname_hash = coalesce(s.hostname_hash, h.hostname_hash),
                   packages_seal = coalesce(s.packages_seal, h.packages_seal),
                   repos_seal = coalesce(s.repos_seal, h.repos_seal),
                   last_full_report_at = case when s.full_report then s.at else h.last_full_report_at end,
                   awaiting_report = h.awaiting_report and s.reported is not true,
                   awaiting_post_patch_report_run_id = case when s.reported then null
                                                            else h.awaiting_post_patch_report_run_id end,
                   report_failed = h.report_failed and s.reported is not true
              from seen s
              join locked l on l.id = s.host_id
             where h.id = s.host_id
            returning h.id
        ), noted as (
            insert into host_activity (host_id, at, kind, sections_sent, sections_unchanged, payload_kb, server_ms,
                                       agent_ms,
                                       packages, updates, security_updates)
            select u.id, s.at, a.kind, a.sections_sent, a.sections_unchanged, a.payload_kb, a.server_ms, a.agent_ms,
                   a.packages, a.updates, a.security_updates
              from updated u
              join seen s on s.host_id = u.id
             cross join jsonb_to_record(s.activity) as a(
                   kind text, sections_sent text[], sections_unchanged text[], payload_kb real, server_ms int,
                   agent_ms int,
                   packages int, updates int, security_updates int)
        )
        select id from updated
        """,
        rows=hostile_json([_check_in_row(check_in) for check_in in check_ins]),
    )


def _check_in_row(check_in: CheckIn) -> dict[str, Any]:
    # Absent and null mean the same, and pings leave nearly everything out: short rows are most of the speed.
    row: dict[str, Any] = {"host_id": check_in.host_id, "at": check_in.at, "activity": _activity_row(check_in.activity)}
    facts = check_in.facts
    for name in facts.__slots__:
        value = getattr(facts, name)
        if value is not None:
            row[name] = value
    if check_in.accepted is not None:
        row.update((key, value) for key, value in asdict(check_in.accepted).items() if value is not None)
        row["reported"] = True
    return row


def _activity_row(activity: Activity) -> dict[str, Any]:
    return {name: getattr(activity, name) for name in activity.__slots__}


async def insert_refusal(db: Database, host_id: int, at: datetime, activity: Activity) -> None:
    """Add a line to a host's history, and remember that the last thing it sent was refused."""
    await db.execute(
        """
        with failed as (
            update hosts set report_failed = true where id = %(host_id)s and not report_failed
        )
        insert into host_activity (host_id, at, kind, sections_sent, payload_kb, server_ms, agent_ms, error)
        values (%(host_id)s, %(at)s, %(kind)s, %(sections)s, %(payload_kb)s, %(server_ms)s, %(agent_ms)s, %(error)s)
        """,
        host_id=host_id,
        at=at,
        kind=activity.kind,
        sections=list(activity.sections_sent),
        payload_kb=activity.payload_kb,
        server_ms=activity.server_ms,
        agent_ms=activity.agent_ms,
        error=activity.error,
    )


async def delete_old_activity(db: Database, before: datetime) -> int:
    """Forget history older than ``before``."""
    return await db.execute("delete from host_activity where at < %(before)s", before=before)


async def forget_seals(tx: Tx, host_id: int) -> None:
    """Make the next report be looked at in full."""
    await tx.execute("update hosts set packages_seal = '', repos_seal = '' where id = %(host_id)s", host_id=host_id)


async def mark_needs_reboot(tx: Tx, host_id: int, reason: str) -> None:
    """Note that a host needs a restart; its next report says whether it still does."""
    await tx.execute(
        "update hosts set needs_reboot = true, reboot_reason = %(reason)s where id = %(host_id)s",
        host_id=host_id,
        reason=reason,
    )


async def forget_packages(tx: Tx, host_ids: Sequence[int]) -> None:
    """Forget what was last told of packages and repositories: the next check-in asks for them in full."""
    await tx.execute(
        """
        with locked as materialized (
            select id from hosts where id = any(%(ids)s::int[]) order by id for no key update
        )
        update hosts h
           set packages_hash = '', repos_hash = '', packages_seal = '', repos_seal = ''
          from locked
         where h.id = locked.id
        """,
        ids=list(host_ids),
    )


async def mark_awaiting_report(tx: Tx, host_ids: Sequence[int]) -> None:
    """Remember that these hosts were changed and have not reported since."""
    await tx.execute(
        "update hosts set awaiting_report = true where id = any(%(ids)s)",
        ids=list(host_ids) or [0],
    )


async def mark_awaiting_run(tx: Tx, ended: Sequence[tuple[int, str, datetime]]) -> None:
    """Let hosts wait for the report after a patch run, unless one came after its end already."""
    await tx.execute(
        """
        update hosts h
           set awaiting_post_patch_report_run_id = r.run
          from jsonb_to_recordset(%(rows)s::jsonb) as r(host_id int, run uuid, ended_at timestamptz)
         where h.id = r.host_id and coalesce(h.last_full_report_at, '-infinity') < r.ended_at
        """,
        rows=as_json([{"host_id": host, "run": run, "ended_at": at} for host, run, at in ended]),
    )


async def store_hellos(db: Database | Tx, hellos: Mapping[int, dict[str, Any]]) -> None:
    """Keep the last greeting of each of these hosts' agents; rows are locked in one order."""
    await db.execute(
        """
        with told as materialized (
            select h.id, t.hello
              from jsonb_to_recordset(%(rows)s::jsonb) as t(id int, hello jsonb)
              join hosts h on h.id = t.id
             order by h.id
               for no key update of h
        )
        update hosts h set agent_hello = told.hello from told where h.id = told.id
        """,
        rows=hostile_json([{"id": host_id, "hello": hello} for host_id, hello in hellos.items()]),
    )


async def lock_integration_status(tx: Tx, host_id: int) -> dict[str, Any]:
    """Return what is known of a host's integrations, and keep others from changing it."""
    found = await tx.value("select integration_status from hosts where id = %(host_id)s for update", host_id=host_id)
    return dict(found or {})


async def store_integration_status(tx: Tx, host_id: int, status: dict[str, Any], *, compliance_ready: bool) -> None:
    """Store it; a ready compliance set-up switches compliance on for a host where it was off."""
    await tx.execute(
        """
        update hosts
           set integration_status = %(status)s::jsonb,
               compliance_mode = case when %(ready)s and compliance_mode = 'disabled' then 'enabled' else
               compliance_mode end
         where id = %(host_id)s
        """,
        host_id=host_id,
        status=hostile_json(status),
        ready=compliance_ready,
    )


async def store_docker_hash(tx: Tx, host_id: int, section_hash: str, now: datetime) -> None:
    """Store the hash of a host's Docker inventory, and when the first one came."""
    await tx.execute(
        """
        update hosts
           set docker_hash = %(section_hash)s, docker_reported_at = coalesce(docker_reported_at, %(now)s)
         where id = %(host_id)s
           and (docker_hash, docker_reported_at is null) is distinct from (%(section_hash)s, false)
        """,
        host_id=host_id,
        section_hash=section_hash,
        now=now,
    )


async def store_compliance_hash(tx: Tx, host_id: int, section_hash: str, now: datetime) -> None:
    """Store the hash of a host's compliance scans, and when the first one came."""
    await tx.execute(
        """
        update hosts
           set compliance_hash = %(section_hash)s, compliance_reported_at = coalesce(compliance_reported_at, %(now)s)
         where id = %(host_id)s
        """,
        host_id=host_id,
        section_hash=section_hash,
        now=now,
    )
