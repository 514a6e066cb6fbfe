-- Automatic remediation: rules of an allow-list that fail on the hosts of a group are fixed without being asked for.

create table compliance_policies (
    id         uuid primary key default gen_random_uuid(),
    group_id   int not null references host_groups (id) on delete cascade,
    name       text not null,
    -- References of the rules that may be fixed.
    rules      text[] not null,
    -- Whether what the dry run says is applied at once, or waits for somebody.
    approval   text not null check (approval in ('wait', 'apply')),
    enabled    boolean not null,
    made_by    text not null,
    made_at    timestamptz not null,
    changed_at timestamptz not null
);

create unique index compliance_policies_name on compliance_policies (lower(name));
create index compliance_policies_group on compliance_policies (group_id) where enabled;

alter table compliance_remedies add column automatic boolean not null default false;

-- Up to which scan the policies looked at a host: each scan is looked at once.
create table compliance_policy_looks (
    host_id   int primary key references hosts (id) on delete cascade,
    scan      bigint not null,
    looked_at timestamptz not null
);
