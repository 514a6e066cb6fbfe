-- People and roles that see and change only the hosts of some groups. Limited and no group: no host at all, so that
-- nobody sees more because a group was removed.
alter table users
    add column limited_to_groups boolean not null default false;

alter table role_permissions
    add column limited_to_groups boolean not null default false;

create table user_host_groups (
    user_id    uuid not null references users (id) on delete cascade,
    group_uuid uuid not null references host_groups (uuid) on delete cascade,
    primary key (user_id, group_uuid)
);

create index user_host_groups_group on user_host_groups (group_uuid);

create table role_host_groups (
    role       text not null references role_permissions (role) on delete cascade,
    group_uuid uuid not null references host_groups (uuid) on delete cascade,
    primary key (role, group_uuid)
);

create index role_host_groups_group on role_host_groups (group_uuid);
