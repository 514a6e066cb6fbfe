-- What a host's own page changes: settings that wait for its agent, and who is told when it goes down.
alter table hosts
    -- Switches that differ from what the agent has; empty when nothing waits.
    add column pending_config           jsonb,
    -- When they were sent to the agent; empty while nobody has applied them.
    add column pending_sent_at          timestamptz,
    -- When the agent last took over what was sent.
    add column config_confirmed_at      timestamptz,
    -- Empty inherits what holds for the fleet.
    add column host_down_alerts_enabled boolean;

-- Hosts of the same system, for comparing one with the others.
create index hosts_system on hosts (os_type, os_version, id);

-- When each host was started, as far as it told; the newest is the boot it runs on.
create table host_boots (
    host_id int         not null references hosts (id) on delete cascade,
    at      timestamptz not null,
    primary key (host_id, at)
);

create function note_host_boot() returns trigger language plpgsql as $$
begin
    insert into host_boots (host_id, at) values (new.id, new.boot_time) on conflict do nothing;
    return null;
end
$$;

-- Agents compute the moment from the uptime, so it wavers by seconds.
create trigger note_boot after update on hosts for each row
    when (new.boot_time is not null
          and (old.boot_time is null or abs(extract(epoch from new.boot_time - old.boot_time)) > 90))
    execute function note_host_boot();

insert into host_boots (host_id, at) select id, boot_time from hosts where boot_time is not null;
