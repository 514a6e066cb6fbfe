"""What people choose for themselves."""

from server.core.db import Database, Tx
from server.identity.models import Preferences


async def find_preferences(db: Database | Tx, user_id: str) -> Preferences | None:
    """Return what a person chose."""
    return await db.one("select theme, landing from users where id = %(user_id)s", Preferences, user_id=user_id)


async def update_preferences(tx: Tx, user_id: str, chosen: Preferences) -> None:
    """Keep what a person chose."""
    await tx.execute(
        "update users set theme = %(theme)s, landing = %(landing)s where id = %(user_id)s",
        user_id=user_id,
        theme=chosen.theme,
        landing=chosen.landing,
    )
