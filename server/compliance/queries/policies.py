"""Statements about automatic remediation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from server.compliance.models import NewPolicy, Policy
from server.core.db import Queries, Tx
from server.core.ids import sought_uuid
from server.core.scope import Groups, among

_POLICY: Final = """
    select p.id, g.uuid as group, g.name as group_name, p.name, p.rules, p.approval, p.enabled, p.made_by, p.made_at,
           p.changed_at, (select count(*)::int from host_group_members m where m.host_group_id = p.group_id) as hosts
      from compliance_policies p
      join host_groups g on g.id = p.group_id
"""


async def list_policies(db: Queries, groups: Groups) -> list[Policy]:
    """Return every policy of the asker's groups by name."""
    return await db.all(f"{_POLICY} where {among('g.uuid')} order by lower(p.name)", Policy, groups=groups)


async def find_policy(db: Queries, groups: Groups, policy: str) -> Policy | None:
    """Return one policy."""
    return await db.one(
        f"{_POLICY} where p.id = %(policy)s::uuid and {among('g.uuid')}",
        Policy,
        groups=groups,
        policy=sought_uuid(policy),
    )


async def list_unknown(db: Queries, refs: Sequence[str]) -> list[str]:
    """Return the references that no OpenSCAP rule has that was ever handed in."""
    return await db.column(
        """
        select x from unnest(%(refs)s::text[]) x
         where not exists (select from compliance_rules r where r.kind = 'openscap' and r.ref = x)
        """,
        refs=list(refs),
    )


async def insert(tx: Tx, new: NewPolicy, by: str, now: datetime) -> str | None:
    """Store a policy and return its id; nothing where there is no such group."""
    found = await tx.value(
        """
        insert into compliance_policies (group_id, name, rules, approval, enabled, made_by, made_at, changed_at)
        select g.id, %(name)s, %(rules)s, %(approval)s, %(enabled)s, %(by)s, %(now)s, %(now)s
          from host_groups g
         where g.uuid = %(group)s::uuid
        returning id
        """,
        group=sought_uuid(new.group),
        by=by,
        now=now,
        **_values(new),
    )
    return None if found is None else str(found)


async def update(tx: Tx, policy: str, new: NewPolicy, now: datetime) -> int:
    """Change a policy; return how many were."""
    return await tx.execute(
        """
        update compliance_policies
           set group_id = (select g.id from host_groups g where g.uuid = %(group)s::uuid), name = %(name)s,
               rules = %(rules)s, approval = %(approval)s, enabled = %(enabled)s, changed_at = %(now)s
         where id = %(policy)s::uuid
        """,
        policy=policy,
        group=sought_uuid(new.group),
        now=now,
        **_values(new),
    )


def _values(new: NewPolicy) -> dict[str, Any]:
    return {"name": new.name, "rules": list(new.rules), "approval": new.approval, "enabled": new.enabled}


async def delete(tx: Tx, policy: str) -> int:
    """Delete a policy; return how many were."""
    return await tx.execute("delete from compliance_policies where id = %(policy)s::uuid", policy=policy)


async def list_due(db: Queries, limit: int) -> list[dict[str, Any]]:
    """Return hosts of policies whose newest OpenSCAP scan nobody looked at, with the rules that shall be fixed there.

    Left out are rules that are waived there, and those that a policy tried to fix on the host to no avail and nobody by
    hand since. Hosts with a remediation under way, or one that waits for somebody, come later.
    """
    return await db.all(
        """
        select h.uuid as host, h.id as host_id, l.scan,
               array(select r.ref
                       from compliance_layouts y
                      cross join unnest(y.rules) with ordinality as a (rule, place)
                       join compliance_rules r on r.id = a.rule
                      where y.id = l.layout and substr(l.states, a.place::int, 1) = 'f'
                        and exists (select from compliance_policies p
                                      join host_group_members m on m.host_group_id = p.group_id and m.host_id = h.id
                                     where p.enabled and r.ref = any(p.rules))
                        and not exists (select from compliance_waivers_of(h.id) w where w.rule = r.id)
                        and coalesce((select not t.automatic or x ->> 'after' in ('p', 'n')
                                        from compliance_remedies t
                                       cross join jsonb_array_elements(t.rules) x
                                       where t.host_id = h.id and x ->> 'ref' = r.ref
                                       order by t.asked_at desc
                                       limit 1), true)
                      order by r.ref) as refs
          from compliance_latest l
          join hosts h on h.id = l.host_id
          left join compliance_policy_looks k on k.host_id = h.id
         where l.kind = 'openscap' and l.scan > coalesce(k.scan, 0)
           and exists (select from compliance_policies p
                         join host_group_members m on m.host_group_id = p.group_id and m.host_id = h.id
                        where p.enabled)
           and not exists (select from compliance_remedies o
                            where o.host_id = h.id and o.status in ('checking', 'checked', 'applying'))
         order by l.scan
         limit %(limit)s
        """,
        limit=limit,
    )


async def claim(tx: Tx, host_id: int, scan: int, now: datetime) -> bool:
    """Note that the policies look at a scan; tell whether nobody did before."""
    return (
        await tx.execute(
            """
        insert into compliance_policy_looks (host_id, scan, looked_at) values (%(host_id)s, %(scan)s, %(now)s)
            on conflict (host_id) do update set scan = excluded.scan, looked_at = excluded.looked_at
             where compliance_policy_looks.scan < excluded.scan
        """,
            host_id=host_id,
            scan=scan,
            now=now,
        )
        > 0
    )


async def look_again(tx: Tx, group: str) -> None:
    """Have the policies look at the hosts of a group once more, although there is no newer scan."""
    await tx.execute(
        """
        delete from compliance_policy_looks k
         using host_group_members m, host_groups g
         where m.host_id = k.host_id and g.id = m.host_group_id and g.uuid = %(group)s::uuid
        """,
        group=sought_uuid(group),
    )


async def list_ready(db: Queries, limit: int) -> list[str]:
    """Return automatic remediations that were tried without a failure and whose every rule a policy applies."""
    return await db.column(
        """
        select t.id::text
          from compliance_remedies t
         where t.automatic and t.status = 'checked'
           and not exists (
               select from jsonb_array_elements(t.rules) x
                where x ->> 'left_out' = ''
                  and (x ->> 'predicted' = 'fails'
                       or not exists (select from compliance_policies p
                                        join host_group_members m
                                          on m.host_group_id = p.group_id and m.host_id = t.host_id
                                       where p.enabled and p.approval = 'apply' and x ->> 'ref' = any(p.rules))))
         order by t.asked_at
         limit %(limit)s
        """,
        limit=limit,
    )


async def mark_automatic(tx: Tx, remedy: str) -> None:
    """Note that a policy asked for a remediation."""
    await tx.execute(
        "update compliance_remedies set automatic = true where id = %(remedy)s::uuid", remedy=sought_uuid(remedy)
    )
