"""A local pacman repository with versions of tiny packages, and a throw-away root.

The packages and the repository's database are written here in pacman's own formats, because `repo-add` needs parts of
makepkg that cannot be installed beside zypper; pacman itself is the real one.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "patchmon-test-tiny"
REPOSITORY = "tinyshelf"
_TIMES = itertools.count(1_700_000_000, 60)


@dataclass(frozen=True)
class Shelved:
    """One built package."""

    name: str
    version: str
    depends: str
    conflicts: str

    @property
    def file(self) -> str:
        """Name of the package file."""
        return f"{self.name}-{self.version}-1-any.pkg.tar.gz"


class PacmanRepository:
    """The packages on their shelf, the newest of each name in the database, and the root that they go to."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "shelf"
        self.root = tmp_path / "root"
        self._shelf: dict[str, Shelved] = {}
        self.folder.mkdir()
        for folder in (
            "var/lib/pacman/sync",
            "var/lib/pacman/local",
            "var/cache/pacman/pkg",
            "var/log",
            "etc/pacman.d",
        ):
            (self.root / folder).mkdir(parents=True)
        self.configure()

    def configure(self, options: str = "") -> None:
        """Write pacman.conf, the source's address in an included list of mirrors."""
        (self.root / "etc/pacman.d/mirrorlist").write_text(f"Server = file://{self.folder}\n", encoding="utf-8")
        text = (
            f"[options]\nArchitecture = auto\nSigLevel = Never\n{options}\n"
            f"[{REPOSITORY}]\nInclude = {self.root}/etc/pacman.d/mirrorlist\n"
        )
        (self.root / "etc/pacman.conf").write_text(text, encoding="utf-8")

    def add_version(
        self, version: str, *, package: str = PACKAGE, depends: str = "", conflicts: str = "", install: str = ""
    ) -> Path:
        """Build one version, release 1; `install` is the package's script."""
        shelved = Shelved(package, version, depends, conflicts)
        fields = {
            "pkgname": package,
            "pkgbase": package,
            "pkgver": f"{version}-1",
            "pkgdesc": f"Tiny package of version {version}",
            "url": "http://localhost",
            "builddate": "1700000000",
            "packager": "Fleet tests",
            "size": "5",
            "arch": "any",
            "license": "MIT",
            "depend": depends,
            "conflict": conflicts,
        }
        info = "".join(f"{name} = {value}\n" for name, value in fields.items() if value)
        members = {".PKGINFO": info, f"usr/share/doc/{package}/version": f"{version}\n"}
        if install:
            members[".INSTALL"] = install
        path = self.folder / shelved.file
        _pack(path, members)
        self._shelf[package] = shelved
        self.publish()
        return path

    def withdraw(self, package: str = PACKAGE) -> None:
        """Delete the file of the newest version; it stays listed."""
        (self.folder / self._shelf[package].file).unlink()

    def publish(self) -> None:
        """Write the repository's database; each is a minute younger, for pacman asks what has changed since."""
        members = {f"{one.name}-{one.version}-1/desc": self._description(one) for one in self._shelf.values()}
        path = self.folder / f"{REPOSITORY}.db"
        _pack(path, members)
        second = next(_TIMES)
        os.utime(path, (second, second))

    def install(self, *packages: str) -> None:
        """Install the newest versions with pacman itself, lists refreshed."""
        self.pacman("-Sy", *(packages or (PACKAGE,)))

    def installed_version(self, package: str = PACKAGE) -> str | None:
        """Version without its release, None when the package is not installed."""
        done = subprocess.run(
            [*self._program(), "-Q", package], capture_output=True, text=True, check=False, env=_environment()
        )
        return None if done.returncode else done.stdout.split()[1].rpartition("-")[0]

    def pacman(self, *arguments: str) -> None:
        """Run pacman on the root."""
        argv = [*self._program(), "--noconfirm", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=_environment())
        if done.returncode:
            message = f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)

    def _program(self) -> list[str]:
        places = {
            "root": "",
            "dbpath": "var/lib/pacman",
            "config": "etc/pacman.conf",
            "cachedir": "var/cache/pacman/pkg",
            "logfile": "var/log/pacman.log",
            "gpgdir": "etc/pacman.d/gnupg",
            "hookdir": "etc/pacman.d/hooks",
        }
        return ["pacman", *(word for name, place in places.items() for word in (f"--{name}", str(self.root / place)))]

    def _description(self, one: Shelved) -> str:
        path = self.folder / one.file
        content = path.read_bytes()
        fields = {
            "FILENAME": one.file,
            "NAME": one.name,
            "VERSION": f"{one.version}-1",
            "DESC": f"Tiny package of version {one.version}",
            "CSIZE": str(len(content)),
            "ISIZE": "5",
            "SHA256SUM": hashlib.sha256(content).hexdigest(),
            "ARCH": "any",
            "DEPENDS": one.depends,
            "CONFLICTS": one.conflicts,
        }
        return "".join(f"%{name}%\n{value}\n\n" for name, value in fields.items() if value)


def _pack(path: Path, members: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            content = text.encode()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}
