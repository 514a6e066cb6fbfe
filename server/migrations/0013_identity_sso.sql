-- Secrets that administrators enter in the settings: sealed, and never shown again.
create table sealed_settings (
    name       text        primary key,
    sealed     text        not null,
    updated_at timestamptz not null,
    updated_by text        not null default ''
);

-- As whom other services know a person; the issuer tells apart services of one kind. A service knows nobody twice, so
-- that an address which got a new owner over there opens no account of the old one here.
create table user_identities (
    id           uuid        primary key default gen_random_uuid(),
    user_id      uuid        not null references users (id) on delete cascade,
    provider     text        not null,
    issuer       text        not null,
    subject      text        not null,
    name         text        not null default '',
    linked_at    timestamptz not null,
    last_used_at timestamptz
);

create unique index user_identities_subject on user_identities (provider, issuer, subject);
create unique index user_identities_user on user_identities (user_id, provider, issuer);

-- Pictures of people, as another service had them when they last signed in through it.
create table user_avatars (
    user_id      uuid        primary key references users (id) on delete cascade,
    provider     text        not null,
    content_type text        not null,
    digest       text        not null,
    content      bytea       not null,
    updated_at   timestamptz not null
);
