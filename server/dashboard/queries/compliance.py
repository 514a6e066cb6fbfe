"""Reads of how the fleet stands against security benchmarks."""

from server.compliance.models import FAIR, GOOD
from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.dashboard.models import Standing


async def count_standing(db: Database, groups: Groups) -> Standing:
    """Count hosts by the score of their newest scan."""
    found = await db.one(
        f"""
        select count(*)::int as scanned, (count(*) filter (where s.score < %(good)s))::int as behind,
               (count(*) filter (where s.score < %(fair)s))::int as critical
          from (select distinct on (l.host_id) l.host_id, l.score
                  from compliance_latest l
                 where l.kind <> 'oscap-docker' and {in_scope("l.host_id")}
                 order by l.host_id, l.completed_at desc, l.kind desc) s
        """,  # noqa: S608 (only constants are put together)
        Standing,
        groups=groups,
        good=GOOD,
        fair=FAIR,
    )
    assert found is not None
    return found
