-- Which agent is at a task is known by who carries its job, and by when an existing agent was told.
alter table compliance_tasks drop column native;
