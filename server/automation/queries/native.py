"""Statements about job hosts that existing agents carry by their own commands."""

from datetime import datetime
from typing import cast

from server.core.db import Queries
from server.core.ids import HostId, JobHostId


async def list_silent(db: Queries, host_ids: list[HostId], patient_since: datetime) -> list[HostId]:
    """Return which of these connected hosts have existing agents.

    They never said hello, or said it once and not since they connected before that moment.
    """
    return cast(
        "list[HostId]",
        await db.column(
            """
            select id from hosts
             where id = any(%(host_ids)s) and (agent_hello is null or last_connected_at < %(patient_since)s)
             order by id
            """,
            host_ids=host_ids,
            patient_since=patient_since,
        ),
    )


async def list_under_way(db: Queries, host_ids: list[HostId]) -> list[JobHostId]:
    """Return what existing agents of these hosts are at."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select id from job_hosts
             where host_id = any(%(host_ids)s) and executor = 'native' and status = 'running'
             order by id
            """,
            host_ids=host_ids,
        ),
    )


async def list_forsaken(db: Queries, before: datetime) -> list[JobHostId]:
    """Return what existing agents are at whose last connection ended before this moment."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select j.id
              from job_hosts j
              join hosts h on h.id = j.host_id
             where j.executor = 'native' and j.status = 'running' and h.last_disconnected_at < %(before)s
               and j.started_at < h.last_disconnected_at
               and (h.last_connected_at is null or h.last_connected_at < h.last_disconnected_at)
             order by j.id
             limit 5000
            """,
            before=before,
        ),
    )


async def list_unsent(db: Queries, before: datetime) -> list[JobHostId]:
    """Return what was claimed for existing agents before this moment and never sent."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select id from job_hosts
             where executor = 'native' and status = 'dispatched' and dispatched_at < %(before)s
             order by id
             limit 5000
            """,
            before=before,
        ),
    )


async def list_unconfirmed(db: Queries, before: datetime) -> list[JobHostId]:
    """Return what existing agents were asked to end before this moment without a word since."""
    return cast(
        "list[JobHostId]",
        await db.column(
            """
            select id from job_hosts
             where executor = 'native' and status = 'running' and stop_asked_at < %(before)s
             order by id
             limit 5000
            """,
            before=before,
        ),
    )
