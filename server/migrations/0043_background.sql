-- Background work: what runs by the clock and how it went last, and the runs of the last days.

create table task_schedule (
    name          text        primary key,
    began_at      timestamptz not null,
    ended_at      timestamptz,
    duration_ms   int         not null default 0,
    error         text        not null default '',
    runs          bigint      not null default 0,
    failures      bigint      not null default 0,
    failing_since timestamptz
);

create table task_runs (
    id         uuid        primary key,
    name       text        not null,
    args       jsonb       not null default '[]',
    cause      text        not null check (cause in ('schedule', 'event', 'person')),
    asked_by   text        not null default '',
    state      text        not null check (state in ('waiting', 'running', 'done', 'failed')),
    attempt    int         not null default 1,
    asked_at   timestamptz not null,
    began_at   timestamptz,
    ended_at   timestamptz,
    error      text        not null default '',
    request_id text        not null default ''
);

create index task_runs_asked_at on task_runs (asked_at desc, id desc);
create index task_runs_open on task_runs (state, began_at) where state in ('waiting', 'running');
create index task_runs_failed on task_runs (asked_at desc) where state = 'failed';
