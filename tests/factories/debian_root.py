"""A small Debian in a folder: what a fresh machine has, made once and kept between test runs."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_PACKAGES = "python3-minimal,libpython3-stdlib,curl,cron,openrc,ca-certificates"
_SECONDS = 280


class NoRoot(Exception):
    """No such machine can be made here; the text says why."""


def debian(cache: pytest.Cache) -> Path:
    """Return the folder of a Debian that nobody may change.

    Raises:
        NoRoot: this machine cannot make one.
    """
    return _kept(cache, "bookworm-openrc", "bookworm", _PACKAGES)


def with_dnf5(cache: pytest.Cache) -> Path:
    """Return the folder of a Debian that has dnf 5, which the present stable one has not.

    Raises:
        NoRoot: this machine cannot make one.
    """
    return _kept(cache, "testing-dnf5", "testing", "dnf5,rpm")


def _kept(cache: pytest.Cache, name: str, suite: str, packages: str) -> Path:
    folder = cache.mkdir("debian-roots")
    root = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        # Another worker may be making it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _make(folder, root, suite, packages)
    return root


def _make(folder: Path, root: Path, suite: str, packages: str) -> None:
    if os.geteuid() != 0 or shutil.which("dpkg") is None:
        raise NoRoot("needs root and a Debian")
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    fresh = folder / f"fresh.{os.getpid()}"
    _run(["apt-get", "download", "debootstrap"], tools)
    _run(["sh", "-c", "dpkg -x debootstrap_*.deb ."], tools)
    mirror = "http://deb.debian.org/debian"
    command = ["sh", str(tools / "usr/sbin/debootstrap"), "--variant=minbase", f"--include={packages}"]
    try:
        _run([*command, suite, str(fresh), mirror], tools, DEBOOTSTRAP_DIR=str(tools / "usr/share/debootstrap"))
        shutil.rmtree(fresh / "var/cache/apt", ignore_errors=True)
        fresh.replace(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run(command: list[str], folder: Path, **variables: str) -> None:
    try:
        subprocess.run(
            command, cwd=folder, env={**os.environ, **variables}, check=True, capture_output=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoRoot(f"{command[0]}: {error}") from error


@dataclass(frozen=True)
class Machine:
    """A running machine: its folder, and processes that see no others; the network is this machine's."""

    root: Path
    inside: int

    def run(self, script: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a line as root's shell would."""
        entered = ["nsenter", "--target", str(self.inside), "--mount", "--pid", "--root"]
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*entered, "env", "-i", f"PATH={path}", "HOME=/root", "sh", "-c", f"cd /\n{script}"],
            capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip

    def files(self) -> set[str]:
        """Return every file there is, but for what changes by itself."""
        found = self.run("find / -xdev -path /tmp -prune -o -path /var/cache -prune -o -path /var/log -prune -o -print")
        return {line for line in found.stdout.splitlines() if "__pycache__" not in line}


@contextmanager
def machine(original: Path, root: Path) -> Iterator[Machine]:
    """Start a copy of a Debian; everything in it ends with the block."""
    subprocess.run(["cp", "-a", str(original), str(root)], check=True)
    begin = f"""
        set -e
        mount --bind {root} {root}
        mount -t proc proc {root}/proc
        mount --rbind /dev {root}/dev
        mount -t tmpfs run {root}/run
        exec chroot {root} sh -c 'while :; do sleep 1; done'
    """
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", begin]
    with subprocess.Popen(command) as holder:
        try:
            yield Machine(root, _inside(holder.pid, root))
        finally:
            holder.kill()


def _inside(pid: int, root: Path) -> int:
    """Return the first process of a machine: it also buries those whose parents have gone."""
    until = 200
    for _ in range(until):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/root").readlink() == root:
            return int(children[0])
        subprocess.run(["sleep", "0.05"], check=True)
    raise NoRoot("the machine did not start")
