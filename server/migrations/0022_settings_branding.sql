-- The pictures that an operator put in the place of ours.
create table branding_pictures (
    kind         text        primary key check (kind in ('dark', 'light', 'favicon')),
    file_name    text        not null default '',
    content_type text        not null,
    content      bytea       not null,
    digest       text        not null,
    width        integer     not null,
    height       integer     not null,
    updated_at   timestamptz not null,
    updated_by   text        not null default ''
);
