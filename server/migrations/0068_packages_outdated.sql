-- What waits for updates is a small part of all that is installed: questions about it alone read this index and no table.

create index host_packages_outdated on host_packages (package_id, host_id) include (is_security_update) where needs_update;
