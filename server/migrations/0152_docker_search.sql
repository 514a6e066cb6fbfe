-- A search looks at names, images and hosts only: a tenth of what a whole row is.
create index docker_containers_search on docker_containers (words, host_id, status, id) where status <> 'removed';
