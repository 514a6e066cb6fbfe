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
          from compliance_latest s
         where s.standing and {in_scope("s.host_id")}
        """,  # noqa: S608 (only constants are put together)
        Standing,
        groups=groups,
        good=GOOD,
        fair=FAIR,
    )
    assert found is not None
    return found
