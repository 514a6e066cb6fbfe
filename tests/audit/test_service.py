"""Who did what is kept with the deed, and never a secret."""

import pytest

from server.audit import service
from server.audit.models import Subject
from server.audit.rules import presentable
from server.core.call import Actor, Call


async def test_an_entry_says_who_did_what_to_what_from_where(call: Call) -> None:
    actor = Actor("person", "42", "ada", via="session-1", address="203.0.113.7")
    asked = call.acting_as(actor)
    async with asked.transaction() as tx:
        await service.record(tx, asked, "hosts.renamed", Subject("host", "7", "web-01"), {"to": "web-02"})
    entry = (await service.newest(call))[0]
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("person", "42", "ada")
    assert (entry.via, entry.address, entry.request_id) == ("session-1", "203.0.113.7", asked.request_id)
    assert (entry.action, entry.subject_kind, entry.subject_id, entry.subject_name) == (
        "hosts.renamed",
        "host",
        "7",
        "web-01",
    )
    assert entry.detail == {"to": "web-02"}
    assert entry.at == asked.now
    assert await service.of_subject(call, Subject("host", "7")) == [entry]
    assert await service.of_subject(call, Subject("host", "8")) == []


async def test_a_deed_that_is_rolled_back_leaves_no_entry(call: Call) -> None:
    async def fail() -> None:
        async with call.transaction() as tx:
            await service.record(tx, call, "hosts.deleted")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert await service.newest(call) == []


def test_what_sounds_secret_is_hidden_at_any_depth() -> None:
    detail = {
        "password": "x",
        "nested": {"api_key": "x", "list": [{"Authorization": "x"}]},
        "token": "",
        "token_id": "7",
        "name": "web",
    }
    assert presentable(detail) == {
        "password": "***",
        "nested": {"api_key": "***", "list": [{"Authorization": "***"}]},
        "token": "",
        "token_id": "7",
        "name": "web",
    }
