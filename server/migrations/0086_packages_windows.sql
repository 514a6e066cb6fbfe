-- How the last attempt to install a Windows update went, and when one succeeded.
alter table host_packages add column wua_last_error text;
alter table host_packages add column wua_installed_at timestamptz;
