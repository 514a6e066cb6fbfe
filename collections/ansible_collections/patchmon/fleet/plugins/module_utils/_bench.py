# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Docker Bench for Security prints; private to this collection."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List

#: Where distributions and people put the script.
PLACES = (
    "/usr/share/docker-bench-security/docker-bench-security.sh",
    "/usr/local/share/docker-bench-security/docker-bench-security.sh",
    "/opt/docker-bench-security/docker-bench-security.sh",
)
SECTIONS = {
    "1": "Host Configuration",
    "2": "Docker Daemon Configuration",
    "3": "Docker Daemon Configuration Files",
    "4": "Container Images and Build File",
    "5": "Container Runtime",
    "6": "Docker Security Operations",
    "7": "Docker Swarm Configuration",
}
_STATES = {"PASS": "pass", "WARN": "warn", "INFO": "skipped", "NOTE": "skipped"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"^\[(PASS|WARN|INFO|NOTE)\]\s+(\d+(?:\.\d+)+)\s+-\s+(.*)$")
_MORE = re.compile(r"^\[(?:PASS|WARN|INFO|NOTE)\]\s+\*\s+(.*)$")


def results(lines: Iterable[str]) -> List[Dict[str, Any]]:
    """Return a result for each numbered check; what the script lists beneath one is its finding."""
    found: List[Dict[str, Any]] = []
    for line in lines:
        text = _COLOUR.sub("", line).strip()
        check = _LINE.match(text)
        if check:
            number, title = check.group(2), check.group(3).strip()
            found.append(
                {
                    "rule_ref": number,
                    "title": title,
                    "section": SECTIONS.get(number.partition(".")[0], ""),
                    "severity": "unknown",
                    "status": _STATES[check.group(1)],
                    "finding": "",
                }
            )
            continue
        more = _MORE.match(text)
        if more and found:
            last = found[-1]
            last["finding"] = f"{last['finding']}\n{more.group(1)}".strip()
    return found
