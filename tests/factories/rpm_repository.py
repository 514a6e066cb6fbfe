"""A local repository with versions of tiny noarch packages, and a throw-away root that dnf or zypper manages.

    repo = RpmRepository(tmp_path)
    repo.add_version("1.0")
    repo.install("tiny", "1.0")
    repo.add_version("2.0", security=True)

Everything, the package database included, lives below `tmp_path`; the packages are built by the real rpmbuild and the
metadata by the real createrepo_c.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

PACKAGE = "patchmon-test-tiny"
REPOSITORY = "tiny-shelf"
PROGRAMS = ("rpm", "rpmbuild", "createrepo_c", "modifyrepo_c")


class RpmRepository:
    """The packages on their shelf, and the root that they go to."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "shelf"
        self.root = tmp_path / "root"
        self._build = tmp_path / "build"
        self._notices: list[tuple[str, str]] = []
        self.folder.mkdir()
        for folder in ("etc/yum.repos.d", "etc/zypp/repos.d", "etc/dnf/plugins", "root/.rpmdb", "var/lib", "var/log"):
            (self.root / folder).mkdir(parents=True)
        # Debian's rpm keeps the database of a root in its root's home; rpm's own systems look here.
        (self.root / "var/lib/rpm").symlink_to("../../root/.rpmdb")
        self._write(self.root / "etc/dnf/plugins/local.conf", "[main]\nenabled=0\n")
        self.configure()

    def configure(self, extra: str = "", *, main: str = "") -> None:
        """Write the source's file again with more settings, and dnf's own configuration."""
        text = f"[{REPOSITORY}]\nname=Tiny things - $basearch\nbaseurl=file://{self.folder}\nenabled=1\ngpgcheck=0\n{extra}\n"
        for folder in ("etc/yum.repos.d", "etc/zypp/repos.d"):
            self._write(self.root / folder / "tiny.repo", text)
        self._write(self.root / "etc/dnf/dnf.conf", f"[main]\ngpgcheck=0\n{main}\n")

    def add_version(
        self,
        version: str,
        *,
        package: str = PACKAGE,
        security: bool = False,
        requires: str = "",
        conflicts: str = "",
        post: str = "",
        conffile: str | None = None,
    ) -> Path:
        """Build `package-version-1.noarch.rpm`; a security version gets a notice."""
        lines = [
            f"Name: {package}",
            f"Version: {version}",
            "Release: 1",
            f"Summary: Tiny package of version {version}",
            "License: MIT",
            "Group: Applications/Tests",
            "BuildArch: noarch",
            *(f"Requires: {word}" for word in [requires] if word),
            *(f"Conflicts: {word}" for word in [conflicts] if word),
            "%description",
            "It does nothing at all.",
        ]
        files = []
        if conffile is not None:
            lines += [
                "%install",
                "mkdir -p %{buildroot}/etc",
                f"printf %s '{conffile}' > %{{buildroot}}/etc/{package}.conf",
            ]
            files = [f"%config(noreplace) /etc/{package}.conf"]
        if post:
            lines += ["%post -p <lua>" if post.startswith("error(") else "%post", post]
        spec = self._build / f"{package}-{version}.spec"
        self._write(spec, "\n".join([*lines, "%files", *files, ""]))
        argv = [
            "rpmbuild",
            "-bb",
            "--quiet",
            "--define",
            f"_topdir {self._build}",
            "--define",
            f"_rpmdir {self.folder}",
        ]
        self._run(*argv, str(spec))
        if security:
            self._notices.append((package, version))
        self.publish()
        return self.folder / "noarch" / f"{package}-{version}-1.noarch.rpm"

    def withdraw(self, version: str, *, package: str = PACKAGE, listed: bool = False) -> None:
        """Take one version off the shelf; when it stays `listed`, only its file is gone."""
        (self.folder / "noarch" / f"{package}-{version}-1.noarch.rpm").unlink()
        if not listed:
            self.publish()

    def publish(self) -> None:
        """Write the metadata."""
        self._run("createrepo_c", "-q", "--general-compress-type=gz", str(self.folder))
        if self._notices:
            notices = "".join(_notice(number, *one) for number, one in enumerate(self._notices, 1))
            file = self._build / "updateinfo.xml"
            self._write(file, f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{notices}</updates>\n')
            self._run("modifyrepo_c", str(file), str(self.folder / "repodata"))

    def install(self, version: str, *, package: str = PACKAGE) -> None:
        """Put one version onto the disk with rpm itself."""
        file = self.folder / "noarch" / f"{package}-{version}-1.noarch.rpm"
        self._run("rpm", "--root", str(self.root), "-U", "--oldpackage", "--nodeps", str(file))

    def install_beside(self, version: str, *, package: str = PACKAGE) -> None:
        """Put one version beside the present one, as an update does that dies before it erases the old one."""
        file = self.folder / "noarch" / f"{package}-{version}-1.noarch.rpm"
        self._run("rpm", "--root", str(self.root), "-i", "--force", str(file))

    def installed_version(self, package: str = PACKAGE) -> str | None:
        """Version without its release that rpm has on record, None when the package is not installed."""
        argv = ["rpm", "--root", str(self.root), "-q", "--qf", "%{VERSION}", package]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return None if done.returncode else done.stdout

    def fingerprint(self) -> dict[str, int]:
        """Changing times of what matters on the host: package lists and database, not logs and locks."""
        kept = (
            path for folder in ("var/cache", "root/.rpmdb", "var/lib/rpm") for path in (self.root / folder).rglob("*.*")
        )
        wanted = (path for path in kept if path.suffix in (".gz", ".xml", ".solv"))
        return {str(path): path.stat().st_mtime_ns for path in wanted}

    @staticmethod
    def _run(*argv: str) -> None:
        done = subprocess.run(
            argv,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}"
            raise RuntimeError(message)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def missing_programs(*programs: str) -> str:
    """Names of the programs that this machine lacks, for the reason of a skipped test."""
    return ", ".join(program for program in (*PROGRAMS, *programs) if shutil.which(program) is None)


def _notice(number: int, package: str, version: str) -> str:
    name = escape(package)
    return (
        '<update from="tests@localhost" status="final" type="security" version="1">'
        f"<id>TINY-{number}</id><title>A hole in {name}</title><severity>Important</severity>"
        '<issued date="2026-01-01 00:00:00"/><description>A hole.</description>'
        '<pkglist><collection short="tiny"><name>tiny</name>'
        f'<package name="{name}" version="{version}" release="1" epoch="0" arch="noarch" src="{name}.src.rpm">'
        f"<filename>{name}-{version}-1.noarch.rpm</filename></package></collection></pkglist></update>"
    )
