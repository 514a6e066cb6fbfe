-- The overview: how each person arranged it, and what the fleet looked like over time.

create table dashboard_cards (
    user_id  uuid     not null references users (id) on delete cascade,
    card     text     not null,
    enabled  boolean  not null,
    position smallint not null,
    span     smallint not null,
    primary key (user_id, card)
);

create table dashboard_layouts (
    user_id        uuid     primary key references users (id) on delete cascade,
    stats_columns  smallint not null,
    charts_columns smallint not null
);

-- One row every half hour. Packages are counted once however many hosts have them; updates once on each host.
create table system_statistics (
    at                    timestamptz primary key,
    hosts                 int not null,
    hosts_needing_updates int not null,
    packages              int not null,
    outdated_packages     int not null,
    security_packages     int not null,
    updates               int not null,
    security_updates      int not null
);

-- What went wrong lately: ends are looked for by time, and only the bad ones.
create index job_hosts_went_wrong on job_hosts (finished_at desc)
    where status in ('failed', 'timed_out', 'lost', 'unreachable');
