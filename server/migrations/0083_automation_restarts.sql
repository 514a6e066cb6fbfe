-- Room automation: when a job's host began to restart, and when it was back; one that does not come back is given up.

alter table job_hosts
    add column rebooting_at timestamptz,
    add column returned_at  timestamptz;
