-- Which scan a host stands by is noted, and tallies are noted as changes that are added up beside the reports: hundreds of
-- rows that every host's report would change are changed once for many reports.

alter table compliance_latest add column standing boolean not null default false;

-- What the tallies do not hold yet: the letters of a newest scan that came (1) or went (-1).
create table compliance_tally_changes (
    id     bigint generated always as identity primary key,
    layout int not null references compliance_layouts (id),
    states text not null,
    amount int not null
);

drop trigger compliance_latest_came on compliance_latest;
drop trigger compliance_latest_went on compliance_latest;
drop trigger compliance_latest_moved on compliance_latest;
drop function compliance_tally();
drop function compliance_retally();

-- A host stands by its newest scan, by OpenSCAP before others of the same moment.
create function compliance_stand(hosts int[]) returns void language sql as $$
    update compliance_latest l
       set standing = n.standing
      from (select host_id, kind,
                   kind <> 'oscap-docker'
                   and row_number() over (partition by host_id
                                          order by kind = 'oscap-docker', completed_at desc, kind desc) = 1 as standing
              from compliance_latest
             where host_id = any(hosts)) n
     where n.host_id = l.host_id and n.kind = l.kind and n.standing <> l.standing
$$;

create function compliance_tally() returns trigger language plpgsql as $$
begin
    insert into compliance_tally_changes (layout, states, amount)
    select layout, states, tg_argv[0]::int from changed;
    perform compliance_stand(array(select distinct host_id from changed));
    return null;
end
$$;

create function compliance_retally() returns trigger language plpgsql as $$
begin
    insert into compliance_tally_changes (layout, states, amount)
    select c.layout, c.states, c.amount
      from rows_after a
      join rows_before b on b.host_id = a.host_id and b.kind = a.kind
     cross join lateral (values (a.layout, a.states, 1), (b.layout, b.states, -1)) c (layout, states, amount)
     where (a.layout, a.states) is distinct from (b.layout, b.states);
    -- This fires for its own work too, and for statements that change nothing.
    if exists (select from rows_after a join rows_before b on b.host_id = a.host_id and b.kind = a.kind
                where a.completed_at <> b.completed_at) then
        perform compliance_stand(array(select distinct host_id from rows_after));
    end if;
    return null;
end
$$;

select compliance_stand(array(select distinct host_id from compliance_latest));

create trigger compliance_latest_came after insert on compliance_latest
    referencing new table as changed for each statement execute function compliance_tally('1');
create trigger compliance_latest_went after delete on compliance_latest
    referencing old table as changed for each statement execute function compliance_tally('-1');
create trigger compliance_latest_moved after update on compliance_latest
    referencing old table as rows_before new table as rows_after
    for each statement execute function compliance_retally();
