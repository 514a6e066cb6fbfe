"""The demonstration's hosts and what is on them."""

from datetime import datetime

from server.core.db import Database, Tx, as_json
from server.demo.models import Made

Rows = list[dict[str, object]]


async def count_real(db: Database, prefix: str) -> int:
    """Return how many hosts are not ours."""
    found: int = await db.value(
        "select count(*)::int from hosts where not starts_with(api_id, %(prefix)s)", prefix=prefix
    )
    return found


async def insert_groups(tx: Tx, groups: Rows) -> dict[str, int]:
    """Add the groups that are not there by name; return the keys of all by the UUID that was meant for them."""
    rows = await tx.all(
        """
        with sent as (
            select * from jsonb_to_recordset(%(groups)s::jsonb) as g(uuid uuid, name text, description text, color text)
        ), added as (
            insert into host_groups (uuid, name, description, color)
            select uuid, name, description, color from sent
                on conflict ((lower(name))) do nothing
            returning uuid, id
        )
        select uuid, id from added
         union all
        select s.uuid, g.id from sent s join host_groups g on lower(g.name) = lower(s.name)
        """,
        groups=as_json(groups),
    )
    return {row["uuid"]: row["id"] for row in rows}


async def insert_kinds(tx: Tx, kinds: Rows) -> dict[str, int]:
    """Add the kinds of packages that are not known yet; return the keys of all by name."""
    rows = await tx.all(
        """
        with added as (
            insert into packages (name, category, latest_version)
            select k.name, k.section, k.version
              from jsonb_to_recordset(%(kinds)s::jsonb) as k(name text, section text, version text)
                on conflict (name) do nothing
            returning id, name
        )
        select id, name from added
         union all
        select p.id, p.name
          from packages p
          join jsonb_to_recordset(%(kinds)s::jsonb) as k(name text) on k.name = p.name
        """,
        kinds=as_json(kinds),
    )
    return {row["name"]: row["id"] for row in rows}


async def insert_repositories(tx: Tx, repositories: Rows) -> dict[str, int]:
    """Add the repositories that are not known yet; return the keys of all by the UUID meant for them."""
    rows = await tx.all(
        """
        with sent as (
            select *
              from jsonb_to_recordset(%(repositories)s::jsonb)
                   as r(uuid uuid, url text, distribution text, components text, name text, repo_type text,
                        is_secure boolean)
        ), added as (
            insert into repositories (uuid, url, distribution, components, name, repo_type, is_secure)
            select uuid, url, distribution, components, name, repo_type, is_secure from sent
                on conflict (url, distribution, components) do nothing
            returning uuid, id
        )
        select uuid, id from added
         union all
        select s.uuid, r.id from sent s join repositories r using (url, distribution, components)
        """,
        repositories=as_json(repositories),
    )
    return {row["uuid"]: row["id"] for row in rows}


async def insert_hosts(tx: Tx, hosts: Rows) -> dict[str, int]:
    """Add hosts that nothing can sign in as; return their keys by UUID."""
    rows = await tx.all(
        """
        insert into hosts (uuid, friendly_name, api_id, api_key, status, notes, hostname, machine_id, ip,
                           primary_interface, os_type, os_version, architecture, kernel_version,
                           installed_kernel_version, selinux_status, package_manager, agent_version, cpu_model,
                           cpu_cores, ram_installed, swap_size, disk_details, gateway_ip, dns_servers,
                           network_interfaces, system_uptime, boot_time, load_average, needs_reboot, reboot_reason,
                           link_secure, last_connected_at, last_disconnected_at, last_update, last_full_report_at,
                           created_at, updated_at)
        select h.uuid, h.friendly_name, h.api_id, '', 'active', h.notes, h.hostname, h.machine_id, h.ip,
               'eth0', h.os_type, h.os_version, 'x86_64', h.kernel_version,
               h.kernel_version, 'disabled', h.package_manager, h.agent_version, h.cpu_model,
               h.cpu_cores, h.ram_installed, h.swap_size, h.disk_details, h.gateway_ip, h.dns_servers,
               h.network_interfaces, round(h.uptime_days)::int || ' days',
               h.reported_at - make_interval(secs => h.uptime_days * 86400), h.load_average, h.needs_reboot,
               h.reboot_reason, h.disconnected_at is null, h.connected_at, h.disconnected_at, h.reported_at,
               h.reported_at, h.connected_at - interval '200 days', h.reported_at
          from jsonb_to_recordset(%(hosts)s::jsonb)
               as h(uuid uuid, friendly_name text, api_id text, notes text, hostname text, machine_id text, ip text,
                    os_type text, os_version text, kernel_version text, package_manager text, agent_version text,
                    cpu_model text, cpu_cores int, ram_installed double precision, swap_size double precision,
                    disk_details jsonb, gateway_ip text, dns_servers jsonb, network_interfaces jsonb,
                    uptime_days double precision, load_average jsonb, needs_reboot boolean, reboot_reason text,
                    connected_at timestamptz, disconnected_at timestamptz, reported_at timestamptz)
        returning uuid, id
        """,
        hosts=as_json(hosts),
    )
    return {row["uuid"]: row["id"] for row in rows}


async def insert_memberships(tx: Tx, members: list[tuple[int, int]]) -> None:
    """Put hosts into groups; pairs of both keys."""
    await tx.execute(
        """
        insert into host_group_members (host_id, host_group_id)
        select (m ->> 0)::int, (m ->> 1)::int from jsonb_array_elements(%(members)s::jsonb) as m
        """,
        members=as_json(members),
    )


async def insert_host_repositories(tx: Tx, pairs: list[tuple[int, int]], at: datetime) -> None:
    """Give hosts their repositories; pairs of both keys."""
    await tx.execute(
        """
        insert into host_repositories (host_id, repository_id, last_checked)
        select (m ->> 0)::int, (m ->> 1)::int, %(at)s from jsonb_array_elements(%(pairs)s::jsonb) as m
        """,
        pairs=as_json(pairs),
        at=at,
    )


async def insert_packages(tx: Tx, hosts: Rows, kinds: Rows, profiles: Rows) -> int:
    """Give hosts the packages of their profile; what came out after a host was patched is missing there.

    Hosts: id, profile, days since it was patched, what stands before and after the number of an update in a version,
    the repository packages come from and the one of security updates (key and name each), and when it reported.
    """
    return await tx.execute(
        """
        insert into host_packages (host_id, package_id, needs_update, is_security_update, repository_id, fingerprint,
                                   last_checked, current_version, available_version, source_repository)
        select h.id, k.id, m.missing, m.missing and k.security,
               case when k.security and m.missing then h.security_id else h.main_id end,
               h.id::bigint * 100000 + k.id, h.reported_at,
               k.version || h.before || case when m.missing or k.days is null then '1' else '2' end || h.after,
               case when m.missing then k.version || h.before || '2' || h.after else '' end,
               case when k.security and m.missing then h.security_name else h.main_name end
          from jsonb_to_recordset(%(hosts)s::jsonb)
               as h(id int, profile int, days double precision, before text, after text, main_id int,
                    security_id int, main_name text, security_name text, reported_at timestamptz)
          join jsonb_to_recordset(%(profiles)s::jsonb) as p(profile int, places int[]) on p.profile = h.profile
         cross join lateral unnest(p.places) as place
          join jsonb_to_recordset(%(kinds)s::jsonb)
               as k(id int, place int, version text, days double precision, security boolean) on k.place = place.place
         cross join lateral (select k.days is not null and k.days < h.days as missing) m
         order by h.id, k.id
        """,
        hosts=as_json(hosts),
        kinds=as_json(kinds),
        profiles=as_json(profiles),
    )


async def insert_inventory(tx: Tx, first: int, last: int) -> None:
    """Write the counts of the hosts from one key to another."""
    await tx.execute(
        """
        insert into host_inventory (host_id, packages, updates, security_updates, repositories, updated_at)
        select p.host_id, p.packages, p.updates, p.security_updates, coalesce(r.repositories, 0), h.last_update
          from (select host_id, count(*) as packages, count(*) filter (where needs_update) as updates,
                       count(*) filter (where is_security_update) as security_updates
                  from host_packages
                 where host_id between %(first)s and %(last)s
                 group by host_id) p
          join hosts h on h.id = p.host_id
          left join (select host_id, count(*) as repositories
                       from host_repositories
                      where host_id between %(first)s and %(last)s
                      group by host_id) r on r.host_id = p.host_id
        """,
        first=first,
        last=last,
    )


async def insert_reports(tx: Tx, hosts: Rows, days: int) -> int:
    """Write a report a day of each host, oldest first: updates pile up until it was patched, and begin again.

    Hosts: id, days since it was patched, days from one patching to the next, when it reported last.
    """
    return await tx.execute(
        """
        insert into host_activity (host_id, kind, sections_sent, sections_unchanged, payload_kb, server_ms, agent_ms,
                                   packages, updates, security_updates, at)
        select h.id, case when ago = 0 then 'full' else 'partial' end,
               case when ago = 0 then '{packages,repositories,interfaces,hostname}'::text[] else '{packages}' end,
               case when ago = 0 then '{}'::text[] else '{repositories,interfaces,hostname}' end,
               18 + mod(h.id * 7 + ago * 13, 40), 4 + mod(h.id + ago, 30), 900 + mod(h.id * 31 + ago, 2400),
               i.packages,
               case when ago = 0 then i.updates else round(age * 0.8)::int end,
               case when ago = 0 then i.security_updates else round(age * 0.25)::int end,
               h.reported_at - make_interval(days => ago)
          from jsonb_to_recordset(%(hosts)s::jsonb)
               as h(id int, days double precision, cycle int, reported_at timestamptz)
          join host_inventory i on i.host_id = h.id
         cross join generate_series(%(days)s - 1, 0, -1) as ago
         cross join lateral (select case when ago <= h.days then h.days - ago
                                         else h.cycle - mod((ago - h.days)::numeric, h.cycle) end as age) a
         order by h.id, ago desc
        """,
        hosts=as_json(hosts),
        days=days,
    )


async def delete_host_rows(tx: Tx, prefix: str, limit: int) -> int:
    """Take away some of our hosts with everything that hangs on them; return how many those were."""
    gone: int = await tx.value(
        """
        with chosen as materialized (
            select id from hosts where starts_with(api_id, %(prefix)s) order by id limit %(limit)s
        ), packages_gone as (
            delete from host_packages p using chosen where p.host_id = chosen.id
        ), reports_gone as (
            delete from host_activity a using chosen where a.host_id = chosen.id
        ), gone as (
            delete from hosts h using chosen where h.id = chosen.id returning 1
        )
        select count(*)::int from gone
        """,
        prefix=prefix,
        limit=limit,
    )
    return gone


async def delete_lists(tx: Tx, groups: list[str], repositories: list[str], kinds: list[str], digest: str) -> None:
    """Take our groups, repositories, kinds and project away, as far as no host or job of others has them."""
    await tx.execute(
        """
        delete from host_groups g
         where g.uuid = any(%(groups)s::uuid[])
           and not exists (select from host_group_members m where m.host_group_id = g.id)
        """,
        groups=groups,
    )
    await tx.execute(
        """
        delete from repositories r
         where r.uuid = any(%(repositories)s::uuid[])
           and not exists (select from host_repositories h where h.repository_id = r.id)
        """,
        repositories=repositories,
    )
    await tx.execute(
        """
        delete from packages p
         where p.name = any(%(kinds)s)
           and not exists (select from host_packages h where h.package_id = p.id)
        """,
        kinds=kinds,
    )
    await tx.execute(
        """
        delete from projects p
         where p.digest = %(digest)s
           and not exists (select from jobs j where j.project_digest = p.digest)
        """,
        digest=digest,
    )


async def refresh_statistics(db: Database, table: str) -> None:
    """Tell the planner what a table holds now, and which of its pages everyone may see."""
    await db.execute(f"vacuum (analyze) {table}")


async def count_made(db: Database, prefix: str, by: str) -> Made:
    """Count what there is of ours."""
    found = await db.one(
        """
        select (select count(*) from hosts where starts_with(api_id, %(prefix)s))::int as hosts,
               (select coalesce(sum(i.packages), 0)
                  from host_inventory i
                  join hosts h on h.id = i.host_id and starts_with(h.api_id, %(prefix)s))::int as packages,
               (select count(*) from jobs where launched_by_id = %(by)s)::int as jobs,
               (select coalesce(sum(jh.events), 0)
                  from job_hosts jh
                  join jobs j on j.id = jh.job_id and j.launched_by_id = %(by)s)::int as events,
               (select count(*)
                  from host_activity a
                  join hosts h on h.id = a.host_id and starts_with(h.api_id, %(prefix)s))::int as reports
        """,
        Made,
        prefix=prefix,
        by=by,
    )
    assert found is not None
    return found
