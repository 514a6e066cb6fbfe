"""The patch playbook against this machine's own apt, with a tiny package that only this test knows."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.ansible.conftest import PACKAGE, PlayStarter, Watcher, needs_apt, needs_root
from tests.factories.apt_repository import AptRepository

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("machine"), needs_apt, needs_root]

ONLY_TINY = f"patch_scope: packages\npatch_packages: [{PACKAGE}]\npatch_refresh_cache: false\n"


def fingerprint() -> str:
    """Everything that a dry run must leave alone: dpkg's database and apt's lists, names, sizes and times."""
    digest = hashlib.sha256(Path("/var/lib/dpkg/status").read_bytes())
    for path in sorted(Path("/var/lib/apt/lists").rglob("*")):
        if path.name != "lock":
            facts = path.stat()
            digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()


@pytest.mark.proves("PATCH-60")
def test_check_mode_says_what_would_change_and_changes_nothing(machine: AptRepository, play: PlayStarter) -> None:
    machine.add_version("1.0", package=f"{PACKAGE}-part")
    machine.add_version("2.0", depends=f"{PACKAGE}-part")
    machine.refresh()
    before = fingerprint()

    run = play("patch", "--check", variables=ONLY_TINY)

    assert run.code == 0, run.output
    assert run.last["changed"]
    changes = {change["name"]: change for change in run.result("package_update")["changes"]}
    assert changes[PACKAGE] == {
        "name": PACKAGE,
        "from": "1.0",
        "to": "2.0",
        "repository": f"file:{machine.folder} tiny/main",
        "security": False,
        "action": "upgrade",
        "requested": True,
    }
    assert changes[f"{PACKAGE}-part"]["action"] == "install"
    assert changes[f"{PACKAGE}-part"]["requested"] is False
    assert machine.installed_version() == "1.0"
    assert fingerprint() == before


def test_check_mode_with_refresh_sees_what_the_lists_of_the_host_do_not_know_yet(
    machine: AptRepository, play: PlayStarter
) -> None:
    machine.add_version("2.0")
    before = fingerprint()

    run = play("patch", "--check", variables=ONLY_TINY.replace("cache: false", "cache: true"))

    assert run.code == 0, run.output
    result = run.result("package_update")
    assert result["refreshed"], result["notes"]
    assert [change["to"] for change in result["changes"]] == ["2.0"]
    assert fingerprint() == before


def test_lines_arrive_while_the_package_is_still_being_configured(
    machine: AptRepository, start: PlayStarter, watcher: Watcher
) -> None:
    go = machine.folder / "go"
    wait = f"echo step one; for i in $(seq 600); do [ -e {go} ] && break; sleep 0.1; done; echo step two"
    machine.add_version("2.0", postinst=wait)
    machine.refresh()

    run = start("patch", variables=ONLY_TINY)
    watcher.wait_for("step one")

    assert run.running
    assert machine.installed_version() is None, "unpacked, not yet installed"
    assert not any("step two" in line for line in watcher.lines)
    assert f"$ apt-get -y --only-upgrade install {PACKAGE}" in watcher.lines
    go.touch()
    run.finish()
    assert run.code == 0, run.output
    assert watcher.wait_for("step two", 5)
    assert any(line.startswith(f"Setting up {PACKAGE} (2.0)") for line in watcher.lines)
    assert machine.installed_version() == "2.0"


@pytest.mark.proves("PATCH-81")
def test_the_result_is_what_the_database_says(machine: AptRepository, play: PlayStarter) -> None:
    machine.add_version("2.0", security=True)
    machine.refresh()

    run = play("patch", variables=ONLY_TINY)

    assert run.code == 0, run.output
    result = run.result("package_update")
    assert result["manager"] == "apt"
    assert result["check"] is False
    assert [(change["name"], change["from"], change["to"], change["security"]) for change in result["changes"]] == [
        (PACKAGE, "1.0", "2.0", True)
    ]
    assert f"Unpacking {PACKAGE} (2.0) over (1.0)" in result["log_tail"]
    assert isinstance(result["reboot_required"], bool)
    assert run.last["changes"] == result["changes"]
    assert machine.installed_version() == "2.0"

    again = subprocess.run(["dpkg", "--audit"], capture_output=True, text=True, check=True)
    assert PACKAGE not in again.stdout


def test_a_failing_package_script_fails_the_task_and_tells_what_was_done(
    machine: AptRepository, play: PlayStarter
) -> None:
    machine.add_version("2.0", postinst="echo no disk in the drive; exit 3")
    machine.refresh()

    run = play("patch", variables=ONLY_TINY)

    assert run.code == 2
    assert "apt-get failed" in run.last["msg"]
    assert "no disk in the drive" in run.last["log_tail"]
    assert [(change["from"], change["to"]) for change in run.last["changes"]] == [("1.0", "2.0")]
    assert run.result("package_update")["error"] == run.last["msg"]
