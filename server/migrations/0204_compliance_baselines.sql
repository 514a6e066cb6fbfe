-- The scan of a host that later ones are held against, by each scanner.

create table compliance_baselines (
    host_id int not null references hosts (id) on delete cascade,
    kind    text not null,
    scan    bigint not null references compliance_scans (id) on delete cascade,
    set_by  text not null,
    set_at  timestamptz not null,
    primary key (host_id, kind)
);

create index compliance_baselines_scan on compliance_baselines (scan);
