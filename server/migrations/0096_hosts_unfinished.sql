-- Packages that an interrupted run of the package manager left half installed or not configured.
alter table hosts add column unfinished_packages text[] not null default '{}';
