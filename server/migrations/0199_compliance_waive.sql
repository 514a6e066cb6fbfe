-- Counting what is waived on thousands of hosts at once: their keys are joined, for PostgreSQL looks for a value in an
-- array one by one as soon as it plans without knowing the array.

create or replace function compliance_waive(hosts int[]) returns void language plpgsql as $$
begin
    if not exists (select from compliance_waivers w where w.ended_at is null and w.target = 'fleet')
       and not exists (select from unnest(hosts) as a (host_id)
                         join compliance_waivers w on w.host_id = a.host_id and w.ended_at is null)
       and not exists (select from compliance_waivers w
                         join host_group_members m on m.host_group_id = w.group_id
                         join unnest(hosts) as a (host_id) on a.host_id = m.host_id
                        where w.ended_at is null)
       and not exists (select from unnest(hosts) as a (host_id)
                         join compliance_latest l on l.host_id = a.host_id and l.waived > 0) then
        return;
    end if;
    perform from unnest(hosts) as a (host_id)
       join compliance_latest l on l.host_id = a.host_id
      order by l.host_id, l.kind for no key update of l;
    with asked as materialized (
        select distinct a.host_id from unnest(hosts) as a (host_id)
    ), covered as materialized (
        -- Without a host: on all of them.
        select distinct w.rule, null::int as host_id from compliance_waivers w
         where w.ended_at is null and w.target = 'fleet'
         union
        select w.rule, w.host_id from compliance_waivers w join asked a on a.host_id = w.host_id
         where w.ended_at is null
         union
        select w.rule, m.host_id from compliance_waivers w
          join host_group_members m on m.host_group_id = w.group_id
          join asked a on a.host_id = m.host_id
         where w.ended_at is null
    ), places as materialized (
        select y.id as layout, r.rule, array_position(y.rules, r.rule) as place, r.everywhere,
               array_position(array['critical', 'high', 'medium', 'low', 'unknown'], x.severity) as severity
          from (select rule, bool_or(host_id is null) as everywhere from covered group by rule) r
          join compliance_layouts y on y.rules @> array[r.rule]
          join compliance_texts x on x.id = y.texts[array_position(y.rules, r.rule)]
    ), found as (
        -- Of a rule that several waivers cover on a host one counts.
        select l.host_id, l.kind, p.severity, substr(l.states, p.place, 1) as state
          from asked a
          join compliance_latest l on l.host_id = a.host_id
          join places p on p.layout = l.layout and p.everywhere
         union all
        select l.host_id, l.kind, p.severity, substr(l.states, p.place, 1)
          from covered c
          join compliance_latest l on l.host_id = c.host_id
          join places p on p.layout = l.layout and p.rule = c.rule and not p.everywhere
    ), numbers as (
        select host_id, kind, count(*)::int as waived,
               array[(count(*) filter (where state = 'f' and severity = 1))::int,
                     (count(*) filter (where state = 'f' and severity = 2))::int,
                     (count(*) filter (where state = 'f' and severity = 3))::int,
                     (count(*) filter (where state = 'f' and severity = 4))::int,
                     (count(*) filter (where state = 'f' and severity = 5))::int] as waived_by
          from found
         where state in ('f', 'w')
         group by host_id, kind
    )
    update compliance_latest l
       set waived = n.waived, waived_by = n.waived_by
      from (select o.host_id, o.kind, coalesce(n.waived, 0) as waived,
                   coalesce(n.waived_by, '{0,0,0,0,0}') as waived_by
              from asked a
              join compliance_latest o on o.host_id = a.host_id
              left join numbers n on n.host_id = o.host_id and n.kind = o.kind) n
     where n.host_id = l.host_id and n.kind = l.kind
       and (l.waived, l.waived_by) is distinct from (n.waived, n.waived_by);
end
$$;
