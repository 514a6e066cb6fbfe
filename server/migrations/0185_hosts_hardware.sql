-- What agents of this product tell of the machine beside what every agent tells: cpu_sockets, cpu_mhz, ram_used and
-- ram_free (GiB), vendor, product, serial. Absent keys are not known.
alter table hosts add column hardware jsonb not null default '{}';
