-- Runs that existing agents carry out by commands of their own: when they were last heard of, and the whole text that
-- came with their last word; it takes the place of what they had printed until then.
create table patch_native (
    job_host uuid primary key,
    run_id   uuid not null references patch_runs (id) on delete cascade,
    sent_at  timestamptz not null,
    heard_at timestamptz not null,
    output   text
) with (fillfactor = 80);

create index patch_native_run on patch_native (run_id);
