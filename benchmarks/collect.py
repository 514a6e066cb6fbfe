"""Bar 18: what a full report costs a host of 2,000 packages, beside what its package manager takes to say the same."""

import asyncio
import gzip
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.collect import Host, drivers
from agent.report import compose
from benchmarks.equipment import Bench
from benchmarks.outcome import Outcome, most

_PACKAGES = 2_000
_WAITING = 300
_FOLDERS = (
    *("var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/apt/lists/partial", "var/lib/apt/lists/auxfiles"),
    *("var/cache/apt/archives/partial", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d"),
    *("boot", "shelf"),
)
_FORMAT = "${binary:Package}\\t${Version}\\t${db:Status-Abbrev}\\t${Section}\\t${binary:Summary}\\n"


async def measure(bench: Bench) -> list[Outcome]:
    found = Outcome("18", "full report of 2,000 packages / apt's own answers", "×", most(1.5), None, arm_unit="s")
    found.note = f"{_WAITING} updates wait; arm B: dpkg-query, apt list of what waits, policy of where all are from"
    with tempfile.TemporaryDirectory(prefix="patchmon-collect-") as folder:
        root = Path(folder)
        await asyncio.to_thread(_fill, root)
        for _ in range(bench.rounds):
            theirs = await asyncio.to_thread(_seconds, lambda: _ask_apt(root))
            ours = await asyncio.to_thread(_seconds, lambda: _report(root))
            found.arm_a.append(ours)
            found.arm_b.append(theirs)
            found.values.append(ours / theirs)
    return [found]


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _report(root: Path) -> None:
    report = compose(Host(root))
    assert len(report.packages) == _PACKAGES
    assert sum(bool(row["needsUpdate"]) for row in report.packages) == _WAITING
    json.dumps(report.fields)


def _ask_apt(root: Path) -> None:
    """Ask the three questions that a report answers of apt: what is there, what waits, and where each is from."""
    options = ["-o", f"Dir={root}", "-o", f"Dir::State::status={root}/var/lib/dpkg/status", "-o", "Debug::NoLocking=1"]
    names = [_name(number) for number in range(_PACKAGES)]
    listed = _run("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", _FORMAT)
    assert listed.count("\n") == _PACKAGES
    assert _run("apt", *options, "list", "--upgradable").count("upgradable from") == _WAITING
    assert _run("apt-cache", *options, "policy", *names).count("Installed:") == _PACKAGES


def _run(*argv: str) -> str:
    variables = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, capture_output=True, check=True, text=True, env=variables).stdout


def _name(number: int) -> str:
    return f"tiny-package-{number:05}"


def _fill(root: Path) -> None:
    """Make a system of its own: installed packages, and a source that has them all, some newer."""
    shelf = root / "shelf"
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/os-release").write_text('NAME="Bench"\nVERSION="1"\n', encoding="ascii")
    (root / "etc/hostname").write_text("bench\n", encoding="ascii")
    installed = (_entry(number, "1.0-1", "Status: install ok installed\n") for number in range(_PACKAGES))
    (root / "var/lib/dpkg/status").write_text("\n".join(installed), encoding="ascii")
    offered = (_entry(n, "1.1-1" if n < _WAITING else "1.0-1", _file(n)) for n in range(_PACKAGES))
    content = "\n".join(offered).encode()
    (shelf / "Packages").write_bytes(content)
    (shelf / "Packages.gz").write_bytes(gzip.compress(content))
    digests = "".join(
        f" {hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_size} {file.name}\n"
        for file in (shelf / "Packages", shelf / "Packages.gz")
    )
    release = f"Origin: Bench\nLabel: Bench\nSuite: stable\nCodename: stable\nArchitectures: all\nSHA256:\n{digests}"
    (shelf / "Release").write_text(release, encoding="ascii")
    (root / "etc/apt/sources.list.d/bench.list").write_text(f"deb [trusted=yes] file:{shelf} ./\n", encoding="ascii")
    for place in (root, shelf):
        place.chmod(0o755)
    drivers.drivers().by_name("apt", str(root)).refresh(lambda _text: None, 30)


def _entry(number: int, version: str, more: str) -> str:
    name = _name(number)
    return (
        f"Package: {name}\n{more}Priority: optional\nSection: utils\nInstalled-Size: 100\n"
        f"Maintainer: Bench <bench@example.com>\nArchitecture: all\nVersion: {version}\n"
        f"Depends: {_name(max(0, number - 1))}\n"
        f"Description: Package number {number} of a synthetic host\n It has a description of two lines,\n as most do.\n"
    )


def _file(number: int) -> str:
    return f"Filename: ./{_name(number)}.deb\nSize: 1000\nSHA256: {hashlib.sha256(str(number).encode()).hexdigest()}\n"
