-- Tags of hosts (a key has one value on a host), and whether the last thing a host sent was refused.

create table host_tags (
    host_id int  not null references hosts (id) on delete cascade,
    key     text not null,
    value   text not null default '',
    primary key (host_id, key)
);

create index host_tags_key on host_tags (key, value);

-- A good report takes it back; check-ins without news say nothing about it.
alter table hosts add column report_failed boolean not null default false;
