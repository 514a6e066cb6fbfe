-- Who asked for a remediation by their id, so that a second person can be demanded; when it was tried; who turned it down.
alter table compliance_remedies
    add column asked_id text not null default '',
    add column checked_at timestamptz,
    add column rejected_by text not null default '';

alter table compliance_remedies drop constraint compliance_remedies_status_check;
alter table compliance_remedies add constraint compliance_remedies_status_check
    check (status in ('draft', 'checking', 'checked', 'applying', 'applied', 'failed', 'cancelled', 'rejected'));
