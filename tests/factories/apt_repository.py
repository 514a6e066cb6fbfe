"""A local apt repository with versions of one tiny package, for this machine or for a throw-away root.

    with AptRepository(tmp_path) as repo:
        repo.add_version("1.0")
        repo.add_version("2.0", security=True, postinst="echo configuring; sleep 2")
        repo.install("1.0")
        ...
        assert repo.installed_version() == "2.0"

Without `root` it works on this very machine (root only): one file in sources.list.d, one package of a name nobody else
has, only its own lists refreshed, no network; leaving the block removes all of it. With `root` everything, the package
database included, lives below that folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PREFIX = "patchmon-test-apt-"
LOCK = Path("/var/tmp/patchmon-test-apt.lock")
LOCK_SECONDS = 120
LOCKED = ("Could not get lock", "is locked by another process")
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "NEEDRESTART_SUSPEND": "1"}


@dataclass(frozen=True)
class Deb:
    """One built package file."""

    version: str
    path: Path
    control: str
    security: bool


class AptRepository:
    """The package on its shelves; `suite` holds ordinary versions and `suite-security` those of security updates."""

    def __init__(
        self, tmp_path: Path, *, package: str = "patchmon-test-tiny", suite: str = "tiny", root: Path | None = None
    ) -> None:
        self.package = package
        self.suite = suite
        self.root = root
        self._build = tmp_path / f"build-{package}"
        # Apt fetches as its own user, who cannot enter pytest's private folders.
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=LOCK.parent))
        self.folder.chmod(0o755)
        self.sources = (root or Path("/")) / f"etc/apt/sources.list.d/{self.folder.name}.list"
        self._lock: IO[str] | None = None
        self._debs: list[Deb] = []
        self._touched: set[str] = set()

    # ------------------------------------------------------------------ the block

    def __enter__(self) -> Self:
        if self.root is not None:
            self._prepare(self.root)
        elif os.geteuid() != 0:
            self.cleanup()
            message = "a package can be installed on this machine by root only; give a throw-away root"
            raise PermissionError(message)
        else:
            self._alone()
        return self

    def _alone(self) -> None:
        """Wait for other runs on this machine, and clear away what a killed one left."""
        self._lock = LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for source in Path("/etc/apt/sources.list.d").glob(f"{PREFIX}*.list"):
            source.unlink()
        for folder in LOCK.parent.glob(f"{PREFIX}*"):
            if folder.is_dir() and folder != self.folder:
                shutil.rmtree(folder)
        for fetched in self.lists.glob(f"*{PREFIX}*"):
            fetched.unlink()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Remove packages, source, lists and files; harmless when repeated."""
        if self._touched:
            self._run("dpkg", *self._dpkg_options(), "--force-all", "--purge", *sorted(self._touched))
            self._touched.clear()
        self.sources.unlink(missing_ok=True)
        marker = str(self.folder).strip("/").replace("/", "_")
        for fetched in self.lists.glob(f"*{marker}*"):
            fetched.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._build, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ------------------------------------------------------------------ the shelves

    def add_version(
        self,
        version: str,
        *,
        package: str | None = None,
        security: bool = False,
        depends: str = "",
        conflicts: str = "",
        postinst: str = "",
        conffile: str | None = None,
        filler_mib: int = 0,
    ) -> Path:
        """Build one version and shelve it; `postinst` is shell, `conffile` the text of a configuration file.

        `filler_mib` makes unpacking take a moment.
        """
        name = package or self.package
        tree = self._build / f"{name}-{version}"
        self._write(tree / "usr/share/doc" / name / "version", f"{version}\n")
        fields = {
            "Package": name,
            "Version": version,
            "Architecture": "all",
            "Maintainer": "Fleet tests <tests@localhost>",
            "Section": "misc",
            "Priority": "optional",
            "Depends": depends,
            "Conflicts": conflicts,
            "Description": f"Tiny package of version {version}\n It does nothing at all.",
        }
        control = "".join(f"{field}: {value}\n" for field, value in fields.items() if value)
        self._write(tree / "DEBIAN/control", control)
        if postinst:
            self._write(tree / "DEBIAN/postinst", f"#!/bin/sh\nset -e\n{postinst}\n", mode=0o755)
        if conffile is not None:
            self._write(tree / "etc" / f"{name}.conf", conffile)
            self._write(tree / "DEBIAN/conffiles", f"/etc/{name}.conf\n")
        for number in range(filler_mib * 32):
            path = tree / "usr/share" / name / f"filler-{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(32 * 1024))
        target = self.folder / "pool" / f"{name}_{version}_all.deb"
        target.parent.mkdir(exist_ok=True)
        self._run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(target))
        self._debs.append(Deb(version, target, control, security))
        self._publish()
        return target

    def file(self, version: str, *, package: str | None = None) -> Path:
        """Return the package file of one version."""
        return next(deb.path for deb in self._debs if deb.path.name == f"{package or self.package}_{version}_all.deb")

    def withdraw(self, version: str, *, package: str | None = None, listed: bool = False) -> None:
        """Take one version off the shelf; when it stays `listed`, only its file is gone."""
        gone = self.file(version, package=package)
        gone.unlink()
        if not listed:
            self._debs = [deb for deb in self._debs if deb.path != gone]
            self._publish()

    def install(self, version: str, *, package: str | None = None) -> None:
        """Install exactly that version, as apt does it, from this repository alone."""
        name = package or self.package
        self._touched.add(name)
        self.refresh()
        self._apt("install", "-y", "--allow-downgrades", f"{name}={version}")

    def refresh(self) -> None:
        """Fetch this repository's lists and no other's; the network stays untouched."""
        only = [f"Dir::Etc::sourcelist={self.sources}", "Dir::Etc::sourceparts=-", "APT::Get::List-Cleanup=0"]
        self._apt("update", options=only)

    def installed_version(self, package: str | None = None) -> str | None:
        """Version that dpkg has on record, None when the package is not installed."""
        name = package or self.package
        argv = ["dpkg-query", *self._admin_options(), "-W", "-f", "${db:Status-Status} ${Version}", name]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        state, _, version = done.stdout.partition(" ")
        return version if state == "installed" else None

    def hold(self, *, package: str | None = None) -> None:
        """Put the package on hold."""
        selection = f"{package or self.package} hold\n"
        argv = ["dpkg", *self._dpkg_options(), "--set-selections"]
        subprocess.run(argv, input=selection, text=True, check=True, capture_output=True)

    @property
    def lists(self) -> Path:
        """Apt's folder of fetched lists."""
        return (self.root or Path("/")) / "var/lib/apt/lists"

    # ------------------------------------------------------------------ inside

    def _publish(self) -> None:
        suites = {self.suite: "PatchMon test", f"{self.suite}-security": "PatchMon test"}
        for suite, label in suites.items():
            debs = [deb for deb in self._debs if deb.security == suite.endswith("-security")]
            self._publish_suite(suite, label, debs)
        lines = [f"deb [trusted=yes] file://{self.folder} {suite} main\n" for suite in suites]
        self.sources.write_text("".join(lines), encoding="utf-8")

    def _publish_suite(self, suite: str, label: str, debs: list[Deb]) -> None:
        architecture = subprocess.run(
            ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
        ).stdout.strip()
        index = f"main/binary-{architecture}/Packages"
        text = "\n".join(self._stanza(deb) for deb in debs)
        self._write(self.folder / "dists" / suite / index, text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        release = (
            f"Origin: PatchMon test\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nVersion: 1\n"
            f"Architectures: {architecture}\nComponents: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
            f"SHA256:\n {digest} {len(text.encode())} {index}\n"
        )
        self._write(self.folder / "dists" / suite / "Release", release)

    def _stanza(self, deb: Deb) -> str:
        content = deb.path.read_bytes()
        place = deb.path.relative_to(self.folder)
        return f"{deb.control}Filename: {place}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"

    def _prepare(self, root: Path) -> None:
        for folder in (
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/log/apt",
            "usr/share/doc",
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").touch()

    def _apt(self, command: str, *arguments: str, options: list[str] | None = None) -> None:
        settings = ["Dpkg::Use-Pty=0", *(options or [])]
        if self.root is not None:
            settings += [
                f"Dir={self.root}",
                f"Dir::State::status={self.root}/var/lib/dpkg/status",
                "APT::Sandbox::User=",
                *(f"Dpkg::Options::={option}" for option in self._dpkg_options()),
            ]
        self._run("apt-get", "-q", *(word for setting in settings for word in ("-o", setting)), command, *arguments)

    def _dpkg_options(self) -> list[str]:
        if self.root is None:
            return []
        return [f"--root={self.root}", "--force-not-root", "--force-script-chrootless", "--force-bad-path"]

    def _admin_options(self) -> list[str]:
        return [f"--admindir={self.root}/var/lib/dpkg"] if self.root else []

    def _run(self, *argv: str) -> None:
        """Run a tool; others on this machine may hold the package database, so wait for them."""
        until = time.monotonic() + LOCK_SECONDS
        while True:
            done = subprocess.run(
                argv,
                env={**os.environ, **ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if not done.returncode:
                return
            if time.monotonic() > until or not any(words in done.stdout for words in LOCKED):
                message = f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}"
                raise RuntimeError(message)
            time.sleep(0.5)

    @staticmethod
    def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
