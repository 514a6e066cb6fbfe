"""Statements behind the pages of one host."""

from typing import Any

from server.core.db import Database
from server.core.scope import Groups, among, in_scope
from server.hosts.patched import COLUMNS


async def find_head(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return a host's row for its pages; a limited person sees their own groups on it, its others not even by name."""
    return await db.one(
        f"""
        select h.id as key, h.uuid as id, h.friendly_name, h.hostname, h.api_id, h.os_type, h.os_version, h.ip,
               h.status, h.needs_reboot, h.reboot_reason, h.awaiting_report,
               h.awaiting_post_patch_report_run_id as awaiting_run, h.last_update, h.last_full_report_at,
               h.notes, h.agent_version, h.agent_hello, h.link_secure, h.last_connected_at, h.last_disconnected_at,
               h.primary_interface, h.system_uptime, h.auto_update, h.host_down_alerts_enabled, h.machine_id,
               h.created_at, h.unfinished_packages, h.reboot_exempt, h.patch_hold_patterns, {COLUMNS},
               h.pending_config, h.pending_sent_at, h.expected_platform, h.boot_time, h.report_failed,
               h.rivals_at, h.rivals,
               h.docker_reported_at is not null as has_docker,
               h.compliance_reported_at is not null as has_compliance,
               (select coalesce(jsonb_object_agg(t.key, t.value order by t.key), '{{}}') from host_tags t
                 where t.host_id = h.id) as tags,
               coalesce(i.packages, 0) as packages_total, coalesce(i.repositories, 0) as repositories_total,
               coalesce(i.updates, 0) as updates, coalesce(i.security_updates, 0) as security,
               (select coalesce(jsonb_agg(jsonb_build_array(g.uuid, g.name, g.color) order by lower(g.name)), '[]')
                  from host_group_members m join host_groups g on g.id = m.host_group_id
                 where m.host_id = h.id and {among("g.uuid")}) as group_rows
          from hosts h
          left join host_inventory i on i.host_id = h.id
          left join host_patching f on f.host_id = h.id
         where h.uuid = %(uuid)s and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )


async def fetch_details(db: Database, key: int) -> dict[str, Any] | None:
    """Return everything a host said about its system and network."""
    return await db.one(
        """
        select machine_id, primary_interface, os_type, os_version, architecture, kernel_version,
               installed_kernel_version, selinux_status, package_manager, agent_version, agent_hello, cpu_model,
               cpu_cores, hardware, ram_installed, swap_size, disk_details, gateway_ip, dns_servers, network_interfaces,
               system_uptime, boot_time, load_average, created_at, auto_update, docker_enabled, compliance_mode,
               compliance_openscap_enabled, compliance_docker_bench_enabled, integration_status, expected_platform,
               last_connected_at, last_disconnected_at
          from hosts
         where id = %(key)s
        """,
        key=key,
    )


async def list_activity(db: Database, key: int, limit: int) -> list[dict[str, Any]]:
    """Return the newest lines of a host's history."""
    return await db.all(
        """
        select at, kind, sections_sent, sections_unchanged, payload_kb, server_ms, agent_ms, packages, updates,
               security_updates, error
          from host_activity
         where host_id = %(key)s
         order by id desc
         limit %(limit)s
        """,
        key=key,
        limit=limit,
    )
