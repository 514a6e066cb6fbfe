-- The fleet's packages in numbers: lists of a large fleet's packages never count millions of rows.

create table package_counts (
    package_id int         primary key references packages (id) on delete cascade,
    installs   int         not null,
    outdated   int         not null,
    security   int         not null
);

-- The same for the packages that come from one repository.
create table package_sources (
    repository_id int not null references repositories (id) on delete cascade,
    package_id    int not null references packages (id) on delete cascade,
    installs      int not null,
    outdated      int not null,
    security      int not null,
    primary key (repository_id, package_id)
);

create index package_sources_package on package_sources (package_id);

-- When both were counted; empty while they never were.
create table package_counts_made (
    only_one boolean     primary key default true check (only_one),
    at       timestamptz not null
);

-- What people say about a repository. It is active while nobody switched it off here and a host has it enabled.
alter table repositories
    add column is_switched_off boolean not null default false,
    add column priority        int,
    add column updated_at      timestamptz not null default now();

alter table host_repositories add column priority int;
