-- Room automation: playbooks we know, jobs, what happened in them.

-- What is pushed: deterministic archives, named by their SHA-256.
create table projects (
    digest      text primary key check (digest ~ '^[0-9a-f]{64}$'),
    size        integer not null,
    content     bytea not null,
    origin      text not null,
    created_at  timestamptz not null default now()
);

create table playbooks (
    name            text primary key,
    file            text not null,
    title           text not null,
    description     text not null default '',
    project_digest  text not null references projects (digest),
    fields          jsonb not null default '[]',
    origin          text not null,
    updated_at      timestamptz not null default now()
);

-- position: the last position handed out; every event and every change of a job host gets one under this row's lock, so
-- they become visible in the order of their positions and a follower who remembers one number misses nothing.
create table jobs (
    id               integer generated always as identity primary key,
    uuid             uuid not null unique default gen_random_uuid(),
    playbook         text not null,
    playbook_file    text not null,
    title            text not null,
    project_digest   text not null references projects (digest),
    check_mode       boolean not null,
    variables        jsonb not null default '{}',
    secret_names     text[] not null default '{}',
    options          jsonb not null default '{}',
    launched_by      text not null,
    launched_by_id   text not null,
    idempotency_key  text,
    relaunch_of      integer references jobs (id),
    position         bigint not null default 0,
    job_date         date not null,
    created_at       timestamptz not null,
    deadline_at      timestamptz not null,
    finished_at      timestamptz,
    request_id       text not null default ''
) with (fillfactor = 70);

create unique index jobs_idempotency_key on jobs (launched_by_id, idempotency_key) where idempotency_key is not null;
create index jobs_created_at on jobs (created_at desc);
create index jobs_open on jobs (id) where finished_at is null;

create table job_hosts (
    id               bigint generated always as identity primary key,
    uuid             uuid not null unique default gen_random_uuid(),
    job_id           integer not null references jobs (id) on delete cascade,
    host_id          integer references hosts (id) on delete set null,
    host_name        text not null,
    status           text not null check (status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running', 'rebooting',
                         'succeeded', 'failed', 'cancelled', 'timed_out', 'lost', 'unreachable')),
    reason           text not null default '',
    executor         text not null default '',
    changing         boolean not null,
    retry_at         timestamptz,
    stop_asked_at    timestamptz,
    dispatched_at    timestamptz,
    started_at       timestamptz,
    finished_at      timestamptz,
    rc               integer,
    runner_counter   integer not null default 0,
    live_counter     integer not null default 0,
    final_runner     integer,
    final_live       integer,
    events           integer not null default 0,
    bytes            bigint not null default 0,
    counters         jsonb not null default '{}',
    secrets_sealed   text,
    position         bigint not null default 0
) with (fillfactor = 70);

create index job_hosts_job on job_hosts (job_id, position);
create index job_hosts_host on job_hosts (host_id, id desc);
create index job_hosts_open on job_hosts (host_id, id)
    where status in ('queued', 'scheduled', 'awaiting_approval', 'dispatched', 'running', 'rebooting');

-- source: 0 runner, 1 live. job_date is the job's launch date: old months are dropped as whole partitions.
create table job_events (
    job_date     date not null,
    job_host_id  bigint not null,
    source       smallint not null,
    counter      integer not null,
    job_id       integer not null,
    position     bigint not null,
    at           timestamptz not null,
    event        text not null,
    uuid         text,
    parent       text,
    play         text,
    task         text,
    task_uuid    text,
    action       text,
    role         text,
    duration     real,
    changed      boolean,
    ignored      boolean,
    stdout       text,
    message      text,
    result       jsonb,
    primary key (job_date, job_host_id, source, counter)
) partition by range (job_date);

create index job_events_position on job_events (job_id, position);
create table job_events_default partition of job_events default;

-- Months ahead of time, because a month whose rows already fell into the default partition cannot get its own any more.
create function automation_make_partitions(today date) returns void language plpgsql as $$
declare
    month date;
begin
    for ahead in 0..2 loop
        month := date_trunc('month', today) + make_interval(months => ahead);
        if to_regclass('job_events_' || to_char(month, 'YYYY_MM')) is null
           and not exists (select from job_events_default where job_date >= month and job_date < month + interval '1 month') then
            execute format('create table %I partition of job_events for values from (%L) to (%L)',
                           'job_events_' || to_char(month, 'YYYY_MM'), month, (month + interval '1 month')::date);
        end if;
    end loop;
end
$$;

select automation_make_partitions(current_date);

-- What modules found, as files named by their SHA-256.
create table result_blobs (
    digest      text primary key check (digest ~ '^[0-9a-f]{64}$'),
    size        integer not null,
    content     bytea not null,
    created_at  timestamptz not null default now()
);

create table job_results (
    job_host_id  bigint not null references job_hosts (id) on delete cascade,
    module       text not null,
    digest       text not null,
    size         integer not null,
    primary key (job_host_id, module, digest)
);
