-- Which real runs had a package in their hands, for the package's page.
create index patch_runs_packages on patch_runs using gin (packages_affected jsonb_path_ops) where not dry_run;

-- The execution run of a validation, and the other way round.
create index patch_runs_validation on patch_runs (validation_run_id) where validation_run_id is not null;
