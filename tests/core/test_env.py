import pytest

from server.core.env import BadEnvironment, read
from server.core.secretbox import BadSeal, Secret, SecretBox


def test_every_complaint_comes_at_once() -> None:
    with pytest.raises(BadEnvironment) as caught:
        read({"PORT": "x", "LOG_LEVEL": "loud", "JSON_BODY_LIMIT": "many", "DATABASE_URL": "postgresql://x"})
    text = str(caught.value)
    assert all(name in text for name in ("PORT", "LOG_LEVEL", "JSON_BODY_LIMIT", "REDIS_HOST", "JWT_SECRET"))


def test_nothing_given_means_embedded() -> None:
    assert read({}).embedded


def test_a_redis_url_is_put_together() -> None:
    env = read({
        "DATABASE_URL": "postgresql://x", "REDIS_HOST": "r", "REDIS_PASSWORD": "p", "REDIS_PORT": "1", "REDIS_DB": "2",
        "JWT_SECRET": "j", "SESSION_SECRET": "s",
    })  # fmt: skip
    assert env.redis_url.reveal() == "redis://:p@r:1/2"
    assert env.master_key.reveal() == "s"


@pytest.mark.parametrize(("text", "size"), [("5mb", 5 * 1024**2), ("8k", 8192), ("100", 100)])
def test_sizes(text: str, size: int) -> None:
    assert read({"JSON_BODY_LIMIT": text}).body_limit_bytes == size


def test_secrets_do_not_print() -> None:
    env = read({"JWT_SECRET": "hunter2"})
    assert "hunter2" not in f"{env!r} {env} {Secret('hunter2')}"


def test_sealed_secrets_open_only_with_their_key() -> None:
    box = SecretBox(Secret("one"))
    sealed = box.seal("hunter2")
    assert "hunter2" not in sealed
    assert box.open(sealed) == "hunter2"
    with pytest.raises(BadSeal):
        SecretBox(Secret("two")).open(sealed)


def test_machine_keys_are_verified_without_being_stored() -> None:
    box = SecretBox(Secret("one"))
    stored = box.verifier("key")
    assert box.verifies("key", stored)
    assert not box.verifies("kex", stored)
    assert "key" not in stored
    assert not SecretBox(Secret("two")).verifies("key", stored)
