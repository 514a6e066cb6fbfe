-- Tallies are kept once per statement instead of once per host: many hosts at once cost little more than one.

drop trigger compliance_latest_tally on compliance_latest;
drop function compliance_tally();

create function compliance_tally() returns trigger language plpgsql as $$
begin
    insert into compliance_tallies as t (rule, passed, failed, warned, skipped, not_applicable, errors)
    select d.rule,
           coalesce(sum(d.n) filter (where d.state = 'p'), 0), coalesce(sum(d.n) filter (where d.state = 'f'), 0),
           coalesce(sum(d.n) filter (where d.state = 'w'), 0), coalesce(sum(d.n) filter (where d.state = 's'), 0),
           coalesce(sum(d.n) filter (where d.state = 'n'), 0), coalesce(sum(d.n) filter (where d.state = 'e'), 0)
      from (select l.rules[c.place] as rule, c.state, sum(c.n) as n
              from (select r.layout, a.place, a.state, count(*) * tg_argv[0]::int as n
                      from changed r
                     cross join regexp_split_to_table(r.states, '') with ordinality as a (state, place)
                     group by r.layout, a.place, a.state) c
              join compliance_layouts l on l.id = c.layout
             group by l.rules[c.place], c.state) d
     group by d.rule
     -- In one order for everybody: two reports must not wait for each other.
     order by d.rule
        on conflict (rule) do update
       set passed = t.passed + excluded.passed, failed = t.failed + excluded.failed,
           warned = t.warned + excluded.warned, skipped = t.skipped + excluded.skipped,
           not_applicable = t.not_applicable + excluded.not_applicable, errors = t.errors + excluded.errors;
    return null;
end
$$;

create function compliance_retally() returns trigger language plpgsql as $$
begin
    insert into compliance_tallies as t (rule, passed, failed, warned, skipped, not_applicable, errors)
    select d.rule,
           coalesce(sum(d.n) filter (where d.state = 'p'), 0), coalesce(sum(d.n) filter (where d.state = 'f'), 0),
           coalesce(sum(d.n) filter (where d.state = 'w'), 0), coalesce(sum(d.n) filter (where d.state = 's'), 0),
           coalesce(sum(d.n) filter (where d.state = 'n'), 0), coalesce(sum(d.n) filter (where d.state = 'e'), 0)
      from (select l.rules[c.place] as rule, c.state, sum(c.n) as n
              from (select r.layout, a.place, a.state, 1 as n
                      from rows_after r
                     cross join regexp_split_to_table(r.states, '') with ordinality as a (state, place)
                     union all
                    select r.layout, a.place, a.state, -1
                      from rows_before r
                     cross join regexp_split_to_table(r.states, '') with ordinality as a (state, place)) c
              join compliance_layouts l on l.id = c.layout
             group by l.rules[c.place], c.state
            having sum(c.n) <> 0) d
     group by d.rule
     order by d.rule
        on conflict (rule) do update
       set passed = t.passed + excluded.passed, failed = t.failed + excluded.failed,
           warned = t.warned + excluded.warned, skipped = t.skipped + excluded.skipped,
           not_applicable = t.not_applicable + excluded.not_applicable, errors = t.errors + excluded.errors;
    return null;
end
$$;

create trigger compliance_latest_came after insert on compliance_latest
    referencing new table as changed for each statement execute function compliance_tally('1');
create trigger compliance_latest_went after delete on compliance_latest
    referencing old table as changed for each statement execute function compliance_tally('-1');
create trigger compliance_latest_moved after update on compliance_latest
    referencing old table as rows_before new table as rows_after
    for each statement execute function compliance_retally();
