"""Whether people have a second factor, and since when one is demanded of them."""

from datetime import datetime
from typing import Final

from server.core.db import Database, Tx
from server.identity.models import Enrolment

#: What ``Known`` needs of a person ``u``. Who has no password is signed in by somebody who asks for the second factor.
FACTORS: Final = """
               (u.tfa_enabled or u.passkey_step or u.password_hash is null) as has_second_factor,
               u.tfa_asked_at as factor_asked_at, u.theme
""".strip()
#: The same of a session ``s``; what a provider opened is that provider's business, also where there is a password.
SESSION_FACTORS: Final = FACTORS.replace(" is null)", " is null or s.method in ('oidc', 'discord'))")


async def mark_asked(db: Database, user_id: str, now: datetime) -> datetime:
    """Note that a second factor is demanded of a person from now on; return since when it is."""
    asked_at: datetime = await db.value(
        """
        update users
           set tfa_asked_at = coalesce(tfa_asked_at, %(now)s)
         where id = %(user_id)s
        returning tfa_asked_at
        """,
        user_id=user_id,
        now=now,
    )
    return asked_at


async def forget_asked(tx: Tx, roles: list[str] | None) -> int:
    """Forget since when a second factor is demanded of all who do not have one of ``roles`` (``None``: of anybody)."""
    return await tx.execute(
        """
        update users
           set tfa_asked_at = null
         where tfa_asked_at is not null and (%(roles)s::text[] is null or role <> all(%(roles)s::text[]))
        """,
        roles=roles,
    )


async def list_enrolments(db: Database) -> list[Enrolment]:
    """Return how every account that signs in with a password stands."""
    return await db.all(
        """
        select id as user_id, role, tfa_enabled or passkey_step as has_second_factor, tfa_asked_at as asked_at
          from users
         where is_active and password_hash is not null
        """,
        Enrolment,
    )
