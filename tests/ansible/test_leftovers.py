"""What a killed run leaves behind, and what the next one does about it."""

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.leftovers import sweep

from tests.ansible.conftest import PACKAGE, Lines, apt, needs_apt
from tests.factories.apt_repository import AptRepository


def test_folders_of_killed_runs_go_and_those_in_use_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    killed, older = tmp_path / f"patchmon-dpkg-{gone.pid}-abc", tmp_path / "patchmon-dpkg-0opoqjz0"
    in_use, own = tmp_path / f"patchmon-dpkg-{gone.pid}-def", tmp_path / "patchmon-dpkg-1-abc"
    other, linked = tmp_path / "somebody", tmp_path / f"patchmon-dpkg-{gone.pid}-link"
    for folder in (killed, older, in_use, own, other):
        folder.mkdir()
        (folder / "dpkg").touch()
    linked.symlink_to(other)
    # As apt is called: the folder stands in its arguments.
    program = "import sys, time; print('here', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"Dir::Bin::dpkg={in_use}/dpkg"], stdout=subprocess.PIPE, text=True
    ) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        sweep("patchmon-dpkg-", str(tmp_path))
        busy.kill()

    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(one.name for one in (in_use, own, other, linked))
    sweep("patchmon-dpkg-", str(tmp_path))
    assert not in_use.exists()
    assert (other / "dpkg").exists()


@needs_apt
def test_a_package_that_can_never_be_set_up_fails_the_run_and_says_what_to_do(root: AptRepository) -> None:
    root.add_version("1.1", postinst="echo the licence server is gone >&2; exit 1")
    with pytest.raises(RuntimeError):
        root.install("1.1")
    lines = Lines()

    with pytest.raises(PackageManagerError, match="apt changes nothing on this host") as failed:
        apt(root).upgrade("all", (), lines, 10)

    text = str(failed.value)
    assert text.startswith(f"What an earlier run left half done cannot be finished ({PACKAGE}).")
    assert "dpkg --configure -a" in text
    assert "dpkg --remove --force-remove-reinstreq" in text
    assert any("the licence server is gone" in line for line in lines)
