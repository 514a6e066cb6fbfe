-- How new agent files reach the fleet: some hosts first, the others once those are back.

create table agent_rollouts (
    id          bigint      generated always as identity primary key,
    file        text        not null,
    version     text        not null,
    sha256      text        not null,
    state       text        not null check (state in ('first', 'everywhere', 'stopped')),
    reason      text        not null default '',
    begun_at    timestamptz not null,
    changed_at  timestamptz not null,
    unique (file, sha256)
);

create table agent_offers (
    rollout_id bigint      not null references agent_rollouts (id) on delete cascade,
    host_id    bigint      not null references hosts (id) on delete cascade,
    offered_at timestamptz not null,
    failed_at  timestamptz,
    primary key (rollout_id, host_id)
);

create index agent_offers_host on agent_offers (host_id);

-- One row: how many of a hundred hosts are first, and for how long the others wait.
create table agent_rollout_rule (
    is_only       boolean primary key default true check (is_only),
    first_percent integer not null default 10 check (first_percent between 1 and 100),
    wait_minutes  integer not null default 60 check (wait_minutes between 0 and 10080)
);
