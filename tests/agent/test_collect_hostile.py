"""Reports of hosts with strange packages: other formats, broken text, far too many, broken databases."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from agent.collect import COLLECTORS, Host, beside, drivers, packages, repositories, run
from agent.collect.base import Partly, Unknown
from agent.protocol import hashes
from agent.report import compose
from tests.factories.rpm_repository import RpmRepository, missing_programs

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")
FLATPAK = r"""#!/bin/sh
# Answers as flatpak 1.14 documents it: columns with tabs between them when nobody watches.
case "$*" in
"list --system "*)
    printf 'org.gimp.GIMP/x86_64/stable\t2.10.36\tab12cd34ef56aa\tflathub\tGNU Image <Manipulation> Program\n'
    printf 'org.freedesktop.Platform/x86_64/22.08\t\t1234567890abcdef\tflathub\tFreedesktop Platform\n'
    printf 'org.freedesktop.Platform/x86_64/23.08\t23.08.4\tfedcba\tflathub\tFreedesktop Platform\n' ;;
"remote-ls --system --updates "*)
    test -z "$OFFLINE" || { echo "error: Unable to load summary: Could not resolve host" >&2; exit 1; }
    printf 'org.gimp.GIMP/x86_64/stable\t2.10.38\tffff\tflathub\tGIMP\n' ;;
"remotes --system "*)
    printf 'flathub\thttps://dl.flathub.org/repo/\tsystem\n'
    printf 'old\thttp://old.example/\tsystem,disabled\n' ;;
*) echo "not written down: $*" >&2; exit 99 ;;
esac
"""
SNAP = r"""#!/bin/sh
# Answers as snap 2.61 documents it.
case "$*" in
"list "*)
    echo 'Name     Version        Rev    Tracking         Publisher   Notes'
    echo 'core22   20240111       1122   latest/stable    canonical*  base'
    echo 'firefox  124.0-1        4033   latest/stable/-  mozilla**   -'
    echo 'firefox  123.0-1        3999   latest/stable/-  mozilla**   disabled' ;;
"refresh --list "*)
    echo 'Name     Version  Rev   Size   Publisher  Notes'
    echo 'firefox  125.0-1  4100  280MB  mozilla**  -' ;;
*) echo "not written down: $*" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flatpak and snap on the path."""
    for name, script in (("flatpak", FLATPAK), ("snap", SNAP)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.mark.usefixtures("formats")
def test_flatpaks_and_snaps_are_reported_behind_the_hosts_own_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"packages": [{"name": "firefox"}], "repositories": [{"name": "debian"}], "hostname": "h"}
    found = beside.merged({**own, **beside.collect(Host())})
    rows = {row["name"]: row for row in found["packages"]}  # type: ignore[attr-defined]
    assert list(rows) == [
        "firefox", "flatpak:org.freedesktop.Platform//22.08", "flatpak:org.freedesktop.Platform//23.08",
        "flatpak:org.gimp.GIMP", "snap:core22", "snap:firefox",
    ]  # fmt: skip
    assert rows["flatpak:org.gimp.GIMP"] == {
        "name": "flatpak:org.gimp.GIMP", "currentVersion": "2.10.36", "availableVersion": "2.10.38",
        "needsUpdate": True, "isSecurityUpdate": False, "category": "flatpak", "sourceRepository": "flathub",
        "description": "GNU Image <Manipulation> Program",
    }  # fmt: skip
    assert rows["flatpak:org.freedesktop.Platform//22.08"]["currentVersion"] == "1234567890ab"
    assert (rows["snap:firefox"]["currentVersion"], rows["snap:firefox"]["availableVersion"]) == ("124.0-1", "125.0-1")
    assert found["repositories"][1:] == [  # type: ignore[index]
        {"name": "flathub", "url": "https://dl.flathub.org/repo/", "distribution": "", "components": "",
         "repoType": "flatpak", "isEnabled": True, "isSecure": True},
        {"name": "old", "url": "http://old.example/", "distribution": "", "components": "", "repoType": "flatpak",
         "isEnabled": False, "isSecure": False},
        {"name": "snapcraft", "url": "https://api.snapcraft.io", "distribution": "", "components": "",
         "repoType": "snap", "isEnabled": True, "isSecure": True},
    ]  # fmt: skip
    # Without the network they are still listed, and the note says what is not known.
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(Partly, match="Could not resolve host") as partly:
        beside.collect(Host())
    assert [row["needsUpdate"] for row in partly.value.fields["packagesBeside"]] == [  # type: ignore[attr-defined]
        False, False, False, False, True,
    ]  # fmt: skip
    outcome = run([one for one in COLLECTORS if one.name == "beside"], Host())
    assert (outcome.fatal, len(outcome.fields["packagesBeside"])) == ((), 5)  # type: ignore[arg-type]


def dpkg_root(folder: Path, entries: bytes) -> Host:
    """A root whose package database holds these entries."""
    for name in ("var/lib/dpkg/updates", "var/lib/apt/lists/partial", "etc/apt", "var/cache/apt/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "var/lib/dpkg/status").write_bytes(entries)
    return Host(folder)


def entry(name: bytes, description: bytes = b"plain") -> bytes:
    return (
        b"Package: %s\nStatus: install ok installed\nMaintainer: x <x@example.com>\nArchitecture: all\n"
        b"Version: 1.0\nDescription: %s\n\n" % (name, description)
    )


@needs_apt
def test_broken_and_hostile_text_is_reported_clean(tmp_path: Path) -> None:
    hostile = (
        b"caf\xe9 \xff\xfe <script>alert(1)</script> $(reboot) \xe2\x80\xa8 \x1b[31m {{ 7 * 7 }} '; drop table hosts;--"
    )
    host = dpkg_root(tmp_path, entry(b"a-package", hostile) + entry(b"z-package"))
    found = packages.collect(host)["packages"]
    assert [row["name"] for row in found] == ["a-package", "z-package"]  # type: ignore[attr-defined]
    told = found[0]["description"]  # type: ignore[index]
    assert told.startswith("caf\ufffd \ufffd\ufffd <script>alert(1)</script> $(reboot)")
    # What is hashed is what the other side reads.
    sent = json.loads(json.dumps(found).encode())
    assert hashes.packages_hash(sent) == hashes.packages_hash(found)  # type: ignore[arg-type]


@needs_apt
def test_a_hundred_thousand_packages_are_reported_as_far_as_a_report_goes(tmp_path: Path) -> None:
    host = dpkg_root(tmp_path, b"".join(entry(b"p%06d" % number) for number in range(100_000)))
    began = time.monotonic()
    with pytest.raises(Partly, match="100000 packages are installed, 10000 are reported") as partly:
        packages.collect(host)
    assert time.monotonic() - began < 60
    found = partly.value.fields["packages"]
    assert len(found) == 10_000  # type: ignore[arg-type]
    assert (partly.value.fields["packageManager"], found[0]["name"]) == ("apt", "p000000")  # type: ignore[index]


def test_what_waits_is_reported_first_where_not_everything_can_be() -> None:
    rows = [
        {"name": f"p{number:05}", "needsUpdate": number in {7, 10_500}, "isSecurityUpdate": number == 10_900}
        for number in range(11_000)
    ]
    kept = packages.most_wanted(rows)
    assert len(kept) == 10_000
    assert {"p00007", "p10500", "p10900"} <= {row["name"] for row in kept}
    assert kept == sorted(kept, key=lambda row: row["name"])
    both = beside.merged({"packages": rows[:9_999], "packagesBeside": [{**rows[10_900], "name": "snap:a"}, rows[0]]})
    assert len(both["packages"]) == 10_000  # type: ignore[arg-type]
    assert "snap:a" in {row["name"] for row in both["packages"]}  # type: ignore[attr-defined]


@pytest.mark.skipif(bool(missing_programs("dnf")), reason="not installed: dnf")
def test_a_corrupt_database_of_rpm_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = RpmRepository(tmp_path)
    shelf.add_version("1.0")
    shelf.install("1.0")
    for file in (shelf.root / "root/.rpmdb").iterdir():
        if file.is_file():
            file.write_bytes(b"not a database at all" * 400)
    monkeypatch.setattr(packages, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(drivers, "manager", lambda host: drivers.drivers().by_name("dnf", str(host.root)))
    with pytest.raises(Unknown, match="rpm"):
        packages.collect(Host(shelf.root))


@needs_apt
def test_a_database_that_is_gone_or_cut_off_is_no_empty_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_PAUSE_SECONDS", 0.01)
    whole = entry(b"a-package") + entry(b"b-package")
    host = dpkg_root(tmp_path, whole[:-60] + b"\nPackage")
    outcome = run([one for one in COLLECTORS if one.name in {"packages", "repositories"}], host)
    assert [note.collector for note in outcome.fatal] == ["packages"]
    assert outcome.fields["repositories"] == []
    with pytest.raises(Unknown):
        repositories.collect(Host(tmp_path / "nowhere"))


def test_a_report_of_this_machine_is_whole_json() -> None:
    report = compose()
    assert json.loads(json.dumps(report.fields))["packages"] == report.packages
    assert "packagesBeside" not in report.fields
