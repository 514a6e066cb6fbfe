"""Statements about credentials; what they hold is sealed before it comes here."""

from typing import Final, cast

from server.core.call import Call
from server.core.db import Queries, Tx
from server.library.models import Credential, NewCredential

_CREDENTIAL: Final = """
    select c.id, c.name, c.kind, c.description, c.names, c.sealed, c.shared, c.created_by, c.created_at, c.updated_at,
           array(select u.subject_kind || ':' || u.subject from library_credential_users u
                  where u.credential_id = c.id order by 1) as users
      from library_credentials c
"""


async def list_credentials(db: Queries) -> list[Credential]:
    """Return every credential by name."""
    return await db.all(_CREDENTIAL + """ order by lower(c.name)""", Credential)


async def find_credentials(db: Queries, ids: tuple[str, ...]) -> list[Credential]:
    """Return these credentials, as far as they exist."""
    return await db.all(_CREDENTIAL + """ where c.id = any(%(ids)s::uuid[])""", Credential, ids=list(ids))


async def insert_credential(tx: Tx, call: Call, wanted: NewCredential, names: list[str], sealed: str) -> str | None:
    """Keep a credential and return its id; nothing when the name is taken."""
    return cast(
        "str | None",
        await tx.value(
            """
            insert into library_credentials (name, kind, description, names, sealed, shared, created_by, created_at,
                                             updated_at)
            values (%(name)s, %(kind)s, %(description)s, %(names)s, %(sealed)s, %(shared)s, %(by)s, %(now)s, %(now)s)
                on conflict do nothing
            returning id
            """,
            name=wanted.name,
            kind=wanted.kind,
            description=wanted.description,
            names=names,
            sealed=sealed,
            shared=wanted.shared,
            by=call.actor.name or call.actor.id,
            now=call.now,
        ),
    )


async def update_credential(
    tx: Tx, call: Call, credential_id: str, wanted: NewCredential, names: list[str], sealed: str
) -> bool:
    """Change a credential; False when another one has the name."""
    return bool(
        await tx.value(
            """
            update library_credentials c
               set name = %(name)s, description = %(description)s, names = %(names)s, sealed = %(sealed)s,
                   shared = %(shared)s, updated_at = %(now)s
             where id = %(id)s
               and not exists (select from library_credentials o
                                where o.id <> c.id and lower(o.name) = lower(%(name)s))
            returning true
            """,
            id=credential_id,
            name=wanted.name,
            description=wanted.description,
            names=names,
            sealed=sealed,
            shared=wanted.shared,
            now=call.now,
        )
    )


async def replace_users(tx: Tx, credential_id: str, users: tuple[str, ...]) -> None:
    """Keep who may use it; each is its kind, a colon and who."""
    await tx.execute("""delete from library_credential_users where credential_id = %(id)s""", id=credential_id)
    await tx.execute(
        """
        insert into library_credential_users (credential_id, subject_kind, subject)
        select %(id)s, split_part(u, ':', 1), substr(u, strpos(u, ':') + 1)
          from unnest(%(users)s::text[]) u
            on conflict do nothing
        """,
        id=credential_id,
        users=list(users),
    )


async def delete_credential(tx: Tx, credential_id: str) -> None:
    """Forget a credential; playbooks and projects that name it go on without it."""
    await tx.execute(
        """
        with unnamed as (
            update library_playbooks set credential_ids = array_remove(credential_ids, %(id)s::uuid)
             where %(id)s::uuid = any(credential_ids)
        ), unopened as (
            update library_projects set vault_ids = array_remove(vault_ids, %(id)s::uuid)
             where %(id)s::uuid = any(vault_ids)
        )
        delete from library_credentials where id = %(id)s
        """,
        id=credential_id,
    )


async def count_uses(db: Queries) -> dict[str, int]:
    """Return per credential how many projects and playbooks name it."""
    rows = await db.all(
        """
        select id, count(*) as uses
          from (select credential_id as id from library_projects where credential_id is not null
                union all select unnest(vault_ids) from library_projects
                union all select unnest(credential_ids) from library_playbooks) u
         group by id
        """
    )
    return {row["id"]: row["uses"] for row in rows}
