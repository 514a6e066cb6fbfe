"""Nothing secret stays in the audit log, whatever its type is and however deep it lies."""

from server.audit import service as audit
from server.core.call import Call
from server.core.redaction import MASK

DETAIL = {
    "api_key": 12345,
    "password": True,
    "client_secret": {"from": "a", "to": "b"},
    "changes": [{"token": 0}, {"name": "x", "Authorization": ["a"]}],
    "note": "connect to redis://:hunter2@host failed",
    "token_id": 7,
    "password_min_length": 12,
}


async def test_secrets_of_every_kind_are_masked_before_they_are_stored(call: Call) -> None:
    async with call.transaction() as tx:
        await audit.record(tx, call, "tests.masked", detail=DETAIL)
    assert await call.db.value("select detail from audit_log where action = 'tests.masked'") == {
        "api_key": MASK,
        "password": MASK,
        "client_secret": MASK,
        "changes": [{"token": MASK}, {"name": "x", "Authorization": MASK}],
        "note": "connect to redis://:***@host failed",
        "token_id": 7,
        "password_min_length": 12,
    }
