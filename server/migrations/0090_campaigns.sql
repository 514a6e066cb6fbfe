-- Room campaigns: maintenance windows, and roll-outs over many hosts in waves.

-- considered_until: every occurrence up to here was started, skipped or recorded as missed; announced_until: the same
-- for what was announced ahead. Both are moved in the transaction that does it, so nothing is done twice.
create table maintenance_windows (
    id               uuid primary key default gen_random_uuid(),
    name             text not null,
    description      text not null default '',
    cron             text not null,
    timezone         text not null,
    duration_minutes integer not null check (duration_minutes between 1 and 10080),
    blackouts        jsonb not null default '[]',
    plan             jsonb not null,
    targets          jsonb not null,
    approve_first    boolean not null default false,
    notice_hours     integer not null default 0 check (notice_hours between 0 and 720),
    enabled          boolean not null default true,
    considered_until timestamptz not null,
    announced_until  timestamptz not null,
    created_by       text not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null
);

create unique index maintenance_windows_name on maintenance_windows (lower(name));

-- One roll-out. limited_to: the host groups that whoever made it was limited to, null for the whole fleet. wave is the
-- number of the wave under way, 0 before the first. rehearsal names the dry run that is repeated for real.
create table campaigns (
    id            uuid primary key default gen_random_uuid(),
    name          text not null,
    status        text not null check (status in ('draft', 'awaiting_approval', 'scheduled', 'running', 'soaking', 'checking',
                      'paused', 'stopped', 'completed', 'abandoned', 'missed', 'expired')),
    reason        text not null default '',
    plan          jsonb not null,
    targets       jsonb not null,
    limited_to    uuid[],
    dry_run       boolean not null default false,
    approve_first boolean not null default false,
    rehearsal     uuid,
    window_id     uuid references maintenance_windows (id) on delete set null,
    window_name   text not null default '',
    occurrence_at timestamptz,
    starts_at     timestamptz,
    ends_at       timestamptz,
    wave          integer not null default 0,
    created_by    text,
    approved_by   text,
    created_at    timestamptz not null,
    started_at    timestamptz,
    finished_at   timestamptz,
    updated_at    timestamptz not null,
    unique (window_id, occurrence_at)
);

create index campaigns_created on campaigns (created_at desc, id);
create index campaigns_live on campaigns (id)
    where status in ('awaiting_approval', 'scheduled', 'running', 'soaking', 'checking', 'paused', 'stopped');

-- forgiven: failures that somebody looked at before letting the campaign go on; only further ones stop it again.
create table campaign_waves (
    campaign_id  uuid not null references campaigns (id) on delete cascade,
    number       integer not null,
    started_at   timestamptz,
    finished_at  timestamptz,
    forgiven     integer not null default 0,
    check_job    uuid,
    check_status text not null default '' check (check_status in ('', 'running', 'passed', 'failed', 'overruled')),
    primary key (campaign_id, number)
);

-- A host of a campaign. run_id is the patch run that counts; those it had before are in earlier_runs. What is known of
-- the run is kept here too: runs and hosts may be deleted, the record of the campaign stays.
create table campaign_hosts (
    id              bigint generated always as identity primary key,
    campaign_id     uuid not null references campaigns (id) on delete cascade,
    host_id         integer references hosts (id) on delete set null,
    host_uuid       uuid not null,
    host_name       text not null,
    wave            integer not null,
    state           text not null default 'waiting' check (state in ('waiting', 'queued', 'running', 'succeeded', 'failed',
                        'cancelled', 'withdrawn', 'skipped')),
    reason          text not null default '',
    run_id          uuid,
    run_status      text not null default '',
    earlier_runs    uuid[] not null default '{}',
    packages        integer not null default 0,
    started_at      timestamptz,
    finished_at     timestamptz,
    unique (campaign_id, host_uuid)
) with (fillfactor = 70);

create unique index campaign_hosts_run on campaign_hosts (run_id) where run_id is not null;
create index campaign_hosts_host on campaign_hosts (host_id) where host_id is not null;
