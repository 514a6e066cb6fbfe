-- How many hosts wait for their first scan is asked by every page of compliance; the table of hosts itself is wide.
create index hosts_scanning on hosts (id) where compliance_mode <> 'disabled';
