from dataclasses import replace
from pathlib import Path

import pytest

from server.core.env import BadEnvironment, from_file, read
from server.core.secretbox import BadSeal, Secret, SecretBox
from server.settings.service import complaints


def test_every_complaint_comes_at_once() -> None:
    with pytest.raises(BadEnvironment) as caught:
        read({"PORT": "x", "LOG_LEVEL": "loud", "JSON_BODY_LIMIT": "many", "REDIS_HOST": "r"})
    text = str(caught.value)
    assert all(name in text for name in ("PORT", "LOG_LEVEL", "JSON_BODY_LIMIT", "DATABASE_URL", "JWT_SECRET"))
    assert "PORT: must be a whole number" in text


def test_nothing_given_means_embedded() -> None:
    assert read({}).embedded


def test_a_redis_url_is_put_together() -> None:
    env = read({
        "DATABASE_URL": "postgresql://x", "REDIS_HOST": "r", "REDIS_PASSWORD": "p", "REDIS_PORT": "1", "REDIS_DB": "2",
        "JWT_SECRET": "j", "SESSION_SECRET": "s",
    })  # fmt: skip
    assert env.redis_url.reveal() == "redis://:p@r:1/2"
    assert env.master_key.reveal() == "s"


@pytest.mark.proves("ENV-14")
@pytest.mark.parametrize(
    ("text", "size"), [("5mb", 5 * 1024**2), ("8k", 8192), ("512KB", 512 * 1024), ("100b", 100), ("5", 5 * 1024**2)]
)
def test_sizes(text: str, size: int) -> None:
    assert read({"JSON_BODY_LIMIT": text}).body_limit_bytes == size


FILE = """
# A comment
PORT=3055 # where to listen
export HOST = 127.0.0.1
EMPTY=
HASH=a#b
JWT_SECRET='p$a ${PORT} #x'   # kept as it is
GREETING="say \\"hi\\" # there"
DB="postgresql://u:${GREETING}@db"
this is no variable
"""


@pytest.mark.proves("ENV-06")
def test_a_file_is_read_as_shells_and_containers_do() -> None:
    assert from_file(FILE, {"GREETING": "outer"}) == {
        "PORT": "3055",
        "HOST": "127.0.0.1",
        "EMPTY": "",
        "HASH": "a#b",
        "JWT_SECRET": "p$a ${PORT} #x",
        "GREETING": 'say "hi" # there',
        "DB": "postgresql://u:outer@db",
    }


@pytest.mark.proves("ENV-04", "ENV-130", "ENV-25")
def test_the_named_file_counts_below_the_process(tmp_path: Path) -> None:
    file = tmp_path / "custom.env"
    file.write_text("PORT=3055\nHOST=10.0.0.1\nLOG_LEVEL=warn\n", encoding="utf-8")
    env = read({"ENV_FILE": str(file), "HOST": "127.0.0.1", "LOG_LEVEL": ""})
    assert (env.port, env.host, env.log_level) == (3055, "127.0.0.1", "warn")
    assert env.given.reveal()["PORT"] == "3055"


@pytest.mark.proves("ENV-05")
def test_a_missing_file_is_no_error() -> None:
    assert read({"ENV_FILE": "/nonexistent", "PORT": "3056"}).port == 3056


@pytest.mark.proves("ENV-08")
@pytest.mark.parametrize("level", ["verbose", "INFO", "warning", "trace"])
def test_other_levels_stop_the_start(level: str) -> None:
    with pytest.raises(BadEnvironment, match="LOG_LEVEL"):
        read({"LOG_LEVEL": level})


@pytest.mark.proves("ENV-189")
@pytest.mark.parametrize("level", ["debug", "info", "warn", "error"])
def test_the_four_levels(level: str) -> None:
    assert read({"LOG_LEVEL": level}).log_level == level


@pytest.mark.proves("ENV-10")
def test_empty_means_not_set() -> None:
    empty = dict.fromkeys(("PORT", "LOG_LEVEL", "JSON_BODY_LIMIT", "ENABLE_HSTS", "TRUST_PROXY", "REDIS_HOST"), "")
    assert replace(read(empty), given=Secret({})) == replace(read({}), given=Secret({}))


@pytest.mark.proves("ENV-29")
@pytest.mark.parametrize(("given", "fine"), [("true", True), ("10.0.0.0/8,fd00::/8", True), ("proxy.local", False)])
def test_whom_to_trust_is_checked_at_the_start(given: str, fine: bool) -> None:
    if fine:
        assert read({"TRUST_PROXY": given}).trust_proxy == given
    else:
        with pytest.raises(BadEnvironment, match="TRUST_PROXY"):
            read({"TRUST_PROXY": given})


LEFTOVERS = {
    "NODE_ENV": "production", "CORS_ORIGINS": "https://patch.example", "SERVER_PROTOCOL": "https",
    "SERVER_HOST": "patch.example", "SERVER_PORT": "443", "TFA_SUSPICIOUS_ACTIVITY_THRESHOLD": "3",
    "PM_LOG_TO_CONSOLE": "false", "PM_LOG_REQUESTS_IN_DEV": "false", "PRISMA_LOG_QUERIES": "false",
    "VITE_API_URL": "/api/v1", "VITE_APP_NAME": "PatchMon", "BACKEND_HOST": "backend", "BACKEND_PORT": "3001",
    "ENABLE_LOGGING": "true", "DEFAULT_USER_ROLE": "viewer", "NODE_EXTRA_CA_CERTS": "/x", "SECRET_ENCRYPTION_KEY": "k",
}  # fmt: skip


@pytest.mark.proves("ENV-175", "ENV-176")
def test_what_older_files_carry_stops_no_start() -> None:
    assert read(LEFTOVERS, also=complaints).embedded


def test_complaints_of_others_come_at_the_same_time() -> None:
    with pytest.raises(BadEnvironment) as caught:
        read({"PORT": "x", "RATE_LIMIT_MAX": "many"}, also=complaints)
    assert [text.split(":")[1] for text in caught.value.complaints] == [" PORT", " RATE_LIMIT_MAX"]


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
