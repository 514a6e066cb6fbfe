-- What people call a repository; what hosts call it stays as it is, because packages are found by that.
alter table repositories add column given_name text;
