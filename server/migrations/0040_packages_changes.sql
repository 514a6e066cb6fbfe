-- What changed on each host and when: with what is installed now it tells what was installed at any moment of the kept time.

create table host_package_changes (
    host_id      int         not null,
    at           timestamptz not null,
    package_id   int         not null,
    -- What was installed before and after, empty when it was not.
    from_version text        not null,
    to_version   text        not null,
    was_security boolean     not null default false,
    primary key (host_id, at, package_id)
);

create index host_package_changes_package on host_package_changes (package_id, at desc);
create index host_package_changes_at on host_package_changes using brin (at);

-- Since when something newer waits; empty when nothing does.
alter table host_packages add column outdated_since timestamptz;
update host_packages set outdated_since = last_checked where needs_update;

create or replace function forget_host_packages() returns trigger language plpgsql as $$
begin
    delete from host_packages where host_id = old.id;
    delete from host_package_changes where host_id = old.id;
    return null;
end
$$;
