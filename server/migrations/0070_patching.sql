-- Room patching: runs (one per host), and the policies that say when they begin.

create table patch_policies (
    id               uuid primary key default gen_random_uuid(),
    name             text not null,
    description      text not null default '',
    patch_delay_type text not null check (patch_delay_type in ('immediate', 'delayed', 'fixed_time')),
    delay_minutes    integer check (delay_minutes >= 1),
    fixed_time_utc   text check (fixed_time_utc ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    timezone         text,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    check (patch_delay_type <> 'delayed' or delay_minutes is not null),
    check (patch_delay_type <> 'fixed_time' or fixed_time_utc is not null)
);

create table patch_policy_assignments (
    id            uuid primary key default gen_random_uuid(),
    policy_id     uuid not null references patch_policies (id) on delete cascade,
    host_id       integer references hosts (id) on delete cascade,
    host_group_id integer references host_groups (id) on delete cascade,
    created_at    timestamptz not null default clock_timestamp(),
    check (num_nonnulls(host_id, host_group_id) = 1),
    unique (policy_id, host_id),
    unique (policy_id, host_group_id)
);

create index patch_policy_assignments_host on patch_policy_assignments (host_id) where host_id is not null;
create index patch_policy_assignments_group on patch_policy_assignments (host_group_id) where host_group_id is not null;

create table patch_policy_exclusions (
    policy_id  uuid not null references patch_policies (id) on delete cascade,
    host_id    integer not null references hosts (id) on delete cascade,
    created_at timestamptz not null default now(),
    primary key (policy_id, host_id)
);

create index patch_policy_exclusions_host on patch_policy_exclusions (host_id);

-- validation_run_id and policy_id point without a foreign key: what they name may be gone. job_host is the run's hand on
-- its host; a retried dry run gets a new one. shell_output is written once, at the end: until then the text is what the
-- job's events say.
create table patch_runs (
    id                uuid primary key default gen_random_uuid(),
    host_id           integer not null references hosts (id) on delete cascade,
    patch_type        text not null check (patch_type in ('patch_all', 'patch_package')),
    package_names     text[] not null default '{}',
    security_only     boolean not null default false,
    hold_patterns     text[] not null default '{}',
    dry_run           boolean not null default false,
    validate_only     boolean not null default false,
    status            text not null check (status in ('queued', 'pending_validation', 'validated', 'pending_approval', 'approved',
                          'scheduled', 'running', 'completed', 'dry_run_completed', 'failed', 'cancelled', 'timed_out',
                          'agent_disconnected')),
    validation_run_id uuid,
    batch_id          uuid not null,
    policy_id         uuid,
    policy_snapshot   jsonb not null,
    schedule_override text check (schedule_override = 'immediate'),
    initiated_by      text,
    approved_by       text,
    stopped_by        text,
    error_message     text not null default '',
    packages_affected jsonb not null default '[]',
    extra_deps        boolean not null default false,
    plan              jsonb,
    shell_output      text not null default '',
    executor          text not null default 'ansible',
    job_host          uuid,
    created_at        timestamptz not null,
    scheduled_at      timestamptz,
    started_at        timestamptz,
    completed_at      timestamptz,
    updated_at        timestamptz not null
) with (fillfactor = 80);

create index patch_runs_created on patch_runs (created_at desc, id);
create index patch_runs_host on patch_runs (host_id, created_at desc);
create index patch_runs_due on patch_runs (scheduled_at) where status = 'scheduled';
create index patch_runs_open on patch_runs (job_host)
    where status in ('queued', 'pending_validation', 'running', 'timed_out', 'agent_disconnected');
create index patch_runs_status on patch_runs (status, created_at desc);

-- The real run after which the host has not reported yet; its next report clears it.
alter table hosts add column awaiting_post_patch_report_run_id uuid;
