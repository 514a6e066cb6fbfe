-- Room patching: how far a run goes and what surrounds it; the same as defaults of policies (null: the policy says
-- nothing), and what holds for one host whatever runs there.

alter table patch_runs
    add column allow_patterns text[] not null default '{}',
    add column full_upgrade   boolean not null default false,
    add column reboot         text not null default 'never' check (reboot in ('never', 'if_required', 'always')),
    add column snapshot       boolean not null default false,
    add column pre_playbook   text not null default '',
    add column post_playbook  text not null default '',
    add column notes          text[] not null default '{}';

alter table patch_policies
    add column security_only  boolean,
    add column hold_patterns  text[],
    add column allow_patterns text[],
    add column full_upgrade   boolean,
    add column reboot         text check (reboot in ('never', 'if_required', 'always')),
    add column snapshot       boolean,
    add column pre_playbook   text,
    add column post_playbook  text;

alter table hosts
    add column reboot_exempt       boolean not null default false,
    add column patch_hold_patterns text[] not null default '{}';
