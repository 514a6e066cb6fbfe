"""The fleet as monitoring reads it: every host in one statement, its lines put together by PostgreSQL."""

from datetime import datetime
from typing import Any, Final

from server.core.db import Queries

#: A name, what it says, and the value of a host; hosts without a value are left out.
HOSTS: Final = (
    ("host_enrolled", "Whether the host has ever reported", "(h.status <> 'pending')::int"),
    ("host_connected", "Whether its agent is connected", "h.connected::int"),
    ("host_pending_updates", "Packages that wait for an update", "h.updates"),
    ("host_security_updates", "Packages that wait for a security update", "h.security"),
    ("host_reboot_required", "Whether the host has to be restarted", "h.needs_reboot::int"),
    (
        "host_package_manager_unfinished",
        "Packages that an interrupted run left half installed",
        "cardinality(h.unfinished_packages)",
    ),
    ("host_report_age_seconds", "Since the host was heard of last", "extract(epoch from %(now)s - h.last_update)::int"),
    (
        "host_patch_age_seconds",
        "Since the last successful patch run; absent for a host that was never patched",
        "extract(epoch from %(now)s - h.last_success_at)::int",
    ),
    ("host_patch_failures", "Failed patch runs since the last successful one", "coalesce(h.failures, 0)"),
)
#: The same with labels of their own: beside the node, each an expression.
_LABELLED: Final = (
    ("host_patch_last_verdict", "How the last patch run ended", {"status": "h.verdict"}, "h.verdict <> ''"),
    (
        "host_info",
        "What the host is",
        {"id": "h.uuid::text", "agent_version": "h.agent_version", "os": "h.os"},
        "true",
    ),
)
TOTALS: Final = (
    ("hosts", "Hosts", "count(*)"),
    ("hosts_enrolled", "Hosts that have ever reported", "count(*) filter (where h.status <> 'pending')"),
    ("agents_connected", "Agents connected", "count(*) filter (where h.connected)"),
    ("hosts_reboot_required", "Hosts to restart", "count(*) filter (where h.needs_reboot)"),
    ("hosts_pending_updates", "Hosts on which an update waits", "count(*) filter (where h.updates > 0)"),
    ("hosts_security_updates", "Hosts on which a security update waits", "count(*) filter (where h.security > 0)"),
    ("pending_updates", "Updates that wait, over all hosts", "coalesce(sum(h.updates), 0)"),
    ("security_updates", "Security updates that wait, over all hosts", "coalesce(sum(h.security), 0)"),
    (
        "hosts_never_patched",
        "Hosts without a successful patch run",
        "count(*) filter (where h.status <> 'pending' and h.last_success_at is null)",
    ),
    (
        "hosts_patch_stale",
        "Hosts that were not patched for longer than PATCH_STALE_DAYS",
        "count(*) filter (where h.status <> 'pending' and coalesce(h.last_success_at, h.created_at) < %(stale)s)",
    ),
    ("hosts_patch_failing", "Hosts on which patching fails", "count(*) filter (where h.failures > 0)"),
    (
        "hosts_package_manager_unfinished",
        "Hosts whose package manager was interrupted",
        "count(*) filter (where cardinality(h.unfinished_packages) > 0)",
    ),
)


def _escaped(text: str) -> str:
    return r"""replace(replace(replace({text}, '\', '\\'), '"', '\"'), E'\n', '\n')""".replace("{text}", text)


def _lines(name: str, value: str) -> str:
    return f"string_agg('patchmon_{name}' || h.node || '}} ' || {value} || E'\\n', '') as {name}"


def _labelled(name: str, labels: dict[str, str], when: str) -> str:
    more = " || ".join(f"""',{label}="' || {_escaped(text)} || '"'""" for label, text in labels.items())
    return f"string_agg('patchmon_{name}' || h.node || {more} || E'}} 1\\n', '') filter (where {when}) as {name}"


# Names need not be one of a kind, and a series must be: those that are not carry the beginning of their id.
_NODE: Final = _escaped("n.name || case when n.namesakes > 1 then '-' || left(n.uuid::text, 8) else '' end")
_STATEMENT: Final = f"""
      with h as materialized (
           select n.*, '{{node="' || {_NODE} || '"' as node
             from (select a.uuid, a.status, a.created_at, a.last_update, a.needs_reboot, a.unfinished_packages,
                          a.agent_version, trim(a.os_type || ' ' || a.os_version) as os,
                          coalesce(a.last_connected_at > coalesce(a.last_disconnected_at, '-infinity'), false)
                              as connected,
                          coalesce(nullif(a.friendly_name, ''), nullif(a.hostname, ''), a.api_id) as name,
                          count(*) over (partition by coalesce(nullif(a.friendly_name, ''), nullif(a.hostname, ''),
                                                               a.api_id)) as namesakes,
                          coalesce(i.updates, 0) as updates, coalesce(i.security_updates, 0) as security,
                          f.last_success_at, f.consecutive_failures as failures, coalesce(f.last_status, '') as verdict
                     from hosts a
                     left join host_inventory i on i.host_id = a.id
                     left join host_patching f on f.host_id = a.id) n)
    select {", ".join(f"({text})::bigint as {name}" for name, _, text in TOTALS)},
           {", ".join(_lines(name, text) for name, _, text in HOSTS)},
           {", ".join(_labelled(name, labels, when) for name, _, labels, when in _LABELLED)}
      from h
"""  # noqa: S608 (only constants are put together)

#: Everything that has a line for each host: name and what it says.
FAMILIES: Final = (
    *((name, about) for name, about, _ in HOSTS),
    *((name, about) for name, about, _, _ in _LABELLED),
)


async def fetch_metrics(db: Queries, now: datetime, stale_before: datetime) -> dict[str, Any]:
    """Return every total by its name, and by theirs the lines of every host (``None``: no host has one)."""
    found = await db.one(_STATEMENT, now=now, stale=stale_before)
    assert found is not None
    return found
