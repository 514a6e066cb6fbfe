# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs OpenSCAP and Docker Bench and says what they found; private to this collection."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple
from xml.etree import ElementTree as ET

from . import _bench, _xccdf

#: The agent says with it how it is called, so that a play can ask it for what only it may fetch.
AGENT_VARIABLE = "PATCHMON_AGENT"
_FOLDERS = ("/usr/share/xml/scap/ssg/content", "/usr/local/share/xml/scap/ssg/content")
#: What short names of profiles stand for: how the identifiers in guides end.
_PROFILES = {
    "level1_server": ("_cis_level1_server", "_cis_server_l1"),
    "level2_server": ("_cis_level2_server", "_cis"),
}
_DONE, _RULES_FAIL = 0, 2
_FETCH_SECONDS = 180
_TAIL = 1500

Say = Callable[[str], None]
Scan = Dict[str, Any]


class CannotScan(Exception):
    """Why this scanner could not run; the text says what to do."""


def system(path: str = "/etc/os-release") -> Tuple[str, str]:
    """Return the system's identifier and version as ``os-release`` names them."""
    told: Dict[str, str] = {}
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            name, mark, value = line.strip().partition("=")
            if mark:
                told[name] = value.strip("\"'")
    return told.get("ID", ""), told.get("VERSION_ID", "")


def content_names(identifier: str, version: str) -> List[str]:
    """Return what the guide for a system may be called, the best first; none for systems without one."""
    major = version.partition(".")[0]
    names = {
        "ubuntu": ["ubuntu" + version.replace(".", "")],
        "debian": ["debian" + major],
        "rhel": ["rhel" + major],
        "centos": ["cs" + major, "centos" + major, "rhel" + major],
        "rocky": ["rl" + major, "rocky" + major, "rhel" + major],
        "almalinux": ["almalinux" + major, "rhel" + major],
        "ol": ["ol" + major],
        "fedora": ["fedora"],
        "sles": ["sle" + major, "sles" + major],
        "opensuse-leap": ["opensuse", "sle" + major],
        "opensuse-tumbleweed": ["opensuse"],
    }.get(identifier, [])
    return ["ssg-{0}-ds.xml".format(name) for name in names]


def fetched(names: Sequence[str], profile: str = "") -> Optional[Dict[str, Any]]:
    """Have the agent fetch the server's newest guide, and what changes this profile of it.

    Returns:
        ``path``, ``version``, ``changed`` and ``tailoring`` (a path, or empty); None without an agent.

    Raises:
        CannotScan: the agent could not.
    """
    told = os.environ.get(AGENT_VARIABLE)
    if not told:
        return None
    try:
        done = subprocess.run(
            [*json.loads(told), "scanner-content", "--profile", profile, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotScan("The agent did not fetch the scanner's content within three minutes") from error
    if done.returncode != 0:
        raise CannotScan("The scanner's content could not be fetched: " + _end_of(done.stderr))
    answer: Dict[str, Any] = json.loads(done.stdout)
    return answer


def program(wanted: str) -> str:
    """Return where the scanner is.

    Raises:
        CannotScan: nowhere.
    """
    found = shutil.which(wanted or "oscap")
    if not found:
        raise CannotScan("OpenSCAP is not installed on this host (no program oscap); install openscap-scanner")
    return found


def content(wanted: str, profile: str = "") -> Tuple[str, str]:
    """Return the guide to scan with: the one asked for, the server's, or what the distribution installed.

    Behind it the tailoring file that has the profile, empty where none has.

    Raises:
        CannotScan: there is none.
    """
    if wanted:
        if os.path.isfile(wanted):
            return wanted, ""
        raise CannotScan("There is no file {0} on this host".format(wanted))
    identifier, version = system()
    names = content_names(identifier, version)
    if not names:
        raise CannotScan("There is no security guide for {0} {1}".format(identifier or "this system", version))
    why = ""
    try:
        found = fetched(names, profile)
        if found is not None:
            return str(found["path"]), str(found.get("tailoring") or "")
    except CannotScan as error:
        why = ". " + str(error)
    for folder in _FOLDERS:
        for name in names:
            if os.path.isfile(os.path.join(folder, name)):
                return os.path.join(folder, name), ""
    raise CannotScan("There is no security guide for {0} {1} on this host{2}".format(identifier, version, why))


def openscap(
    scanner: str,
    guide: Tuple[str, str],
    wanted: str,
    rules: Sequence[str],
    remediate: bool,
    say: Say,
    keep: Optional[Callable[[str], None]] = None,
) -> Scan:
    """Evaluate a profile, or some rules of it, and return it as the server takes it; ``guide`` as of ``content``.

    ``keep`` is given the path of the scanner's own result, in the Asset Reporting Format, before that is deleted.

    Raises:
        CannotScan: the scanner, the profile or the result is not there or not usable.
    """
    content_file, tailoring = guide
    profile, title = _profile(scanner, tailoring or content_file, wanted)
    folder = tempfile.mkdtemp(prefix="patchmon-scan-")
    try:
        results = os.path.join(folder, "results.xml")
        command = [scanner, "xccdf", "eval", "--progress", "--profile", profile, "--results", results]
        report = os.path.join(folder, "arf.xml")
        if keep is not None:
            command += ["--results-arf", report]
        if tailoring:
            command += ["--tailoring-file", tailoring]
        for rule in rules:
            command += ["--rule", rule]
        if remediate:
            command.append("--remediate")
        say("Scanning with {0}: {1}".format(os.path.basename(content_file), title))
        started_at = _now()
        code, tail = _run([*command, content_file], say, folder)
        if code not in (_DONE, _RULES_FAIL):
            raise CannotScan("oscap ended with {0}: {1}".format(code, tail or "it said nothing"))
        try:
            found, whole = _xccdf.results(results)
        except (OSError, ET.ParseError) as error:
            raise CannotScan("The scanner's result cannot be read: {0}".format(error)) from error
        if keep is not None:
            keep(report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "profile_name": wanted,
        "profile_type": "openscap",
        "profile_id": profile,
        "status": "completed",
        "started_at": _zoned(whole["started_at"]) if whole["started_at"] else started_at,
        "completed_at": _now(),
        "remediation_applied": remediate,
        "remediation_count": whole["fixed"],
        "results": found,
    }


def bench(say: Say) -> Scan:
    """Run Docker Bench for Security and return what it found.

    Raises:
        CannotScan: it is not installed, or ended badly.
    """
    script = next((place for place in _bench.PLACES if os.path.isfile(place)), None)
    if script is None:
        raise CannotScan("Docker Bench for Security is not installed on this host")
    lines: List[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        say(line)

    started_at = _now()
    code, tail = _run(["/bin/sh", script, "-b"], heard, os.path.dirname(script))
    found = _bench.results(lines)
    if not found:
        why = tail or "it said nothing"
        raise CannotScan("Docker Bench for Security ended with {0}: {1}".format(code, why))
    return {
        "profile_name": "Docker Bench for Security",
        "profile_type": "docker-bench",
        "status": "completed",
        "started_at": started_at,
        "completed_at": _now(),
        "results": found,
    }


def failed(kind: str, name: str, why: str) -> Scan:
    """Return a scan that could not be made, as the server takes it."""
    at = _now()
    return {
        "profile_name": name,
        "profile_type": kind,
        "status": "failed",
        "error": why,
        "started_at": at,
        "completed_at": at,
        "results": [],
    }


def _profile(scanner: str, guide: str, wanted: str) -> Tuple[str, str]:
    done = subprocess.run(
        [scanner, "info", "--profiles", guide], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise CannotScan("{0} cannot be read by oscap: {1}".format(guide, _end_of(done.stderr)))
    known = dict(_pairs(done.stdout.decode("utf-8", "replace")))
    for ending in (*_PROFILES.get(wanted, ()), wanted, "_" + wanted):
        found = next((name for name in known if name == ending or name.endswith(ending)), None)
        if found is not None:
            return found, known[found]
    raise CannotScan(
        "There is no profile {0} in {1}; there are: {2}".format(
            wanted, os.path.basename(guide), ", ".join(sorted(known)) or "none"
        )
    )


def _pairs(text: str) -> Iterator[Tuple[str, str]]:
    # Of tailoring files oscap says the same in other words, title and name below each other.
    above = ""
    for line in text.splitlines():
        name, mark, title = line.strip().partition(":")
        if name == "Title":
            above = title.strip()
        elif name == "Id":
            yield title.strip(), above
        elif mark and name:
            yield name, title


def _run(command: Sequence[str], say: Say, folder: str) -> Tuple[int, str]:
    """Run a program of which each line is told at once; its exit code and the end of what it complained about."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            assert process.stdout is not None
            for line in process.stdout:
                say(line.decode("utf-8", "replace").rstrip())
            code = process.wait()
        finally:
            signal.signal(signal.SIGTERM, previous)
            if process.poll() is None:
                process.kill()
                process.wait()
        complaints.seek(0, os.SEEK_END)
        complaints.seek(max(0, complaints.tell() - _TAIL))
        return code, _end_of(complaints.read())


def _end_of(said: bytes) -> str:
    return " ".join(said.decode("utf-8", "replace").split())[-_TAIL:]


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zoned(told: str) -> str:
    """Return a time of OpenSCAP, which writes none of its zone in older versions, as one that everybody reads alike."""
    return told if told.endswith("Z") or "+" in told[10:] or "-" in told[10:] else _local(told)


def _local(told: str) -> str:
    at = datetime.strptime(told[:19], "%Y-%m-%dT%H:%M:%S").astimezone(timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
