-- Room compliance: rules and their texts stored once, what each scan found as one letter per rule, and tasks of agents.

create table compliance_rules (
    id       int generated always as identity primary key,
    uuid     uuid not null unique default gen_random_uuid(),
    kind     text not null check (kind in ('openscap', 'docker-bench', 'oscap-docker')),
    ref      text not null,
    title    text not null,
    severity text not null,
    section  text not null,
    -- What a search looks at, in lower case.
    words    text not null,
    unique (kind, ref)
);

-- What benchmarks say about a rule: each content its own words, kept once however many hosts use it.
create table compliance_texts (
    id          int generated always as identity primary key,
    rule        int not null references compliance_rules (id) on delete cascade,
    fingerprint text not null,
    title       text not null,
    severity    text not null,
    section     text not null,
    description text not null,
    rationale   text not null,
    remediation text not null,
    unique (rule, fingerprint)
);

-- Which rules a scan looked at, in order; hosts with the same content share one. The letters of a scan follow it.
create table compliance_layouts (
    id       int generated always as identity primary key,
    kind     text not null,
    digest   text not null unique,
    rules    int[] not null,
    texts    int[] not null,
    made_at  timestamptz not null
);

create index compliance_layouts_rules on compliance_layouts using gin (rules);

-- states: a letter per rule of the layout: p pass, f fail, w warn, s skipped, n not applicable, e error.
-- findings: by place in the layout (from 1) what the host said about it: finding, actual, expected.
create table compliance_scans (
    id                  bigint generated always as identity primary key,
    uuid                uuid not null unique default gen_random_uuid(),
    host_id             int not null references hosts (id) on delete cascade,
    task                uuid,
    kind                text not null check (kind in ('openscap', 'docker-bench', 'oscap-docker')),
    status              text not null check (status in ('running', 'completed', 'failed', 'cancelled')),
    origin              text not null check (origin in ('manual', 'scheduled', 'agent')),
    profile_id          text not null default '',
    profile_name        text not null default '',
    error               text not null default '',
    phase               text not null default '',
    progress            int not null default 0,
    received            text not null default '',
    created_at          timestamptz not null,
    started_at          timestamptz not null,
    completed_at        timestamptz,
    cancel_asked_at     timestamptz,
    total               int not null default 0,
    passed              int not null default 0,
    failed              int not null default 0,
    warned              int not null default 0,
    skipped             int not null default 0,
    not_applicable      int not null default 0,
    errors              int not null default 0,
    score               double precision,
    remediation_applied boolean not null default false,
    remediation_count   int not null default 0,
    layout              int references compliance_layouts (id),
    states              text not null default '',
    findings            jsonb not null default '{}'
) with (fillfactor = 90);

create index compliance_scans_host on compliance_scans (host_id, started_at desc, id desc);
create index compliance_scans_started on compliance_scans (started_at desc, id desc);
create index compliance_scans_running on compliance_scans (started_at) where status = 'running';
create index compliance_scans_layout on compliance_scans (layout);
create index compliance_scans_task on compliance_scans (task) where task is not null;

-- The newest completed scan of a host by each scanner, with everything the fleet's pages add up.
create table compliance_latest (
    host_id        int not null references hosts (id) on delete cascade,
    kind           text not null,
    scan           bigint not null references compliance_scans (id) on delete cascade,
    completed_at   timestamptz not null,
    score          double precision,
    total          int not null,
    passed         int not null,
    failed         int not null,
    warned         int not null,
    skipped        int not null,
    not_applicable int not null,
    errors         int not null,
    -- Failed rules by severity: critical, high, medium, low, unknown.
    failed_by      int[] not null,
    layout         int not null references compliance_layouts (id),
    states         text not null,
    primary key (host_id, kind)
) with (fillfactor = 70);

create index compliance_latest_layout on compliance_latest (layout);
create index compliance_latest_scan on compliance_latest (scan);

-- On how many hosts each rule stands how, by their newest scans; kept by the trigger below.
create table compliance_tallies (
    rule           int primary key references compliance_rules (id) on delete cascade,
    passed         int not null default 0,
    failed         int not null default 0,
    warned         int not null default 0,
    skipped        int not null default 0,
    not_applicable int not null default 0,
    errors         int not null default 0
) with (fillfactor = 50);

create function compliance_tally() returns trigger language plpgsql as $$
begin
    insert into compliance_tallies as t (rule, passed, failed, warned, skipped, not_applicable, errors)
    select d.rule,
           coalesce(sum(d.n) filter (where d.state = 'p'), 0), coalesce(sum(d.n) filter (where d.state = 'f'), 0),
           coalesce(sum(d.n) filter (where d.state = 'w'), 0), coalesce(sum(d.n) filter (where d.state = 's'), 0),
           coalesce(sum(d.n) filter (where d.state = 'n'), 0), coalesce(sum(d.n) filter (where d.state = 'e'), 0)
      from (select c.rule, c.state, sum(c.n) as n
              from (select a.rule, substr(new.states, a.place::int, 1) as state, 1 as n
                      from compliance_layouts l cross join unnest(l.rules) with ordinality as a (rule, place)
                     where tg_op <> 'DELETE' and l.id = new.layout
                     union all
                    select a.rule, substr(old.states, a.place::int, 1), -1
                      from compliance_layouts l cross join unnest(l.rules) with ordinality as a (rule, place)
                     where tg_op <> 'INSERT' and l.id = old.layout) c
             group by c.rule, c.state
            having sum(c.n) <> 0) d
     group by d.rule
     -- In one order for everybody: two reports must not wait for each other.
     order by d.rule
        on conflict (rule) do update
       set passed = t.passed + excluded.passed, failed = t.failed + excluded.failed,
           warned = t.warned + excluded.warned, skipped = t.skipped + excluded.skipped,
           not_applicable = t.not_applicable + excluded.not_applicable, errors = t.errors + excluded.errors;
    return null;
end
$$;

create trigger compliance_latest_tally after insert or update of states, layout or delete on compliance_latest
    for each row execute function compliance_tally();

-- What agents are asked to do for compliance: scan, remediate rules, install the scanner, take new content.
create table compliance_tasks (
    id              uuid primary key default gen_random_uuid(),
    host_id         int not null references hosts (id) on delete cascade,
    kind            text not null check (kind in ('scan', 'remediate', 'install', 'upgrade')),
    status          text not null check (status in ('waiting', 'active', 'completed', 'failed', 'cancelled')),
    origin          text not null default 'manual' check (origin in ('manual', 'scheduled')),
    scanners        text[] not null default '{}',
    profile_id      text,
    remediate       boolean not null default false,
    rules           text[] not null default '{}',
    version         text not null default '',
    native          boolean not null default false,
    job             uuid,
    job_host        uuid unique,
    asked_by        text not null,
    message         text not null default '',
    progress        int not null default 0,
    created_at      timestamptz not null,
    sent_at         timestamptz,
    started_at      timestamptz,
    finished_at     timestamptz,
    cancel_asked_at timestamptz
) with (fillfactor = 80);

create unique index compliance_tasks_open on compliance_tasks (host_id, kind) where status in ('waiting', 'active');
create index compliance_tasks_host on compliance_tasks (host_id, created_at desc);

-- When a host first handed in a scan: from then on its pages have a tab for it.
alter table hosts add column compliance_reported_at timestamptz;
