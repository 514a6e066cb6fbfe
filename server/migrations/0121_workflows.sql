-- Room workflows: playbooks in sequence, and what starts by itself.

-- secrets_sealed: secret variables by step.
create table workflows (
    id             uuid primary key default gen_random_uuid(),
    name           text not null,
    description    text not null default '',
    graph          jsonb not null,
    secrets_sealed text,
    created_by     text not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null
);

create unique index workflows_name on workflows (lower(name));

-- The graph is what the workflow was when the run began. starter: in whose name its steps are launched. limited_to: the
-- host groups that whoever started it was limited to, null for the whole fleet.
create table workflow_runs (
    id             uuid primary key default gen_random_uuid(),
    workflow_id    uuid references workflows (id) on delete set null,
    name           text not null,
    graph          jsonb not null,
    secrets_sealed text,
    status         text not null check (status in ('running', 'waiting', 'cancelling', 'succeeded', 'failed', 'cancelled')),
    reason         text not null default '',
    starter        jsonb not null,
    limited_to     uuid[],
    cause          text not null default '',
    relaunch_of    uuid,
    position       integer not null default 1,
    created_at     timestamptz not null,
    finished_at    timestamptz
);

create index workflow_runs_created on workflow_runs (created_at desc, id);
create index workflow_runs_of on workflow_runs (workflow_id, created_at desc);
create index workflow_runs_open on workflow_runs (id) where finished_at is null;

-- One step of a run. job is written in the transaction that launches it: whatever dies in between, no step runs twice.
create table workflow_nodes (
    run_id      uuid not null references workflow_runs (id) on delete cascade,
    key         text not null,
    state       text not null default 'pending' check (state in ('pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped',
                    'cancelled')),
    reason      text not null default '',
    job         uuid,
    due_at      timestamptz,
    decided_by  text,
    started_at  timestamptz,
    finished_at timestamptz,
    primary key (run_id, key)
) with (fillfactor = 80);

create index workflow_nodes_job on workflow_nodes (job) where job is not null;

-- considered_until: every time up to here was started, missed or refused; moved in the transaction that does it.
create table schedules (
    id               uuid primary key default gen_random_uuid(),
    name             text not null,
    cron             text not null,
    timezone         text not null,
    workflow_id      uuid references workflows (id) on delete cascade,
    task             jsonb not null,
    secrets_sealed   text,
    enabled          boolean not null default true,
    missed           text not null default 'once' check (missed in ('once', 'record')),
    owner_id         uuid not null,
    owner            text not null,
    considered_until timestamptz not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null
);

create unique index schedules_name on schedules (lower(name));

create table schedule_starts (
    id          bigint generated always as identity primary key,
    schedule_id uuid not null references schedules (id) on delete cascade,
    due_at      timestamptz not null,
    by_hand     boolean not null default false,
    outcome     text not null check (outcome in ('started', 'missed', 'refused')),
    reason      text not null default '',
    job         uuid,
    run_id      uuid,
    created_at  timestamptz not null
);

create unique index schedule_starts_once on schedule_starts (schedule_id, due_at) where not by_hand;
create index schedule_starts_of on schedule_starts (schedule_id, id desc);
