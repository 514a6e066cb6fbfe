"""Secret values of a launch: sealed at rest, pushed apart, gone with the end, never shown."""

import orjson

from server.automation.models import Field, Playbook
from server.automation.queries import library
from server.core.call import Call
from tests.factories.automation import Api, Fleet

CANARY = "canary-7f3a91"


async def _everything(call: Call) -> str:
    """Return every row of every table as text."""
    tables = await call.db.column(
        "select quote_ident(tablename) from pg_tables where schemaname = %(schema)s", schema="public"
    )
    texts = [await call.db.value(f"select string_agg(t::text, ' ') from {table} t") for table in tables]
    return " ".join(text for text in texts if text)


async def test_a_secret_variable_reaches_the_host_and_nothing_else(api: Api, fleet: Fleet, call: Call) -> None:
    builtin = await api.ask("GET", "/playbooks")
    digest = builtin["playbooks"][0]["digest"]
    secret = Playbook(
        "vaulted", "ping.yml", "Vaulted", "", digest, (Field("vault_password", "str", secret=True),), "test"
    )
    async with call.transaction() as tx:
        await library.upsert_playbooks(tx, (secret,))
    agent = await fleet.online("web-01")
    job = await api.launch("web-01", playbook="vaulted", variables={"vault_password": CANARY, "plain": "seen"})
    assert CANARY not in orjson.dumps(job).decode()
    held = await agent.job()
    assert CANARY in held.spec["secrets"]
    assert CANARY in held.spec["secret_values"]
    assert CANARY not in held.spec["variables"]
    assert CANARY not in await _everything(call)
    assert (
        await call.db.value("select count(*) from job_hosts where secrets_sealed is not null and id > %(n)s", n=0) == 1
    )
    await agent.end(held, "failed", reason="no")
    done = await api.status(job, "failed")
    assert done["variables"] == {"plain": "seen", "vault_password": "********"}
    assert (
        await call.db.value("select count(*) from job_hosts where secrets_sealed is not null and id > %(n)s", n=0) == 0
    )
    refused = await api.ask("POST", f"/jobs/{job['id']}/relaunch", status=400)
    assert "must be given again" in refused["complaints"]["variables.vault_password"]
    again = await api.ask("POST", f"/jobs/{job['id']}/relaunch", {"variables": {"vault_password": CANARY}}, status=201)
    assert CANARY not in orjson.dumps(again).decode()
