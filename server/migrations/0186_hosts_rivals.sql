-- Who was last seen to use a host's credentials beside the agent that is connected, and when: a machine that was cloned
-- with its agent. Nothing takes it back; pages look at how long ago it was.
alter table hosts add column rivals_at timestamptz, add column rivals text[] not null default '{}';
