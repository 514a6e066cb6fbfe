-- What was asked for under a key: the same order under it is answered with what it began the first time.

-- fingerprint: an HMAC of the order, which may hold secrets. answer: what the door needs to answer again.
create table repeats (
    actor       text not null,
    key         text not null,
    door        text not null,
    fingerprint text not null,
    answer      jsonb,
    created_at  timestamptz not null,
    primary key (actor, key)
);

create index repeats_created on repeats (created_at);

-- Jobs were found by their key before; the key alone does not say whether it is the same order.
drop index jobs_idempotency_key;
