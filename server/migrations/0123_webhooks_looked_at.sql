-- When what is to be told was looked for last: only what ended since a little before then is looked at again.
alter table webhooks add column looked_at timestamptz;
