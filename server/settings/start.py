"""What pages stored for variables that are read once: laid under the environment before anything is opened."""

from typing import Final

from server.core.db import Database
from server.core.env import BadEnvironment, Env
from server.core.env import with_stored as laid_under
from server.core.env_values import STORABLE
from server.core.log import get_log
from server.settings import queries

log = get_log(__name__)

_NAMES: Final = sorted(STORABLE)


async def with_stored(env: Env) -> Env:
    """Return the environment with the stored variables that count; what cannot be used any more is left out.

    Waits for the database as long as the start does; raises ``DatabaseDown``.
    """
    limits = env.database
    database = await Database.open(
        env.database_url.reveal(), size=1, tries=limits.tries, pause_seconds=limits.pause_seconds, limits=limits
    )
    try:
        stored = await queries.fetch_texts(database, _NAMES) if await queries.exists(database) else {}
    finally:
        await database.close()
    try:
        return laid_under(env, stored)
    except BadEnvironment as error:
        # A page stored it when it was fine. A server that starts is worth more than what was stored.
        log.error("stored_variables_unusable", complaints=error.complaints)  # noqa: TRY400 (nothing to trace)
        return env
