-- Room webhooks: signed messages to programs about what happens to jobs, patch runs, campaigns and workflows.

-- tells_since: states that were reached after it are told. failing_since: no delivery succeeded since then.
create table webhooks (
    id             uuid primary key default gen_random_uuid(),
    name           text not null,
    url            text not null,
    secret_sealed  text not null,
    events         text[] not null,
    enabled        boolean not null default true,
    note           text not null default '',
    failing_since  timestamptz,
    tells_since   timestamptz not null,
    created_by     text not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null
);

create unique index webhooks_name on webhooks (lower(name));

-- One message to one webhook. What it is about and the event name it once: a state is told once, however often it is
-- looked at; what a person sends again is a row of its own.
create table webhook_deliveries (
    id             uuid primary key default gen_random_uuid(),
    webhook_id     uuid not null references webhooks (id) on delete cascade,
    event          text not null,
    subject        text not null,
    payload        jsonb not null,
    repeat_of      uuid,
    state          text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts       integer not null default 0,
    next_at        timestamptz,
    status         integer,
    error          text not null default '',
    took_ms        integer,
    created_at     timestamptz not null,
    finished_at    timestamptz
) with (fillfactor = 80);

create unique index webhook_deliveries_once on webhook_deliveries (webhook_id, event, subject) where repeat_of is null;
create index webhook_deliveries_due on webhook_deliveries (next_at) where state = 'pending';
create index webhook_deliveries_of on webhook_deliveries (webhook_id, created_at desc, id);

-- What ended lately is looked for by when it did.
create index jobs_finished_at on jobs (finished_at) where finished_at is not null;
