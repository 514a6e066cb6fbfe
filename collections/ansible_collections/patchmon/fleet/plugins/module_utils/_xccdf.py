# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what OpenSCAP writes about a scan, one element at a time; private to this collection."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Tuple, Union
from xml.etree import ElementTree as ET

_SHELL = "urn:xccdf:fix:script:sh"
#: Where the numbers of benchmarks stand among a rule's references.
_SECTIONS = ("cisecurity.org", "cis-benchmark")
_STATES = {
    "pass": "pass",
    "fixed": "pass",
    "fail": "fail",
    "error": "error",
    "unknown": "error",
    "notapplicable": "notapplicable",
    "notchecked": "skipped",
    "informational": "skipped",
}
_MOST_PROSE = 8000
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"^\d+(\.\d+)*$")

Rule = Dict[str, Any]
#: Text, or the name of a value that the profile sets.
_Part = Union[str, Tuple[str]]


def results(path: str) -> Tuple[List[Rule], Dict[str, Any]]:
    """Return the rules that were evaluated and what is said of the whole: when it began, how many were fixed.

    Every element is thrown away as soon as it was read; a file of 40 MB takes as much memory as its rules' texts.

    Raises:
        ET.ParseError: it is no XML, or ends too early.
        OSError: it cannot be read.
    """
    known: Dict[str, Rule] = {}
    fixes: Dict[str, List[_Part]] = {}
    values: Dict[str, str] = {}
    found: List[Tuple[str, str, str]] = []
    whole: Dict[str, Any] = {"fixed": 0, "started_at": None}
    for name, element in _elements(path):
        if name == "Rule":
            reference = element.get("id", "")
            known[reference] = _rule(element)
            fixes[reference] = _fix(element)
        elif name == "set-value":
            values[element.get("idref", "")] = element.text or ""
        elif name == "rule-result":
            found.append((element.get("idref", ""), _text(element, "result"), _text(element, "message")))
        elif name == "TestResult":
            whole["started_at"] = element.get("start-time")
    whole["fixed"] = sum(1 for _, result, _ in found if result == "fixed")
    return [
        {
            **known.get(reference, _unknown(reference)),
            "rule_ref": reference,
            "status": _STATES[result],
            "finding": message,
            "remediation": _filled(fixes.get(reference, []), values),
        }
        for reference, result, message in found
        if result in _STATES
    ], whole


def _elements(path: str) -> Iterator[Tuple[str, ET.Element]]:
    inside = 0
    # The scanner of this host wrote it a moment ago; external entities are not followed anyway.
    for event, element in ET.iterparse(path, ("start", "end")):  # noqa: S314 (as above)
        name = element.tag.rpartition("}")[2]
        if event == "start":
            inside += name in ("Rule", "rule-result")
            continue
        if name in ("Rule", "rule-result"):
            inside -= 1
        # What stands within a rule is wanted until the rule is over.
        if inside == 0:
            yield name, element
            element.clear()


def _rule(element: ET.Element) -> Rule:
    return {
        "title": _text(element, "title"),
        "description": _text(element, "description"),
        "rationale": _text(element, "rationale"),
        "severity": element.get("severity", "unknown"),
        "section": _section(element),
    }


def _unknown(reference: str) -> Rule:
    return {"title": reference, "description": "", "rationale": "", "severity": "unknown", "section": ""}


def _section(element: ET.Element) -> str:
    for child in element:
        if child.tag.endswith("}reference") and any(part in child.get("href", "") for part in _SECTIONS):
            number = (child.text or "").strip()
            if _NUMBER.match(number):
                return number
    return ""


def _text(element: ET.Element, name: str) -> str:
    for child in element:
        if child.tag.rpartition("}")[2] == name:
            return _SPACE.sub(" ", "".join(child.itertext())).strip()[:_MOST_PROSE]
    return ""


def _fix(element: ET.Element) -> List[_Part]:
    for child in element:
        if child.tag.endswith("}fix") and child.get("system") == _SHELL:
            parts: List[_Part] = [child.text or ""]
            for value in child:
                if value.tag.endswith("}sub"):
                    parts.append((value.get("idref", ""),))
                parts.append(value.tail or "")
            return parts
    return []


def _filled(parts: List[_Part], values: Dict[str, str]) -> str:
    text = "".join(part if isinstance(part, str) else values.get(part[0], "") for part in parts)
    return text.strip()[:_MOST_PROSE]
