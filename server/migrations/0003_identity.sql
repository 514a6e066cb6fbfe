-- The column names of "users" are a public contract: lost access is recovered by plain UPDATE statements.
create table users (
    id                    uuid        primary key default gen_random_uuid(),
    username              text        not null,
    email                 text        not null,
    first_name            text        not null default '',
    last_name             text        not null default '',
    role                  text        not null default 'user',
    is_active             boolean     not null default true,
    password_hash         text,
    failed_login_attempts integer     not null default 0,
    last_failed_login_at  timestamptz,
    locked_until          timestamptz,
    tfa_enabled           boolean     not null default false,
    tfa_secret            text,
    tfa_backup_codes      text,
    last_login_at         timestamptz,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now()
);

create unique index users_username on users (lower(username));
create unique index users_email on users (lower(email));
create index users_admins on users (role) where role in ('superadmin', 'admin');

-- Sessions live here and not in a signed token, so that ending one takes effect at its next request.
create table user_sessions (
    id               uuid        primary key default gen_random_uuid(),
    user_id          uuid        not null references users (id) on delete cascade,
    token_verifier   text        not null,
    refresh_verifier text        not null,
    address          text        not null default '',
    user_agent       text        not null default '',
    created_at       timestamptz not null,
    last_activity_at timestamptz not null,
    expires_at       timestamptz not null
);

create unique index user_sessions_token on user_sessions (token_verifier);
create unique index user_sessions_refresh on user_sessions (refresh_verifier);
create index user_sessions_user on user_sessions (user_id);
create index user_sessions_expiry on user_sessions (expires_at);

-- Personal tokens act as their owner; what is stored cannot be turned back into the token.
create table api_tokens (
    id           uuid        primary key default gen_random_uuid(),
    user_id      uuid        not null references users (id) on delete cascade,
    name         text        not null,
    verifier     text        not null,
    prefix       text        not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

create unique index api_tokens_verifier on api_tokens (verifier);
create index api_tokens_user on api_tokens (user_id);

-- superadmin, admin and user are fixed in the code whatever is written here.
create table role_permissions (
    role        text        primary key,
    permissions text[]      not null default '{}',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

insert into role_permissions (role, permissions)
values ('superadmin', '{can_view_dashboard,can_view_hosts,can_view_packages,can_view_reports,can_view_notification_logs,can_manage_hosts,can_manage_packages,can_manage_docker,can_manage_patching,can_manage_compliance,can_manage_alerts,can_manage_automation,can_use_remote_access,can_view_users,can_manage_users,can_manage_superusers,can_manage_settings,can_manage_notifications,can_export_data,can_manage_billing}'),
       ('admin', '{can_view_dashboard,can_view_hosts,can_view_packages,can_view_reports,can_view_notification_logs,can_manage_hosts,can_manage_packages,can_manage_docker,can_manage_patching,can_manage_compliance,can_manage_alerts,can_manage_automation,can_use_remote_access,can_view_users,can_manage_users,can_manage_settings,can_manage_notifications,can_export_data,can_manage_billing}'),
       ('host_manager', '{can_view_dashboard,can_view_hosts,can_view_packages,can_view_reports,can_view_notification_logs,can_manage_hosts,can_manage_packages,can_manage_docker,can_manage_patching,can_manage_compliance,can_manage_alerts,can_manage_automation,can_use_remote_access}'),
       ('user', '{can_view_dashboard,can_view_hosts,can_view_packages,can_view_reports,can_view_notification_logs,can_export_data}'),
       ('readonly', '{can_view_dashboard,can_view_hosts,can_view_packages,can_view_reports,can_view_notification_logs}');

-- Links that let the first administrator in; emptied when there is one.
create table setup_links (
    verifier   text        primary key,
    created_at timestamptz not null
);
