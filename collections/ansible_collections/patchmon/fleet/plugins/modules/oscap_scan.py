#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module oscap_scan: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oscap_scan
short_description: Scan the host against a security benchmark
version_added: 1.0.0
description:
  - Evaluates a profile of a security guide with OpenSCAP, and the CIS benchmark for Docker with Docker Bench.
  - The complete result is left as a result file for the agent. Progress is told rule by rule.
  - A scanner that cannot run does not keep the others from running; it fails in the result, with the reason.
attributes:
  check_mode:
    description: Scans, which changes nothing, and fixes nothing.
    support: full
  diff_mode:
    description: Nothing is compared.
    support: none
  platform:
    description: Systems that the module works on.
    support: full
    platforms: posix
options:
  scanners:
    description: Which scanners run, one after another.
    type: list
    elements: str
    choices: [openscap, docker-bench]
    default: [openscap]
  profile:
    description: The profile, as V(level1_server), V(level2_server), or as the guide names it.
    type: str
    default: level1_server
  remediate:
    description: Have OpenSCAP fix what fails. This changes the configuration of the host.
    type: bool
    default: false
  rules:
    description: Evaluate only these rules of the profile.
    type: list
    elements: str
    default: []
  content:
    description: A guide on the host. Empty, the one that fits its system is fetched from the server or found.
    type: path
    default: ""
  arf:
    description:
      - Leave the scanner's own result (Asset Reporting Format) as a result file too, packed.
      - It holds the whole guide and is megabytes long.
    type: bool
    default: false
  oscap:
    description: Path of the scanner.
    type: path
    default: ""
author:
  - The PatchMon contributors (@patchmon)
"""

EXAMPLES = r"""
- name: Scan with the default profile
  patchmon.fleet.oscap_scan:

- name: Look at one rule again
  patchmon.fleet.oscap_scan:
    rules: [xccdf_org.ssgproject.content_rule_file_permissions_etc_shadow]
"""

RETURN = r"""
scans:
  description: What each scanner found, in numbers.
  returned: always
  type: list
  elements: dict
  sample:
    - profile_type: openscap
      status: completed
      error: ""
      passed: 210
      failed: 31
"""

import base64
import gzip
import io
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils import _oscap
from ansible_collections.patchmon.fleet.plugins.module_utils._live import LiveLines
from ansible_collections.patchmon.fleet.plugins.module_utils._result import write_result

_MOST_ARF_BYTES = 32 * 1024 * 1024
_COUNTED = {"pass": "passed", "fail": "failed", "warn": "warnings", "error": "errors"}


def main():
    """Run."""
    module = AnsibleModule(
        argument_spec={
            "scanners": {
                "type": "list",
                "elements": "str",
                "choices": ["openscap", "docker-bench"],
                "default": ["openscap"],
            },
            "profile": {"type": "str", "default": "level1_server"},
            "remediate": {"type": "bool", "default": False},
            "rules": {"type": "list", "elements": "str", "default": []},
            "content": {"type": "path", "default": ""},
            "arf": {"type": "bool", "default": False},
            "oscap": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    say = LiveLines()
    scans = [_scan(module, kind, say) for kind in module.params["scanners"]]
    identifier, version = _oscap.system()
    write_result("oscap_scan", {"scans": scans, "os_info": {"id": identifier, "version": version}})
    say.close()
    told = [_told(scan) for scan in scans]
    if all(scan["status"] == "failed" for scan in scans):
        module.fail_json(msg="; ".join(scan["error"] for scan in scans), scans=told)
    module.exit_json(changed=any(scan.get("remediation_count") for scan in scans), scans=told)


def _scan(module, kind, say):
    wanted = module.params
    try:
        if kind == "docker-bench":
            return _oscap.bench(say)
        program = _oscap.program(wanted["oscap"])
        guide = _oscap.content(wanted["content"], wanted["profile"])
        remediate = wanted["remediate"] and not module.check_mode
        keep = (lambda path: _keep(path, say)) if wanted["arf"] else None
        return _oscap.openscap(program, guide, wanted["profile"], wanted["rules"], remediate, say, keep)
    except _oscap.CannotScan as error:
        say(str(error))
        return _oscap.failed(kind, wanted["profile"] if kind == "openscap" else "Docker Bench for Security", str(error))


def _keep(path, say):
    packed = io.BytesIO()
    with open(path, "rb") as source, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as target:
        shutil.copyfileobj(source, target)
    if packed.tell() > _MOST_ARF_BYTES:
        say("The scanner's own result is not kept: packed it has {0} bytes".format(packed.tell()))
        return
    write_result("oscap_arf", {"encoding": "gzip+base64", "arf": base64.b64encode(packed.getvalue()).decode("ascii")})


def _told(scan):
    numbers = dict.fromkeys(_COUNTED.values(), 0)
    for one in scan["results"]:
        name = _COUNTED.get(one["status"])
        if name:
            numbers[name] += 1
    return dict(numbers, profile_type=scan["profile_type"], status=scan["status"], error=scan.get("error", ""))


if __name__ == "__main__":
    main()
