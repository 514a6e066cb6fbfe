-- Who asks is proved by a signed token that names the session; the session itself stays this row, so that ending one
-- takes effect at its next request. Of the tokens that renew a session only the newest generation is good.
delete from user_sessions;

alter table user_sessions
    drop column token_verifier,
    drop column refresh_verifier,
    add column method             text        not null default 'local',
    add column sealed_id_token    text,
    add column refresh_generation integer     not null default 0,
    add column refreshed_at       timestamptz;

-- A personal token holds its owner's permissions, or those of them that it names.
alter table api_tokens
    add column scopes            text[],
    add column last_used_address text not null default '';
