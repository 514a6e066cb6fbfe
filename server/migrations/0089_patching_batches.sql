-- What was triggered or approved together is shown together.

create index if not exists patch_runs_batch on patch_runs (batch_id);
