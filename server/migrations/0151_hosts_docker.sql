-- When a host first reported a working Docker: from then on its page has a tab for it.
alter table hosts add column docker_reported_at timestamptz;
