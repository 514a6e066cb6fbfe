-- Whose word an address is. One that its owner typed may be somebody else's: whoever comes with it from another service
-- is not given the account that waits there.
alter table users add column email_by text not null default 'administrator'
    check (email_by in ('administrator', 'provider', 'owner'));

-- Accounts that people made themselves, as far as the audit log still knows. The first administrator's is not one.
update users set email_by = 'owner'
 where role not in ('superadmin', 'admin')
   and exists (select from audit_log
                where subject_kind = 'user' and subject_id = users.id::text and action = 'identity.user_created'
                  and actor_kind = 'nobody' and detail -> 'method' is null);
