"""Archives of /etc and the package database, by the playbook as an agent runs it, in a root of its own."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.ansible.conftest import PACKAGE, Lines, Play, PlayStarter, apt, needs_apt, needs_root
from tests.factories.apt_repository import AptRepository


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A small system: settings with a secret, a link, an empty folder, and a package database."""
    root = tmp_path / "system"
    (root / "etc/ssh").mkdir(parents=True)
    (root / "etc/empty").mkdir()
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "etc/motd").write_text("welcome\n", encoding="utf-8")
    key = root / "etc/ssh/key"
    key.write_text("secret\n", encoding="utf-8")
    key.chmod(0o600)
    (root / "etc/link").symlink_to("ssh/key")
    (root / "var/lib/dpkg/status").write_text("Package: a\n", encoding="utf-8")
    os.mkfifo(root / "etc/pipe")
    return root


def variables(root: Path, **more: object) -> str:
    folder = str(root.parent / "snapshots")
    wanted = {"root": str(root), "folder": folder, "lock_timeout_seconds": 1, **more}
    return yaml.safe_dump({f"snapshot_{name}": value for name, value in wanted.items()})


def archives(root: Path) -> list[Path]:
    return sorted((root.parent / "snapshots").iterdir())


def tree(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below a folder: mode, owner, and content or target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        text = str(path.readlink()) if path.is_symlink() else path.read_text(encoding="utf-8") if path.is_file() else ""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_uid, text)
    return found


def test_a_snapshot_is_complete_and_only_root_can_read_it(play: PlayStarter, system: Path) -> None:
    run = play("snapshot", variables=variables(system))

    assert run.code == 0, run.output
    (archive,) = archives(system)
    assert run.last["archive"] == str(archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.parent.stat().st_mode & 0o777 == 0o700
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == [
            *("etc", "etc/empty", "etc/link", "etc/motd", "etc/ssh", "etc/ssh/key"),
            *("var/lib/dpkg", "var/lib/dpkg/status"),
        ]
    assert "secret" not in run.output


def test_a_dry_run_writes_nothing(play: PlayStarter, system: Path) -> None:
    run = play("snapshot", "--check", variables=variables(system))

    assert run.code == 0, run.output
    assert run.last["changed"]
    assert run.last["files"] >= 4
    assert not (system.parent / "snapshots").exists()


def test_what_was_changed_deleted_and_replaced_comes_back_and_new_files_stay(play: PlayStarter, system: Path) -> None:
    (system / "etc/pipe").unlink()
    play("snapshot", variables=variables(system))
    before = tree(system)
    victim = system.parent / "victim"
    victim.write_text("not yours\n", encoding="utf-8")
    (system / "etc/motd").unlink()
    (system / "etc/motd").symlink_to(victim)
    (system / "etc/ssh/key").write_text("broken\n", encoding="utf-8")
    (system / "etc/ssh/key").chmod(0o644)
    (system / "etc/link").unlink()
    (system / "etc/empty").rmdir()
    (system / "var/lib/dpkg/status").write_text("Package: b\n", encoding="utf-8")
    damaged = tree(system)

    dry = play("snapshot", "--check", variables=variables(system, action="restore"))
    assert sorted(dry.last["restored"]) == ["/etc/empty", "/etc/link", "/etc/motd", "/etc/ssh/key"]
    assert tree(system) == damaged
    (system / "etc/new").write_text("new\n", encoding="utf-8")
    real = play("snapshot", variables=variables(system, action="restore"))

    assert real.code == 0, real.output
    assert real.last["restored_count"] == 4
    assert victim.read_text(encoding="utf-8") == "not yours\n"
    after = tree(system)
    assert after.pop("etc/new")
    assert after.pop("var/lib/dpkg/status")[2] == "Package: b\n", "only what was asked for"
    del before["var/lib/dpkg/status"]
    assert after == before
    both = play("snapshot", variables=variables(system, action="restore", part="all"))
    assert both.last["restored"] == ["/var/lib/dpkg/status"]


def test_only_so_many_are_kept_and_other_files_are_left_alone(play: PlayStarter, system: Path) -> None:
    folder = system.parent / "snapshots"
    folder.mkdir(mode=0o700)
    for name in ("snapshot-20250101T000000Z.tar.gz", "snapshot-20250201T000000Z.tar.gz", "notes.txt"):
        (folder / name).touch()

    run = play("snapshot", variables=variables(system, keep=2))

    assert [Path(path).name for path in run.last["removed"]] == ["snapshot-20250101T000000Z.tar.gz"]
    assert [path.name for path in archives(system)] == [
        "notes.txt",
        "snapshot-20250201T000000Z.tar.gz",
        Path(run.last["archive"]).name,
    ]


def _stranger(archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("etc/../../escaped")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))


def _cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-40])


def _foreign(archive: Path) -> None:
    archive.chmod(0o666)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_stranger, "holds what no snapshot holds"),
        (_cut, "cannot be restored"),
        (_foreign, "could have been written by somebody else"),
    ],
    ids=["a path that escapes", "cut short", "writable by others"],
)
def test_an_archive_that_is_not_what_was_written_changes_nothing(
    play: PlayStarter, system: Path, spoil: object, said: str
) -> None:
    (system / "etc/pipe").unlink()
    play("snapshot", variables=variables(system))
    (system / "etc/motd").write_text("changed\n", encoding="utf-8")
    assert callable(spoil)
    spoil(archives(system)[0])
    before = tree(system)

    run = play("snapshot", variables=variables(system, action="restore"))

    assert run.code == 2
    assert said in run.last["msg"]
    assert tree(system) == before
    assert not (system.parent / "escaped").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"keep": 0}, "At least one snapshot must be kept"),
        ({"action": "restore"}, "There is no snapshot 'latest'"),
        ({"action": "restore", "archive": "../../etc/passwd"}, "There is no snapshot '../../etc/passwd'"),
    ],
)
def test_wrong_wishes_are_refused(play: PlayStarter, system: Path, more: dict[str, object], said: str) -> None:
    run = play("snapshot", variables=variables(system, **more))

    assert run.code == 2
    assert said in run.last["msg"]


@needs_root
def test_a_disk_that_is_too_small_is_said_before_anything_is_written(play: PlayStarter, system: Path) -> None:
    folder = system.parent / "snapshots"
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let a test mount a small disk")
    try:
        run: Play = play("snapshot", variables=variables(system))
        left = archives(system)
    finally:
        subprocess.run(["umount", folder], check=True)

    assert run.code == 2
    assert run.last["msg"].startswith(f"Not enough space for a snapshot in {folder}")
    assert left == []


@needs_apt
def test_a_damaged_package_database_is_mended_by_the_snapshot_before_it(root: AptRepository, play: PlayStarter) -> None:
    assert root.root is not None
    wanted = {"part": "package_database", "folder": str(root.root / "var/snapshots")}
    taken = play("snapshot", variables=variables(root.root, **wanted))
    assert taken.code == 0, taken.output
    (root.root / "var/lib/dpkg/status").write_text("Nonsense", encoding="utf-8")
    assert root.installed_version() is None

    mended = play("snapshot", variables=variables(root.root, action="restore", **wanted))

    assert mended.code == 0, mended.output
    assert root.installed_version() == "1.0"
    root.add_version("2.0")
    root.refresh()
    apt(root).upgrade("all", (), Lines(), 10)
    assert root.installed_version(PACKAGE) == "2.0"
