-- Packages and repositories: what is installed on each host, and what could be newer.

create table packages (
    id             int generated always as identity primary key,
    name           text not null unique,
    description    text not null default '',
    category       text not null default '',
    latest_version text not null default '',
    created_at     timestamptz not null default now()
);

create table repositories (
    id           int generated always as identity primary key,
    uuid         uuid not null unique default gen_random_uuid(),
    url          text not null,
    distribution text not null default '',
    components   text not null default '',
    name         text not null default '',
    repo_type    text not null default '',
    description  text not null default '',
    is_secure    boolean not null default false,
    created_at   timestamptz not null default now(),
    unique (url, distribution, components)
);

create table host_packages (
    host_id             int not null,
    package_id          int not null,
    needs_update        boolean not null default false,
    is_security_update  boolean not null default false,
    repository_id       int,
    wua_revision_number int,
    -- Digest of the row as reported: a report is compared by these, not column by column.
    fingerprint         bigint not null,
    last_checked        timestamptz not null,
    current_version     text not null default '',
    available_version   text not null default '',
    source_repository   text not null default '',
    wua_guid            text,
    wua_kb              text,
    wua_severity        text,
    wua_categories      jsonb,
    wua_support_url     text,
    wua_last_result     text,
    primary key (host_id, package_id)
);

create index host_packages_package on host_packages (package_id);

-- Foreign keys would look up the host once for each of its thousands of rows; the host's last step takes its rows along instead.
create function forget_host_packages() returns trigger language plpgsql as $$
begin
    delete from host_packages where host_id = old.id;
    return null;
end
$$;

create trigger forget_packages after delete on hosts for each row execute function forget_host_packages();

create table host_repositories (
    host_id       int not null references hosts (id) on delete cascade,
    repository_id int not null references repositories (id) on delete cascade,
    is_enabled    boolean not null default true,
    last_checked  timestamptz not null,
    primary key (host_id, repository_id)
);

create index host_repositories_repository on host_repositories (repository_id);

-- The counts of each host, written with its packages: lists of hosts never count rows.
create table host_inventory (
    host_id          int primary key references hosts (id) on delete cascade,
    packages         int not null default 0,
    updates          int not null default 0,
    security_updates int not null default 0,
    repositories     int not null default 0,
    updated_at       timestamptz not null
);
