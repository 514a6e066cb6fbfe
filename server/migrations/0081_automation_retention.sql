-- Jobs and what happened in them are kept for a while: months of events go as whole partitions, jobs in handfuls.
alter table jobs drop constraint jobs_relaunch_of_fkey;
alter table jobs add constraint jobs_relaunch_of_fkey foreign key (relaunch_of) references jobs (id) on delete set null;
create index jobs_relaunch_of on jobs (relaunch_of) where relaunch_of is not null;
create index jobs_project on jobs (project_digest);
create index job_results_digest on job_results (digest);

-- Drop the oldest month that lies wholly before a day and belongs to no job that is still under way; return its name.
-- Dropping waits for everybody who reads or writes events, and everybody then waits for it: rather try again later.
create function automation_drop_partition(oldest_kept date) returns text language plpgsql
set lock_timeout = '2s' as $$
declare
    found text;
    month date;
begin
    for found in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'job_events'::regclass and c.relname ~ '^job_events_\d{4}_\d{2}$'
         order by c.relname
    loop
        month := to_date(right(found, 7), 'YYYY_MM');
        exit when month + interval '1 month' > oldest_kept;
        if not exists (select from jobs
                        where finished_at is null and job_date >= month and job_date < month + interval '1 month') then
            execute format('drop table %I', found);
            return found;
        end if;
    end loop;
    return null;
end
$$;
