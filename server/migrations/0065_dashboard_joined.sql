-- Which hosts joined last; no check-in changes this column, so their updates stay in their page.

create index hosts_created_at on hosts (created_at desc, id desc);
