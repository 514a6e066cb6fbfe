-- Hosts: that they exist, their credentials and groups, what they last said about themselves, and when.

create table hosts (
    id                              int generated always as identity primary key,
    uuid                            uuid not null unique default gen_random_uuid(),
    friendly_name                   text not null,
    api_id                          text not null unique,
    api_key                         text not null,
    status                          text not null default 'pending' check (status in ('pending', 'active')),
    expected_platform               text not null default 'linux' check (expected_platform in ('linux', 'freebsd', 'windows')),
    notes                           text not null default '',

    hostname                        text not null default '',
    machine_id                      text not null default '',
    ip                              text not null default '',
    primary_interface               text,
    os_type                         text not null default '',
    os_version                      text not null default '',
    architecture                    text not null default '',
    kernel_version                  text not null default '',
    installed_kernel_version        text not null default '',
    selinux_status                  text not null default '',
    package_manager                 text not null default '',
    agent_version                   text not null default '',
    agent_hello                     jsonb,
    cpu_model                       text not null default '',
    cpu_cores                       int,
    ram_installed                   double precision,
    swap_size                       double precision,
    disk_details                    jsonb not null default '[]',
    gateway_ip                      text not null default '',
    dns_servers                     jsonb not null default '[]',
    network_interfaces              jsonb not null default '[]',
    system_uptime                   text not null default '',
    boot_time                       timestamptz,
    load_average                    jsonb not null default '[]',
    needs_reboot                    boolean not null default false,
    reboot_reason                   text not null default '',

    auto_update                     boolean not null default true,
    docker_enabled                  boolean not null default false,
    compliance_mode                 text not null default 'disabled' check (compliance_mode in ('disabled', 'on-demand', 'enabled')),
    compliance_openscap_enabled     boolean not null default true,
    compliance_docker_bench_enabled boolean not null default false,
    compliance_default_profile_id   text,
    integration_status              jsonb not null default '{}',

    packages_hash                   text not null default '',
    repos_hash                      text not null default '',
    interfaces_hash                 text not null default '',
    hostname_hash                   text not null default '',
    docker_hash                     text not null default '',
    compliance_hash                 text not null default '',
    -- What the last accepted section looked like as bytes, with what was computed from it: the same bytes need no second look.
    packages_seal                   text not null default '',
    repos_seal                      text not null default '',

    awaiting_report                 boolean not null default false,
    link_secure                     boolean not null default false,
    last_connected_at               timestamptz,
    last_disconnected_at            timestamptz,
    last_update                     timestamptz,
    last_full_report_at             timestamptz,
    created_at                      timestamptz not null default now(),
    updated_at                      timestamptz not null default now()
) with (fillfactor = 60);

-- No index on what every check-in changes: those updates stay in their page.
create index hosts_friendly_name on hosts (lower(friendly_name), id);

create table host_groups (
    id          int generated always as identity primary key,
    uuid        uuid not null unique default gen_random_uuid(),
    name        text not null,
    description text not null default '',
    color       text not null default '#3B82F6',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create unique index host_groups_name on host_groups (lower(name));

create table host_group_members (
    host_id       int not null references hosts (id) on delete cascade,
    host_group_id int not null references host_groups (id) on delete restrict,
    primary key (host_id, host_group_id)
);

create index host_group_members_group on host_group_members (host_group_id);

-- No foreign key on purpose: a check-in of a host that is being deleted must not wait for it.
create table host_activity (
    id                 bigint generated always as identity,
    host_id            int not null,
    kind               text not null check (kind in ('ping', 'full', 'partial', 'error')),
    sections_sent      text[] not null default '{}',
    sections_unchanged text[] not null default '{}',
    payload_kb         real not null default 0,
    server_ms          int not null default 0,
    agent_ms           int not null default 0,
    packages           int,
    updates            int,
    security_updates   int,
    error              text not null default '',
    at                 timestamptz not null,
    primary key (host_id, id)
);

create index host_activity_at on host_activity using brin (at);

create function forget_host_activity() returns trigger language plpgsql as $$
begin
    delete from host_activity where host_id = old.id;
    return null;
end
$$;

create trigger forget_activity after delete on hosts for each row execute function forget_host_activity();
