"""Statements about webhooks: what is to be told, what was."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from server.core.db import Database, Queries, Tx, as_json
from server.webhooks.models import Due, Outcome, Row, Webhook

_ROW: Final = """
    select w.id, w.name, w.url, w.secret_sealed, w.events, w.enabled, w.note, w.failing_since, w.created_by,
           w.created_at, w.updated_at,
           l.state as last_state, l.status as last_status, l.error as last_error, l.event as last_event,
           l.created_at as last_at
      from webhooks w
      left join lateral (select d.state, d.status, d.error, d.event, d.created_at
                           from webhook_deliveries d
                          where d.webhook_id = w.id
                          order by d.created_at desc, d.id
                          limit 1) l on true
"""

# Every state that jobs, runs, campaigns, workflows, scans and remediations are in by now, or ended in since a moment,
# as events. What is open is looked at each time, which is little; what is over, only if that is not long ago. What was
# told has a row, so it does not matter how often they are looked at.
_STATES: Final = """
    select 'job' as kind, j.uuid::text as subject, 'job.' || s.word as event, s.at,
           jsonb_build_object(
               'id', j.uuid, 'title', j.title, 'playbook', j.playbook, 'check', j.check_mode, 'status', s.word,
               'launched_by', j.launched_by, 'created_at', j.created_at, 'finished_at', j.finished_at,
               'hosts', h.counts) as about
      from jobs j
     cross join lateral (
           select coalesce(jsonb_object_agg(m.status, m.number), '{}') as counts, min(m.started_at) as started_at,
                  coalesce(sum(m.number) filter (where m.status in ('failed', 'timed_out', 'lost', 'unreachable')), 0)
                      as bad,
                  coalesce(sum(m.number) filter (where m.status = 'cancelled'), 0) as cancelled
             from (select status, count(*) as number, min(started_at) as started_at
                     from job_hosts where job_id = j.id group by status) m) h
     cross join lateral (
           select 'queued' as word, j.created_at as at
            union all
           select 'running', h.started_at where h.started_at is not null
            union all
           select case when h.bad > 0 then 'failed' when h.cancelled > 0 then 'cancelled' else 'succeeded' end,
                  j.finished_at
            where j.finished_at is not null) s
     where j.finished_at is null or j.finished_at > %(since)s
    union all
    select 'patch_run', r.id::text, 'patch_run.' || s.word, s.at,
           jsonb_build_object(
               'id', r.id, 'host', t.uuid, 'host_name', t.friendly_name, 'patch_type', r.patch_type,
               'dry_run', r.dry_run, 'status', r.status, 'error', left(r.error_message, 300),
               'packages', jsonb_array_length(r.packages_affected), 'initiated_by', r.initiated_by,
               'created_at', r.created_at, 'started_at', r.started_at, 'completed_at', r.completed_at)
      from patch_runs r
      join hosts t on t.id = r.host_id
     cross join lateral (
           select 'running' as word, r.started_at as at where r.started_at is not null
            union all
           select case when r.status in ('completed', 'dry_run_completed', 'validated') then 'completed'
                       when r.status = 'cancelled' then 'cancelled' else 'failed' end, r.updated_at
            where r.status in ('completed', 'dry_run_completed', 'validated', 'cancelled', 'failed', 'timed_out',
                               'agent_disconnected')) s
     where r.updated_at > %(since)s
    union all
    select 'campaign', c.id::text, 'campaign.' || s.word, s.at,
           jsonb_build_object(
               'id', c.id, 'name', c.name, 'status', c.status, 'reason', c.reason, 'dry_run', c.dry_run, 'wave', c.wave,
               'created_at', c.created_at, 'started_at', c.started_at, 'finished_at', c.finished_at)
      from campaigns c
     cross join lateral (
           select 'started' as word, c.started_at as at where c.started_at is not null
            union all
           select c.status, c.updated_at where c.status in ('stopped', 'completed', 'abandoned')) s
     where c.updated_at > %(since)s
    union all
    select 'workflow', f.id::text, 'workflow.' || s.word, s.at,
           jsonb_build_object(
               'id', f.id, 'name', f.name, 'status', f.status, 'reason', f.reason, 'started_by', f.starter ->> 'name',
               'created_at', f.created_at, 'finished_at', f.finished_at)
      from workflow_runs f
     cross join lateral (
           select 'started' as word, f.created_at as at
            union all
           select f.status, f.finished_at where f.finished_at is not null) s
     where f.finished_at is null or f.finished_at > %(since)s
    union all
    select 'compliance_scan', c.uuid::text, 'compliance_scan.' || c.status, c.completed_at,
           jsonb_build_object(
               'id', c.uuid, 'host', t.uuid, 'host_name', t.friendly_name, 'profile_type', c.kind,
               'profile_name', c.profile_name, 'status', c.status, 'error', left(c.error, 300), 'score', c.score,
               'passed', c.passed, 'failed', c.failed, 'total', c.total, 'completed_at', c.completed_at)
      from compliance_scans c
      join hosts t on t.id = c.host_id
     where c.status in ('completed', 'failed') and c.started_at > %(since)s - interval '1 day'
       and c.completed_at > %(since)s
       -- A fleet has thousands of them a day: nobody looks while nobody wants to hear.
       and exists (select from webhooks w
                    where w.enabled and w.events && array['compliance_scan.completed', 'compliance_scan.failed'])
    union all
    select 'remediation', m.id || ':' || coalesce(m.apply_job, m.check_job), 'remediation.' || s.word, s.at,
           jsonb_build_object(
               'id', m.id, 'host', t.uuid, 'host_name', t.friendly_name, 'status', m.status, 'reason', m.reason,
               'automatic', m.automatic, 'rules', jsonb_array_length(m.rules), 'asked_by', m.asked_by,
               'approved_by', m.approved_by, 'finished_at', m.finished_at)
      from compliance_remedies m
      join hosts t on t.id = m.host_id
     cross join lateral (
           select 'waiting' as word, m.checked_at as at where m.status = 'checked'
            union all
           select m.status, coalesce(m.finished_at, m.checked_at)
            where m.status in ('applied', 'failed', 'rejected')) s
     where coalesce(m.finished_at, m.checked_at) > %(since)s and coalesce(m.apply_job, m.check_job) is not null
"""

_COLLECT: Final = f"""
    insert into webhook_deliveries (webhook_id, event, subject, payload, next_at, created_at)
    select w.id, s.event, s.subject, jsonb_build_object('event', s.event, 'at', s.at, s.kind, s.about), %(now)s, %(now)s
      from webhooks w
      join ({_STATES}) s on s.event = any(w.events) and s.at > w.tells_since
     where w.enabled
     order by s.at
        on conflict (webhook_id, event, subject) where repeat_of is null do nothing
"""  # noqa: S608 (only constants are put together)


async def list_webhooks(db: Queries) -> list[Row]:
    """Return every webhook with its last delivery, by name."""
    return await db.all(_ROW + " order by lower(w.name), w.id")


async def find_webhook(db: Queries, webhook: str) -> Row | None:
    """Return one webhook."""
    return await db.one(_ROW + " where w.id = %(webhook)s", webhook=webhook)


async def insert_webhook(tx: Tx, wanted: Webhook, sealed: str, by: str, now: datetime) -> str | None:
    """Add a webhook that tells what happens from now on; nothing when its name is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into webhooks (name, url, secret_sealed, events, enabled, tells_since, created_by, created_at,
                                  updated_at)
            values (%(name)s, %(url)s, %(sealed)s, %(events)s, %(enabled)s, %(now)s, %(by)s, %(now)s, %(now)s)
                on conflict (lower(name)) do nothing
            returning id
            """,
            name=wanted.name.strip(),
            url=wanted.url,
            sealed=sealed,
            events=list(wanted.events),
            enabled=wanted.enabled,
            by=by,
            now=now,
        ),
    )


async def update_webhook(tx: Tx, webhook: str, wanted: Webhook, sealed: str, now: datetime) -> None:
    """Change a webhook; one that is switched on again tells what happens from then on."""
    await tx.execute(
        """
        update webhooks
           set name = %(name)s, url = %(url)s, secret_sealed = %(sealed)s, events = %(events)s, enabled = %(enabled)s,
               tells_since = case when %(enabled)s and not enabled then %(now)s else tells_since end,
               failing_since = case when %(enabled)s and not enabled then null else failing_since end,
               note = case when %(enabled)s then '' else note end, updated_at = %(now)s
         where id = %(webhook)s
        """,
        webhook=webhook,
        name=wanted.name.strip(),
        url=wanted.url,
        sealed=sealed,
        events=list(wanted.events),
        enabled=wanted.enabled,
        now=now,
    )


async def is_name_taken(tx: Tx, name: str, but: str) -> bool:
    """Tell whether another webhook has this name."""
    return bool(
        await tx.value(
            "select exists (select from webhooks where lower(name) = lower(%(name)s) and id <> %(but)s)",
            name=name.strip(),
            but=but,
        )
    )


async def delete_webhook(tx: Tx, webhook: str) -> str | None:
    """Remove a webhook with its deliveries and return its name."""
    found = await tx.value("delete from webhooks where id = %(webhook)s returning name", webhook=webhook)
    return cast("str | None", found)


async def collect(tx: Tx, since: datetime, now: datetime) -> int:
    """Write a delivery for every state that a webhook wants to hear of and has not; return how many."""
    return await tx.execute(_COLLECT, since=since, now=now)


async def find_last_look(db: Queries) -> tuple[bool, datetime | None]:
    """Return whether anybody wants to hear anything, and when was looked for all of them last."""
    row = await db.one(
        """
        select count(*) > 0 as any, case when bool_and(w.looked_at is not null) then min(w.looked_at) end as looked_at
          from webhooks w
         where w.enabled
        """
    )
    assert row is not None
    return row["any"], row["looked_at"]


async def mark_looked(tx: Tx, now: datetime, stale_before: datetime) -> None:
    """Write that was looked for what is to be told, unless that was written just before."""
    await tx.execute(
        """
        update webhooks set looked_at = %(now)s
         where enabled and (looked_at is null or looked_at < %(stale)s)
        """,
        now=now,
        stale=stale_before,
    )


async def insert_delivery(
    tx: Tx, webhook: str, event: str, subject: str, payload: object, now: datetime, repeat_of: str
) -> str:
    """Write a delivery that a person asked for and return its id."""
    return str(
        await tx.value(
            """
            insert into webhook_deliveries (webhook_id, event, subject, payload, repeat_of, next_at, created_at)
            values (%(webhook)s, %(event)s, %(subject)s, %(payload)s::jsonb, %(repeat_of)s, %(now)s, %(now)s)
            returning id
            """,
            webhook=webhook,
            event=event,
            subject=subject,
            payload=as_json(payload),
            repeat_of=repeat_of,
            now=now,
        )
    )


async def claim_due(db: Database, now: datetime, again_at: datetime, most: int) -> list[Due]:
    """Take deliveries that are due, each for one process; whoever dies with one leaves it to be due again."""
    return await db.all(
        """
        with due as (
            select d.id
              from webhook_deliveries d
              join webhooks w on w.id = d.webhook_id
             where d.state = 'pending' and d.next_at <= %(now)s and w.enabled
             order by d.next_at
             limit %(most)s
               for update of d skip locked)
        update webhook_deliveries d
           set attempts = d.attempts + 1, next_at = %(again_at)s
          from due, webhooks w
         where d.id = due.id and w.id = d.webhook_id
        returning d.id, d.webhook_id, w.url, w.secret_sealed, d.event, d.payload, d.attempts
        """,
        Due,
        now=now,
        again_at=again_at,
        most=most,
    )


async def settle(tx: Tx, due: Due, outcome: Outcome, state: str, next_at: datetime | None, now: datetime) -> None:
    """Write how an attempt went."""
    await tx.execute(
        """
        update webhook_deliveries
           set state = %(state)s, status = %(status)s, error = %(error)s, took_ms = %(took_ms)s, next_at = %(next_at)s,
               finished_at = case when %(state)s = 'pending' then null else %(now)s end
         where id = %(id)s
        """,
        id=due.id,
        state=state,
        status=outcome.status,
        error=outcome.error,
        took_ms=outcome.took_ms,
        next_at=next_at,
        now=now,
    )


async def mark(tx: Tx, webhook: str, now: datetime, *, arrived: bool) -> datetime | None:
    """Write whether messages arrive, and return since when they do not."""
    return cast(
        "datetime | None",
        await tx.value(
            """
            update webhooks
               set failing_since = case when %(arrived)s then null else coalesce(failing_since, %(now)s) end
             where id = %(webhook)s
            returning failing_since
            """,
            webhook=webhook,
            arrived=arrived,
            now=now,
        ),
    )


async def switch_off(tx: Tx, webhook: str, note: str, now: datetime) -> str | None:
    """Send nothing more, and say why; return the name, nothing when it was off already."""
    return cast(
        "str | None",
        await tx.value(
            """
            update webhooks set enabled = false, note = %(note)s, updated_at = %(now)s
             where id = %(webhook)s and enabled
            returning name
            """,
            webhook=webhook,
            note=note,
            now=now,
        ),
    )


async def list_deliveries(db: Queries, webhook: str, limit: int, offset: int = 0) -> list[Row]:
    """Return a webhook's deliveries, newest first."""
    return await db.all(
        """
        select d.id, d.event, d.subject, d.state, d.attempts, d.next_at, d.status, d.error, d.took_ms, d.repeat_of,
               d.created_at, d.finished_at, d.payload
          from webhook_deliveries d
         where d.webhook_id = %(webhook)s
         order by d.created_at desc, d.id
         limit %(limit)s offset %(offset)s
        """,
        webhook=webhook,
        limit=limit,
        offset=offset,
    )


async def count_deliveries(db: Queries, webhook: str) -> int:
    """Return how many there are."""
    return int(
        await db.value("select count(*) from webhook_deliveries d where d.webhook_id = %(webhook)s", webhook=webhook)
    )


async def find_delivery(db: Queries, webhook: str, delivery: str) -> Row | None:
    """Return one delivery of a webhook."""
    return await db.one(
        """
        select d.id, d.event, d.subject, d.payload
          from webhook_deliveries d
         where d.webhook_id = %(webhook)s and d.id = %(delivery)s
        """,
        webhook=webhook,
        delivery=delivery,
    )


async def delete_old(db: Database, before: datetime, kinds: Sequence[str] = ("delivered", "failed")) -> int:
    """Forget deliveries that were over before this moment."""
    return await db.execute(
        "delete from webhook_deliveries where finished_at < %(before)s and state = any(%(kinds)s)",
        before=before,
        kinds=list(kinds),
    )
