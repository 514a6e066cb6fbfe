-- Remediation by playbook: which rules of a host shall be fixed how, what a dry run said, who approved it, what came of it.

create table compliance_remedies (
    id          uuid primary key default gen_random_uuid(),
    host_id     int not null references hosts (id) on delete cascade,
    profile_id  text not null,
    guide       text not null,
    -- A line per rule: ref, title, severity, before, touches, left_out, predicted, said, after.
    rules       jsonb not null,
    playbook    text not null,
    status      text not null
                check (status in ('draft', 'checking', 'checked', 'applying', 'applied', 'failed', 'cancelled')),
    reason      text not null default '',
    check_job   uuid,
    apply_job   uuid,
    asked_by    text not null,
    asked_at    timestamptz not null,
    approved_by text not null default '',
    approved_at timestamptz,
    finished_at timestamptz
);

create index compliance_remedies_host on compliance_remedies (host_id, asked_at desc);
create index compliance_remedies_asked on compliance_remedies (asked_at desc);
create index compliance_remedies_open on compliance_remedies (status) where status in ('checking', 'applying');
