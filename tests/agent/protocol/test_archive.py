"""Folders as deterministic zips, and zips that try to leave their folder."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from agent.protocol import archive


def test_the_same_files_give_the_same_bytes() -> None:
    one = archive.pack({"b.yml": b"2", "roles/x/tasks/main.yml": b"1"})
    other = archive.pack({"roles/x/tasks/main.yml": b"1", "b.yml": b"2"})
    assert archive.digest(one) == archive.digest(other)
    # Written down once: a change of this digest is a change of every project's name.
    assert archive.digest(one) == "8dc811fa52dc5a2f5b1d79df2828d6741c335c0e5e40f720f19820c57a9f0ab1"


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "roles" / "x").mkdir(parents=True)
    (source / "site.yml").write_bytes(b"- hosts: all\n")
    (source / "roles" / "x" / "data").write_bytes(bytes(range(256)))
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_bytes(b"no")
    files = archive.read_folder(source)
    assert sorted(files) == ["roles/x/data", "site.yml"]
    archive.unpack(archive.pack(files), tmp_path / "target")
    assert archive.read_folder(tmp_path / "target") == files
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../out", "/abs", "a/../../b", "a//b", "a\\b", "", "c:x", "a/./b"])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(archive.ArchiveError):
        archive.pack({name: b""})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as raw:
        raw.writestr(zipfile.ZipInfo(name), b"x")
    if "\\" not in name:
        with pytest.raises(archive.ArchiveError):
            archive.unpack(buffer.getvalue(), tmp_path / "target")
    assert list(tmp_path.rglob("*")) == []


def test_links_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as raw:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        raw.writestr(link, "/etc")
        raw.writestr("link/passwd", "x")
    with pytest.raises(archive.ArchiveError, match="not a plain file"):
        archive.unpack(buffer.getvalue(), tmp_path / "target")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/passwd")
    with pytest.raises(archive.ArchiveError):
        archive.read_folder(tmp_path / "folder")


def test_sizes_are_limited(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as raw:
        raw.writestr("bomb", b"\0" * 1_000_000)
    with pytest.raises(archive.ArchiveError, match="bytes unpacked"):
        archive.unpack(buffer.getvalue(), tmp_path / "target", max_bytes=1000)
    with pytest.raises(archive.ArchiveError, match="files"):
        archive.unpack(archive.pack({"a": b"", "b": b""}), tmp_path / "target", max_files=1)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("data", [b"", b"not a zip", archive.pack({"a": b"x" * 50})[:-30]])
def test_what_is_not_a_zip(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(archive.ArchiveError):
        archive.unpack(data, tmp_path / "target")


def test_twice_the_same_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as raw:
        raw.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            raw.writestr("a", "2")
    with pytest.raises(archive.ArchiveError, match="twice"):
        archive.unpack(buffer.getvalue(), tmp_path / "target")


def test_a_link_that_waits_in_the_target_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("safe")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").symlink_to(victim)
    with pytest.raises(FileExistsError):
        archive.unpack(archive.pack({"a": b"x"}), tmp_path / "target")
    assert victim.read_text() == "safe"
