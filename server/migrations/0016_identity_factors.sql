-- What people choose for themselves; empty means that they never chose.
alter table users
    add column theme   text not null default '',
    add column landing text not null default '',
    -- Whether a passkey is asked for after the password where there is no authenticator.
    add column passkey_step boolean not null default false,
    -- Since when a second factor is demanded of this person; null while it is not.
    add column tfa_asked_at timestamptz;

-- What the first administrator has entered so far, sealed; gone with the link.
alter table setup_links add column draft text;

-- Keys that sign in without a password, or after it. Only their public half is here.
create table passkeys (
    id            uuid        primary key default gen_random_uuid(),
    user_id       uuid        not null references users (id) on delete cascade,
    credential_id text        not null,
    public_key    text        not null,
    sign_count    bigint      not null default 0,
    rp_id         text        not null,
    name          text        not null,
    transports    text[]      not null default '{}',
    is_synced     boolean     not null default false,
    created_at    timestamptz not null,
    last_used_at  timestamptz
);

create unique index passkeys_credential on passkeys (credential_id);
create index passkeys_user on passkeys (user_id, created_at);
