-- Tokens of programs: they enrol hosts, read the inventory, or feed a dashboard card; metadata.integration_type tells
-- which. The secret is stored as bcrypt; the verifier, where there is one, answers for it at once and says no as cheaply
-- as yes. Tokens taken over from elsewhere get theirs at their first use.
create table integration_tokens (
    id                    uuid        primary key default gen_random_uuid(),
    token_name            text        not null,
    token_key             text        not null unique,
    token_secret          text        not null,
    secret_verifier       text,
    metadata              jsonb       not null default '{}',
    scopes                jsonb,
    is_active             boolean     not null default true,
    allowed_ip_ranges     text[]      not null default '{}',
    max_hosts_per_day     int         not null default 100 check (max_hosts_per_day between 1 and 1000),
    hosts_created_today   int         not null default 0,
    -- The day, in the server's zone, that hosts_created_today counts.
    counted_on            date,
    default_host_group_id uuid        references host_groups (uuid) on delete set null,
    created_by_user_id    uuid        references users (id) on delete set null,
    expires_at            timestamptz,
    last_used_at          timestamptz,
    created_at            timestamptz not null,
    updated_at            timestamptz not null
);

create index integration_tokens_created on integration_tokens (created_at desc);
create index integration_tokens_group on integration_tokens (default_host_group_id);
create index integration_tokens_creator on integration_tokens (created_by_user_id);
