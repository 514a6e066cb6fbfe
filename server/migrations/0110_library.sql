-- Room library: the playbooks that operators bring, and the secrets they run with.

-- Credentials: values are sealed by the server's key and never shown again. Who may use one: everybody who may launch
-- when ``shared``, else those that library_credential_users names.
create table library_credentials (
    id          uuid primary key default gen_random_uuid(),
    name        text not null,
    kind        text not null check (kind in ('vault', 'become', 'environment', 'variables', 'git_token', 'git_key')),
    description text not null default '',
    names       text[] not null default '{}',
    sealed      text not null,
    shared      boolean not null default true,
    created_by  text not null default '',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);
create unique index library_credentials_name on library_credentials (lower(name));

create table library_credential_users (
    credential_id  uuid not null references library_credentials (id) on delete cascade,
    subject_kind   text not null check (subject_kind in ('role', 'person')),
    subject        text not null,
    primary key (credential_id, subject_kind, subject)
);

-- slug: part of the names of its playbooks, never changed. digest: the revision that can be launched, empty before the
-- first one.
create table library_projects (
    id             uuid primary key default gen_random_uuid(),
    slug           text not null unique check (slug ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    title          text not null,
    description    text not null default '',
    kind           text not null check (kind in ('own', 'git')),
    url            text not null default '',
    branch         text not null default '',
    credential_id  uuid references library_credentials (id) on delete set null,
    vault_ids      uuid[] not null default '{}',
    every_minutes  integer not null default 0,
    webhook_sealed text,
    default_level  text not null default 'edit' check (default_level in ('none', 'view', 'launch', 'edit')),
    digest         text not null default '',
    revision       text not null default '',
    synced_at      timestamptz,
    changed        integer not null default 0,
    created_by     text not null default '',
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now()
);

-- Files of projects that are written here; every change is a version that stays.
create table library_files (
    project_id  uuid not null references library_projects (id) on delete cascade,
    path        text not null,
    content     bytea not null,
    version     integer not null,
    primary key (project_id, path)
);

create table library_versions (
    id          bigint generated always as identity primary key,
    project_id  uuid not null references library_projects (id) on delete cascade,
    path        text not null,
    version     integer not null,
    content     bytea,
    why         text not null default '',
    made_by     text not null default '',
    made_at     timestamptz not null default now(),
    unique (project_id, path, version)
);

-- What was built of a project: the archive lies with automation under the same digest; here what it needs at launch.
-- vaulted: encrypted values by the name under which they travel, with the file they are in. files: whole encrypted files.
create table library_revisions (
    project_id  uuid not null references library_projects (id) on delete cascade,
    digest      text not null,
    revision    text not null default '',
    vaulted     jsonb not null default '{}',
    files       jsonb not null default '{}',
    made_at     timestamptz not null default now(),
    primary key (project_id, digest)
);

-- What was found when a project was checked last: per file, with line and column.
create table library_findings (
    project_id  uuid not null references library_projects (id) on delete cascade,
    path        text not null,
    line        integer not null default 0,
    place       integer not null default 0,
    kind        text not null check (kind in ('error', 'hint')),
    text        text not null
);
create index library_findings_project on library_findings (project_id, path);

create table library_syncs (
    id          uuid primary key default gen_random_uuid(),
    project_id  uuid not null references library_projects (id) on delete cascade,
    status      text not null check (status in ('queued', 'running', 'succeeded', 'failed')),
    cause       text not null,
    asked_by    text not null default '',
    asked_at    timestamptz not null default now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    revision    text not null default '',
    reason      text not null default '',
    log         text not null default ''
);
create index library_syncs_project on library_syncs (project_id, asked_at desc);
create unique index library_syncs_waiting on library_syncs (project_id) where status = 'queued';
create index library_syncs_open on library_syncs (status) where status in ('queued', 'running');

-- What people say about a playbook beside its text. survey: a list of fields, empty: those of the text.
create table library_playbooks (
    project_id      uuid not null references library_projects (id) on delete cascade,
    file            text not null,
    title           text not null default '',
    description     text not null default '',
    survey          jsonb not null default '[]',
    approval        boolean not null default false,
    credential_ids  uuid[] not null default '{}',
    primary key (project_id, file)
);

-- file is empty for the whole project.
create table library_grants (
    project_id    uuid not null references library_projects (id) on delete cascade,
    file          text not null default '',
    subject_kind  text not null check (subject_kind in ('role', 'person')),
    subject       text not null,
    level         text not null check (level in ('none', 'view', 'launch', 'edit')),
    primary key (project_id, file, subject_kind, subject)
);
