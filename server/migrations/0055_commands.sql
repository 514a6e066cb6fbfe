-- What agents were asked to do, beside jobs: each leaves a line that says how it went.
create table agent_commands (
    id          bigint      generated always as identity primary key,
    uuid        uuid        not null unique default gen_random_uuid(),
    host_id     int         not null references hosts (id) on delete cascade,
    kind        text        not null check (kind in ('report_now', 'update_agent', 'refresh_integration_status',
                                                     'docker_inventory_refresh', 'apply_config')),
    status      text        not null default 'active' check (status in ('waiting', 'active', 'completed', 'failed')),
    asked_by    text        not null default '',
    created_at  timestamptz not null,
    sent_at     timestamptz,
    finished_at timestamptz,
    error       text        not null default ''
);

create index agent_commands_host on agent_commands (host_id, id desc);
create index agent_commands_open on agent_commands (host_id) where status in ('waiting', 'active');
