-- What people keep of lists: views under a name, and how a list opens for them.

create table list_views (
    id         uuid        primary key default gen_random_uuid(),
    user_id    uuid        not null references users (id) on delete cascade,
    path       text        not null,
    query      text        not null,
    name       text        not null,
    shared     boolean     not null default false,
    created_at timestamptz not null
);

create unique index list_views_name on list_views (user_id, path, lower(name));
create index list_views_shared on list_views (path) where shared;

create table list_choices (
    user_id uuid   not null references users (id) on delete cascade,
    list    text   not null,
    columns text[] not null,
    query   text   not null default '',
    primary key (user_id, list)
);
