"""Statements that forget: months of events, old jobs, and what no job needs any more."""

from datetime import date, datetime

from server.core.db import Database


async def drop_partition(db: Database, oldest_kept: date) -> str | None:
    """Drop the oldest month of events that lies wholly before a day; return its name, ``None`` when there is none.

    Raises ``DatabaseError`` when somebody uses the events for longer than it is worth waiting.
    """
    dropped: str | None = await db.value("select automation_drop_partition(%(oldest_kept)s)", oldest_kept=oldest_kept)
    return dropped


async def delete_stray_events(db: Database, oldest_kept: date, most: int) -> int:
    """Delete old events that no month was made for, a handful; those of jobs under way stay."""
    return await db.execute(
        """
        delete from job_events_default
         where ctid = any(array(
               select e.ctid from job_events_default e
                where e.job_date < %(oldest_kept)s
                  and not exists (select from jobs j where j.id = e.job_id and j.finished_at is null)
                limit %(most)s))
        """,
        oldest_kept=oldest_kept,
        most=most,
    )


async def delete_jobs(db: Database, created_before: datetime, most: int) -> int:
    """Delete old jobs that are over, a handful, with what is left of their events; return how many."""
    gone: int = await db.value(
        """
        with gone as (
            delete from jobs
             where id = any(array(
                   select id from jobs
                    where created_at < %(created_before)s and finished_at < %(created_before)s
                    order by created_at
                    limit %(most)s))
            returning id, job_date
        ), silenced as (
            delete from job_events e using gone where e.job_id = gone.id and e.job_date = gone.job_date
        )
        select count(*) from gone
        """,
        created_before=created_before,
        most=most,
    )
    return gone


async def delete_orphaned_projects(db: Database) -> int:
    """Remove archives that neither a playbook nor a job needs, a day after they were last published."""
    return await db.execute(
        """
        delete from projects p
         where p.created_at < now() - interval '1 day'
           and not exists (select from playbooks b where b.project_digest = p.digest)
           and not exists (select from jobs j where j.project_digest = p.digest)
        """
    )


async def delete_orphaned_blobs(db: Database) -> int:
    """Remove files that no job host named within a day of their arrival."""
    return await db.execute(
        """
        delete from result_blobs b
         where b.created_at < now() - interval '1 day'
           and not exists (select from job_results r where r.digest = b.digest)
        """
    )
