-- Waivers: a rule that may fail on a host, on the hosts of a group or on the whole fleet, for a reason and until a day.
-- How many failing rules of a host are waived is kept beside its numbers, and follows letters, waivers and groups.

create table compliance_waivers (
    id             uuid primary key default gen_random_uuid(),
    rule           int not null references compliance_rules (id) on delete cascade,
    target         text not null check (target in ('host', 'group', 'fleet')),
    host_id        int references hosts (id) on delete cascade,
    group_id       int references host_groups (id) on delete cascade,
    reason         text not null,
    owner          text not null,
    -- The last day, in UTC, on which it is in force.
    expires_on     date not null,
    made_by        text not null,
    made_at        timestamptz not null,
    changed_at     timestamptz not null,
    -- When its owner was told that it ends soon.
    told_at        timestamptz,
    revoked_by     text not null default '',
    revoked_at     timestamptz,
    revoked_reason text not null default '',
    -- Revoked, or its last day is over: it is in force as long as this is empty.
    ended_at       timestamptz,
    check ((target = 'host') = (host_id is not null) and (target = 'group') = (group_id is not null))
);

-- One at a time for the same rule and place.
create unique index compliance_waivers_once
    on compliance_waivers (rule, target, coalesce(host_id, 0), coalesce(group_id, 0)) where ended_at is null;
create index compliance_waivers_host on compliance_waivers (host_id) where ended_at is null;
create index compliance_waivers_group on compliance_waivers (group_id) where ended_at is null;
create index compliance_waivers_expire on compliance_waivers (expires_on) where ended_at is null;

-- waived: rules that fail or warn and are waived; waived_by: those that fail, by severity as in failed_by.
alter table compliance_latest add column waived int not null default 0,
                              add column waived_by int[] not null default '{0,0,0,0,0}';

-- The waivers in force for a host, of every target.
create function compliance_waivers_of(host int) returns setof compliance_waivers language sql stable as $$
    select w.*
      from compliance_waivers w
     where w.ended_at is null
       and (w.target = 'fleet' or w.host_id = host
            or w.group_id in (select m.host_group_id from host_group_members m where m.host_id = host))
$$;

-- Count anew what is waived on hosts. Rows are locked in one order first: of a scan that is being stored and a waiver
-- that is being made, the second counts what the first wrote.
create function compliance_waive(hosts int[]) returns void language plpgsql as $$
begin
    if not exists (select from compliance_waivers w
                    where w.ended_at is null
                      and (w.target = 'fleet' or w.host_id = any(hosts)
                           or w.group_id in (select m.host_group_id from host_group_members m
                                              where m.host_id = any(hosts))))
       and not exists (select from compliance_latest l where l.host_id = any(hosts) and l.waived > 0) then
        return;
    end if;
    perform from compliance_latest l where l.host_id = any(hosts) order by l.host_id, l.kind for no key update;
    with covered as (
        select distinct w.rule, case w.target when 'group' then m.host_id else w.host_id end as host_id
          from compliance_waivers w
          left join host_group_members m on m.host_group_id = w.group_id and m.host_id = any(hosts)
         where w.ended_at is null and (w.target <> 'group' or m.host_id is not null)
           and (w.target <> 'host' or w.host_id = any(hosts))
    ), places as materialized (
        select y.id as layout, r.rule, array_position(y.rules, r.rule) as place,
               array_position(array['critical', 'high', 'medium', 'low', 'unknown'], x.severity) as severity
          from (select distinct rule from covered) r
          join compliance_layouts y on y.rules @> array[r.rule]
          join compliance_texts x on x.id = y.texts[array_position(y.rules, r.rule)]
    ), found as (
        -- Of a rule that several waivers cover on a host one counts.
        select distinct l.host_id, l.kind, p.rule, p.severity, substr(l.states, p.place, 1) as state
          from compliance_latest l
          join places p on p.layout = l.layout
          join covered c on c.rule = p.rule and (c.host_id is null or c.host_id = l.host_id)
         where l.host_id = any(hosts) and substr(l.states, p.place, 1) in ('f', 'w')
    ), numbers as (
        select host_id, kind, count(*)::int as waived,
               array[(count(*) filter (where state = 'f' and severity = 1))::int,
                     (count(*) filter (where state = 'f' and severity = 2))::int,
                     (count(*) filter (where state = 'f' and severity = 3))::int,
                     (count(*) filter (where state = 'f' and severity = 4))::int,
                     (count(*) filter (where state = 'f' and severity = 5))::int] as waived_by
          from found
         group by host_id, kind
    )
    update compliance_latest l
       set waived = n.waived, waived_by = n.waived_by
      from (select o.host_id, o.kind, coalesce(n.waived, 0) as waived,
                   coalesce(n.waived_by, '{0,0,0,0,0}') as waived_by
              from compliance_latest o
              left join numbers n on n.host_id = o.host_id and n.kind = o.kind
             where o.host_id = any(hosts)) n
     where n.host_id = l.host_id and n.kind = l.kind
       and (l.waived, l.waived_by) is distinct from (n.waived, n.waived_by);
end
$$;

create or replace function compliance_tally() returns trigger language plpgsql as $$
begin
    insert into compliance_tally_changes (layout, states, amount)
    select layout, states, tg_argv[0]::int from changed;
    perform compliance_stand(array(select distinct host_id from changed));
    if tg_op = 'INSERT' then
        perform compliance_waive(array(select distinct host_id from changed));
    end if;
    return null;
end
$$;

create or replace function compliance_retally() returns trigger language plpgsql as $$
declare
    moved int[];
begin
    -- This fires for its own work too, for what is waived, and for statements that change nothing.
    moved := array(select a.host_id
                     from rows_after a
                     join rows_before b on b.host_id = a.host_id and b.kind = a.kind
                    where (a.layout, a.states) is distinct from (b.layout, b.states));
    if moved <> '{}' then
        insert into compliance_tally_changes (layout, states, amount)
        select c.layout, c.states, c.amount
          from rows_after a
          join rows_before b on b.host_id = a.host_id and b.kind = a.kind
         cross join lateral (values (a.layout, a.states, 1), (b.layout, b.states, -1)) c (layout, states, amount)
         where (a.layout, a.states) is distinct from (b.layout, b.states);
        perform compliance_waive(moved);
    end if;
    if exists (select from rows_after a join rows_before b on b.host_id = a.host_id and b.kind = a.kind
                where a.completed_at <> b.completed_at) then
        perform compliance_stand(array(select distinct host_id from rows_after));
    end if;
    return null;
end
$$;

-- Who comes into a group, or leaves it, changes what is waived there.
create function compliance_regroup() returns trigger language plpgsql as $$
begin
    if exists (select from compliance_waivers w join changed c on c.host_group_id = w.group_id
                where w.ended_at is null) then
        perform compliance_waive(array(select distinct host_id from changed));
    end if;
    return null;
end
$$;

create trigger compliance_group_joined after insert on host_group_members
    referencing new table as changed for each statement execute function compliance_regroup();
create trigger compliance_group_left after delete on host_group_members
    referencing old table as changed for each statement execute function compliance_regroup();
