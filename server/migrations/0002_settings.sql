-- What operators decided in the pages; a setting that is not here has its default or comes from the environment.
create table settings (
    key        text        primary key,
    value      jsonb       not null,
    updated_at timestamptz not null,
    updated_by text        not null default ''
);
