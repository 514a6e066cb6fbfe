"""The driver of FreeBSD against a stand-in that answers in pkg's documented formats; real FreeBSD is unproven."""

from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    Exact,
    Limits,
    PackageManagerError,
    Plan,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.pkg import Pkg
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.pkg_formats import (
    read_base_update,
    read_repositories,
    read_steps,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.pkg_version import newer

from tests.ansible.conftest import Lines, commands, names

SCRIPT = r"""#!/bin/sh
# Answers as pkg 1.21 documents it; the version of curl that is installed is in $STATE.
curl=$(cat "$STATE")
case "$*" in
*" query "*)
    printf 'curl\t%s\tFreeBSD\tTransfers files\tftp/curl\tFreeBSD:14:amd64\t0\n' "$curl"
    printf 'bash\t5.2.26\tFreeBSD\tThe shell\tshells/bash\tFreeBSD:14:amd64\t0\n'
    printf 'own-tool\t1.0\tunknown-repository\tOurs\tlocal/own-tool\tFreeBSD:14:amd64\t0\n' ;;
*" rquery "*)
    printf 'curl\t8.9.0_1\tFreeBSD\nbash\t5.2.32,1\tFreeBSD\nzsh\t5.9\tFreeBSD\n' ;;
*" audit"*)
    test "$curl" = 8.9.0_1 || printf 'curl-%s is vulnerable:\n  curl -- a hole\n  CVE: CVE-2026-0001\n' "$curl"
    exit 1 ;;
*" upgrade -n -U curl"*)
    printf 'The following 1 package(s) will be affected (of 0 checked):\n\nInstalled packages to be UPGRADED:\n'
    printf '\tcurl: %s -> 8.9.0_1 [FreeBSD]\n\nNumber of packages to be upgraded: 1\n' "$curl"
    exit 1 ;;
*" upgrade -y -U curl"*)
    echo 8.9.0_1 > "$STATE"
    echo "[1/1] Upgrading curl from $curl to 8.9.0_1..." ;;
*" upgrade -n -U"*)
    test "$curl" = 8.9.0_1 && { echo "Your packages are up to date."; exit 0; }
    printf 'Installed packages to be UPGRADED:\n\tcurl: %s -> 8.9.0_1 [FreeBSD]\n\n' "$curl"
    exit 1 ;;
*" upgrade -y -U"*) echo 8.9.0_1 > "$STATE" ;;
*"config ABI"*) echo "FreeBSD:14:amd64" ;;
*) echo "pkg: not written down: $*" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pkg:
    """A root with the stand-in."""
    root = tmp_path / "root"
    (root / "var/db/pkg").mkdir(parents=True)
    (root / "var/db/pkg/local.sqlite").touch()
    (root / "etc/pkg").mkdir(parents=True)
    (root / "etc/pkg/FreeBSD.conf").write_text(
        'FreeBSD: {\n  url: "pkg+https://pkg.FreeBSD.org/${ABI}/quarterly",\n  enabled: yes\n}\n',
        encoding="utf-8",
    )
    (tmp_path / "state").write_text("8.7.1", encoding="ascii")
    program = tmp_path / "bin/pkg"
    program.parent.mkdir()
    program.write_text(SCRIPT, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("STATE", str(tmp_path / "state"))
    return Pkg(str(root))


def test_list_of_what_is_installed(driver: Pkg) -> None:
    assert driver.available()
    curl, _bash, own = driver.installed()

    assert curl == ("curl", "8.7.1", "Transfers files", "ftp", "FreeBSD:14:amd64", "FreeBSD")
    assert own.repository == "local"


def test_updates_are_found_with_their_source(driver: Pkg) -> None:
    assert driver.updates() == [
        ("bash", "5.2.26", "5.2.32,1", False, "FreeBSD"),
        ("curl", "8.7.1", "8.9.0_1", True, "FreeBSD"),
    ]


def test_reboot_is_asked_for_when_the_kernel_on_the_disk_is_another(driver: Pkg, tmp_path: Path) -> None:
    assert driver.reboot() == (False, "")
    program = tmp_path / "bin/freebsd-version"
    program.write_text("#!/bin/sh\nprintf '14.1-RELEASE-p5\\n14.1-RELEASE-p3\\n'\n", encoding="utf-8")
    program.chmod(0o755)
    assert driver.reboot() == (True, "Kernel 14.1-RELEASE-p5 is installed, 14.1-RELEASE-p3 is running")


def test_what_an_interrupted_update_left_is_never_anything(driver: Pkg) -> None:
    """Its database is changed in transactions; pkg itself goes on where it was."""
    assert (driver.unfinished(), driver.busy(), driver.repair(Lines(), 1)) == ((), "", Plan((), ()))


@pytest.mark.parametrize(("scope", "packages"), [("all", ()), ("packages", ("curl",))])
def test_simulate_tells_what_upgrade_all_and_upgrade_named_do(
    driver: Pkg, scope: str, packages: tuple[str, ...]
) -> None:
    planned = driver.simulate(scope, packages)
    done = driver.upgrade(scope, packages, Lines(), 10)

    assert names(planned) == [("curl", "8.7.1", "8.9.0_1")]
    assert (planned.changes, driver.versions()["curl"]) == (done.changes, "8.9.0_1")


def test_the_way_back_is_refused_because_there_is_none(driver: Pkg) -> None:
    with pytest.raises(PackageManagerError, match="cannot go back to earlier versions"):
        driver.missing([Exact("curl", "8.0")])


def test_security_is_what_is_vulnerable(driver: Pkg) -> None:
    planned = driver.simulate("security", ())
    done = driver.upgrade("security", (), Lines(), 10)

    assert names(planned) == [("curl", "8.7.1", "8.9.0_1")]
    assert done == planned
    assert driver.simulate("security", ()) == Plan((), ())


def test_held_by_a_pattern_stays_and_is_told(driver: Pkg) -> None:
    planned = driver.simulate("all", (), limits=Limits(hold=("bash",)))

    assert names(planned) == [("curl", "8.7.1", "8.9.0_1")]
    assert planned.kept_back == ("bash",)


@pytest.mark.proves("INV-140")
def test_repositories_are_those_of_the_host(driver: Pkg, tmp_path: Path) -> None:
    (found,) = driver.repositories()
    assert found[:2] == ("FreeBSD", "https://pkg.FreeBSD.org/FreeBSD:14:amd64/quarterly")
    assert (found.repo_type, found.enabled, found.secure) == ("freebsd", True, True)

    repos = tmp_path / "root/usr/local/etc/pkg/repos"
    repos.mkdir(parents=True)
    (repos / "off.conf").write_text("FreeBSD: { enabled: no }\n# Ours: { url: 'http://x' }\n", encoding="utf-8")
    assert [one.enabled for one in read_repositories(str(tmp_path / "root"), "FreeBSD:14:amd64")] == [False]


def test_plans_with_every_section() -> None:
    text = """
The following 4 package(s) will be affected (of 0 checked):

Installed packages to be REMOVED:
\told: 0.9

New packages to be INSTALLED:
\tnew-part: 1.0 [FreeBSD]

Installed packages to be UPGRADED:
\tcurl: 8.7.1 -> 8.9.0_1 [FreeBSD]

Installed packages to be REINSTALLED:
\tsame-1.0 [FreeBSD] (ABI changed)

Number of packages to be removed: 1
"""

    assert read_steps(text) == [("old", "", ""), ("new-part", "1.0", "FreeBSD"), ("curl", "8.9.0_1", "FreeBSD")]


@pytest.mark.proves("AGENT-PLAT-05")
def test_what_waits_for_the_base_system() -> None:
    text = "The following files will be updated as part of updating to\n14.1-RELEASE-p5:\n/bin/freebsd-version\n"

    assert read_base_update(text.replace("to\n", "to ")) == "14.1-RELEASE-p5"
    assert read_base_update("No updates needed to update system to 14.1-RELEASE-p5.") == ""


@pytest.mark.parametrize(
    ("older", "newer_one"),
    [("1.0", "1.0_1"), ("1.9", "1.10"), ("2.0", "1.0,1"), ("1.0.rc1", "1.0"), ("14.1-RELEASE-p3", "14.1-RELEASE-p5")],
)
def test_versions_are_ordered_as_pkg_does(older: str, newer_one: str) -> None:
    assert newer(newer_one, older)
    assert not newer(older, newer_one)


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(driver: Pkg) -> None:
    assert commands(driver, "curl") == (["pkg upgrade curl -n"], ["pkg upgrade -y -U"])


BASE_SCRIPTS = {
    "freebsd-version": 'cat "$LEVEL"',
    "freebsd-update": """
echo "$*" >> "$ASKED"
case "$*" in
*updatesready) test "$(cat "$LEVEL")" = 14.1-RELEASE-p5 && echo "No updates are available to install." ||
    echo "The following files will be updated as part of updating to 14.1-RELEASE-p5:" ;;
*install) echo 14.1-RELEASE-p5 > "$LEVEL"; echo "Installing updates... done." ;;
esac""",
}


@pytest.mark.proves("PATCH-80")
def test_the_base_system_is_updated_with_everything_and_never_with_a_package(
    driver: Pkg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in BASE_SCRIPTS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        program.chmod(0o755)
    level, asked = tmp_path / "level", tmp_path / "asked"
    level.write_text("14.1-RELEASE-p3\n", encoding="ascii")
    monkeypatch.setenv("LEVEL", str(level))
    monkeypatch.setenv("ASKED", str(asked))
    # A root of its own has no base system of its own; this one shall.
    monkeypatch.setattr(Pkg, "_has_base", lambda _: True)

    driver = Pkg(driver.root)
    driver.upgrade("packages", ["curl"], Lines(), 10)
    assert "install" not in asked.read_text()
    assert level.read_text() == "14.1-RELEASE-p3\n"

    planned = driver.simulate("all", ())
    done = driver.upgrade("all", (), Lines(), 10)
    assert names(planned) == names(done) == [("freebsd-base", "14.1-RELEASE-p3", "14.1-RELEASE-p5")]
    assert asked.read_text().count("install\n") == 1
