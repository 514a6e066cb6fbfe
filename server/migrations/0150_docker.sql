-- Containers, images, volumes and networks as hosts report them; a snapshot is the whole truth about its host.

-- One row per host that ever sent a snapshot: what its engine is, and counts, so that nobody counts rows for a card.
create table docker_hosts (
    host_id         int primary key references hosts (id) on delete cascade,
    received_at     timestamptz not null,
    changed_at      timestamptz not null,
    engine          jsonb not null default '{}',
    containers      int not null default 0,
    running         int not null default 0,
    exited          int not null default 0,
    paused          int not null default 0,
    images          int not null default 0,
    volumes         int not null default 0,
    networks        int not null default 0,
    stacks          int not null default 0
) with (fillfactor = 80);

-- An image of the same name, tag and content is one image, on however many hosts.
create table docker_images (
    id            int generated always as identity primary key,
    uuid          uuid not null unique default gen_random_uuid(),
    repository    text not null,
    tag           text not null,
    image_id      text not null,
    source        text not null,
    architecture  text not null default '',
    os            text not null default '',
    size_bytes    bigint not null default 0,
    created_at    timestamptz,
    labels        jsonb not null default '{}',
    history       jsonb not null default '[]',
    unique (repository, tag, image_id)
);

create index docker_images_order on docker_images (lower(repository), tag, id);
create index docker_images_source on docker_images (source);

-- digests: what registries call this image, as this host knows it; empty for an image that never came from one.
create table docker_host_images (
    host_id     int not null references hosts (id) on delete cascade,
    image       int not null references docker_images (id) on delete cascade,
    fingerprint bigint not null,
    digests     text[] not null default '{}',
    seen_at     timestamptz not null,
    primary key (host_id, image)
);

create index docker_host_images_image on docker_host_images (image, host_id);

create table docker_containers (
    id             bigint generated always as identity primary key,
    uuid           uuid not null unique default gen_random_uuid(),
    host_id        int not null references hosts (id) on delete cascade,
    container_id   text not null,
    image          int references docker_images (id) on delete set null,
    fingerprint    bigint not null,
    restart_count  int not null default 0,
    exit_code      int,
    created_at     timestamptz,
    started_at     timestamptz,
    -- When the status was last told, by an event or a snapshot: an older word never replaces a newer one.
    status_at      timestamptz not null,
    first_seen_at  timestamptz not null,
    name           text not null,
    status         text not null,
    state          text not null default '',
    image_name     text not null default '',
    image_tag      text not null default '',
    stack          text not null default '',
    network_mode   text not null default '',
    restart_policy text not null default '',
    command        text not null default '',
    entrypoint     text not null default '',
    -- What a search looks at, in lower case.
    words          text not null default '',
    ports          jsonb not null default '{}',
    labels         jsonb not null default '{}',
    mounts         jsonb not null default '[]',
    networks       jsonb not null default '[]',
    unique (host_id, container_id)
);

create index docker_containers_status on docker_containers (status, lower(name), id) where status <> 'removed';
create index docker_containers_name on docker_containers (lower(name), id) where status <> 'removed';
create index docker_containers_image on docker_containers (image, host_id) where status <> 'removed';
create index docker_containers_image_name on docker_containers (lower(image_name), image_tag, id) where status <> 'removed';
create index docker_containers_stack on docker_containers (lower(stack), stack, host_id, status)
    where stack <> '' and status <> 'removed';

create table docker_volumes (
    id          bigint generated always as identity primary key,
    uuid        uuid not null unique default gen_random_uuid(),
    host_id     int not null references hosts (id) on delete cascade,
    volume_id   text not null,
    fingerprint bigint not null,
    size_bytes  bigint,
    used_by     int not null default 0,
    created_at  timestamptz,
    name        text not null,
    driver      text not null default '',
    mountpoint  text not null default '',
    scope       text not null default '',
    words       text not null default '',
    labels      jsonb not null default '{}',
    options     jsonb not null default '{}',
    unique (host_id, volume_id)
);

create index docker_volumes_name on docker_volumes (lower(name), id);
create index docker_volumes_driver on docker_volumes (driver, lower(name), id);

create table docker_networks (
    id              bigint generated always as identity primary key,
    uuid            uuid not null unique default gen_random_uuid(),
    host_id         int not null references hosts (id) on delete cascade,
    network_id      text not null,
    fingerprint     bigint not null,
    used_by         int not null default 0,
    created_at      timestamptz,
    name            text not null,
    driver          text not null default '',
    scope           text not null default '',
    subnet          text not null default '',
    gateway         text not null default '',
    words           text not null default '',
    flags           jsonb not null default '{}',
    ipam            jsonb not null default '{}',
    labels          jsonb not null default '{}',
    options         jsonb not null default '{}',
    unique (host_id, network_id)
);

create index docker_networks_name on docker_networks (lower(name), id);
create index docker_networks_driver on docker_networks (driver, lower(name), id);

-- What registries said of a name and tag that hosts run; asked again at due_at. problem: why nothing is known of it.
create table docker_references (
    repository     text not null,
    tag            text not null,
    registry       text not null,
    due_at         timestamptz not null,
    checked_at     timestamptz,
    failures       int not null default 0,
    problem        text not null default '',
    digest         text not null default '',
    -- The digest and, of an index, those of what it leads to: an image with any of these is the newest.
    digests        text[] not null default '{}',
    newer_tag      text not null default '',
    primary key (repository, tag)
);

create index docker_references_due on docker_references (due_at);

-- A registry that asked us to wait, or was not there: nothing is asked of it before paused_until.
create table docker_registries (
    registry     text primary key,
    paused_until timestamptz,
    failures     int not null default 0,
    problem      text not null default '',
    asked_at     timestamptz not null
);

-- Images of which something newer exists. by: who found it. A tag or a digest says what is newer.
create table docker_updates (
    image            int primary key references docker_images (id) on delete cascade,
    found_at         timestamptz not null,
    found_by         text not null check (found_by in ('agent', 'registry')),
    current_digest   text not null default '',
    available_digest text not null default '',
    available_tag    text not null default ''
);

-- Deletions that agents were asked for: whoever waits for the answer looks here.
create table docker_deletions (
    id          uuid primary key,
    host_id     int not null references hosts (id) on delete cascade,
    kind        text not null check (kind in ('container', 'image', 'volume', 'network')),
    target      text not null,
    asked_by    text not null,
    asked_at    timestamptz not null,
    finished_at timestamptz,
    error       text not null default ''
);

create index docker_deletions_asked on docker_deletions (asked_at);
create index docker_deletions_host on docker_deletions (host_id);
