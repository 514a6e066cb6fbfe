-- Which hosts have a package is answered by the index alone, without a look at rows that lie all over the table.
create index host_packages_package_host on host_packages (package_id, host_id);
drop index host_packages_package;
