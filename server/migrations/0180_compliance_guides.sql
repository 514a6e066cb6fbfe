-- Guides and tailoring files that people uploaded. They lie here, not on a server's disk: every server hands them out,
-- and a backup of the database has them. systems: how guides for what they are for are called (debian12).
create table compliance_guides (
    id          uuid primary key default gen_random_uuid(),
    form        text not null check (form in ('datastream', 'tailoring')),
    name        text not null,
    title       text not null,
    version     text not null default '',
    benchmark   text not null default '',
    sha256      text not null unique,
    size_bytes  bigint not null,
    rules       integer not null default 0,
    systems     text[] not null,
    profiles    jsonb not null,
    made_by     text not null default '',
    made_at     timestamptz not null default now()
);

-- What they consist of, in packed pieces, so that nobody ever holds a whole one.
create table compliance_guide_pieces (
    guide_id    uuid not null references compliance_guides (id) on delete cascade,
    number      integer not null,
    content     bytea not null,
    primary key (guide_id, number)
);
alter table compliance_guide_pieces alter column content set storage external;
