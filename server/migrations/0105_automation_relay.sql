-- Jobs whose plays run on a worker: when that worker was last known to live.
alter table job_hosts add column relay_seen_at timestamptz;
create index job_hosts_relayed on job_hosts (host_id) where executor = 'relayed' and status in ('queued', 'dispatched', 'running');
