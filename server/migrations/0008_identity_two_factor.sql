-- The second step of signing in. "tfa_enabled", "tfa_secret" and "tfa_backup_codes" stay the ones that recovery by hand
-- sets; the secret is sealed, the codes are a JSON list of bcrypt hashes.
alter table users
    add column tfa_last_step       bigint  not null default 0,
    add column tfa_failed_attempts integer not null default 0,
    add column tfa_locked_until    timestamptz;

-- Proof that the first step succeeded; good for one code.
create table sign_in_tickets (
    verifier   text        primary key,
    user_id    uuid        not null references users (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

create index sign_in_tickets_user on sign_in_tickets (user_id);

-- Browsers that are not asked for a code; what is stored cannot be turned back into their cookie.
create table trusted_devices (
    id           uuid        primary key default gen_random_uuid(),
    user_id      uuid        not null references users (id) on delete cascade,
    verifier     text        not null,
    user_agent   text        not null default '',
    address      text        not null default '',
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    expires_at   timestamptz not null
);

create unique index trusted_devices_verifier on trusted_devices (verifier);
create index trusted_devices_user on trusted_devices (user_id, created_at);
