-- How freshly each host is patched: checking in is not patching. Real runs only; the room patching writes it when one ends.
-- cause is last_error in the few words by which failures are grouped; both are empty once a run succeeded.

create table host_patching (
    host_id              integer primary key references hosts (id) on delete cascade,
    last_success_at      timestamptz,
    last_attempt_at      timestamptz,
    last_status          text not null default '',
    last_run             uuid,
    consecutive_failures integer not null default 0,
    last_error           text not null default '',
    cause                text not null default '',
    -- The cause that was announced, and since when the host is announced as stale; empty while neither is.
    said_failing         text not null default '',
    said_stale_at        timestamptz
) with (fillfactor = 80);

create index host_patching_success on host_patching (last_success_at);
create index host_patching_failing on host_patching (consecutive_failures desc) where consecutive_failures > 0;
-- The real runs that ended, per host in the order of their ends.
create index patch_runs_ended on patch_runs (host_id, completed_at desc)
    where not dry_run and status in ('completed', 'failed', 'timed_out', 'agent_disconnected', 'cancelled');

-- What is known before the next run ends: when each host was patched last.
insert into host_patching (host_id, last_success_at, last_attempt_at, last_status)
select r.host_id, max(r.completed_at), max(r.completed_at), 'completed'
  from patch_runs r
 where not r.dry_run and r.status = 'completed' and r.completed_at is not null
 group by r.host_id;
