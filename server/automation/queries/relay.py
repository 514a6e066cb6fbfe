"""What the relay looks up."""

from server.automation.relay_models import RelayHost
from server.core.db import Queries
from server.core.scope import Groups, in_scope


async def list_relay_hosts(db: Queries, groups: Groups, name: str) -> list[RelayHost]:
    """Return the hosts that a UUID, a friendly name or a hostname means: the first of these that means any."""
    return await db.all(
        f"""
        with named as (
            select h.id, h.uuid, h.friendly_name as name,
                   h.agent_hello is not null as is_ours,
                   coalesce(h.agent_hello ->> 'automation', '') as automation,
                   coalesce(h.agent_hello -> 'executors' ? 'relayed', false) as relays,
                   case %(name)s when h.uuid::text then 1 when h.friendly_name then 2 else 3 end as place
              from hosts h
             where {in_scope("h.id")} and %(name)s in (h.uuid::text, h.friendly_name, h.hostname)
        )
        select id, uuid, name, is_ours, automation, relays
          from named
         where place = (select min(place) from named)
         limit 2
        """,  # noqa: S608 (only constants are put together)
        RelayHost,
        groups=groups,
        name=name,
    )
