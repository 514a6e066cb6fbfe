-- Room patching: whether a run restarted its host, and the jobs that put its earlier versions back (first dry, then real).

alter table patch_runs
    add column restarted_at     timestamptz,
    add column rollback_dry_job uuid,
    add column rollback_job     uuid;
