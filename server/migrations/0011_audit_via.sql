-- The name of the token through which somebody did something; the token itself may be gone when someone reads the log.
alter table audit_log add column via_name text not null default '';
create index audit_log_via on audit_log (via, at desc) where via <> '';
