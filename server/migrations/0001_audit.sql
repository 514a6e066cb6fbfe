-- Who did what, to what, from where. Rows are only ever added here; retention deletes by age.
create table audit_log (
    id           bigint      generated always as identity primary key,
    at           timestamptz not null,
    actor_kind   text        not null,
    actor_id     text        not null default '',
    actor_name   text        not null default '',
    via          text        not null default '',
    address      text        not null default '',
    action       text        not null,
    subject_kind text        not null default '',
    subject_id   text        not null default '',
    subject_name text        not null default '',
    detail       jsonb       not null default '{}',
    request_id   text        not null default ''
);

create index audit_log_at on audit_log (at desc, id desc);
create index audit_log_subject on audit_log (subject_kind, subject_id, id desc);
create index audit_log_actor on audit_log (actor_kind, actor_id, id desc);
