-- The link of a set-up that goes on after its account was made, when somebody sets up a second factor on the way.
alter table setup_links add column user_id uuid references users (id) on delete cascade;

create index setup_links_user on setup_links (user_id);
