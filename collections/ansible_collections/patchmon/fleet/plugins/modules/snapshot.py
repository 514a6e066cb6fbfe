#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module snapshot: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Keep or put back /etc and the package database
version_added: 1.0.0
description:
  - Archives C(/etc) and the database of the package manager before something changes, and puts them back.
  - An archive is readable by root only, because C(/etc) holds secrets. It appears under its name once it is complete.
  - Putting back replaces files one by one. Files that came after the snapshot stay where they are.
  - >-
    The package database is put back only when it is asked for. It must match the files of the packages, so do that to
    mend a damaged database and not to undo an update; M(patchmon.fleet.package_rollback) does that.
attributes:
  check_mode:
    description: Tells what would be archived, or which files differ and would be put back.
    support: full
  diff_mode:
    description: Shows nothing; the files may be secret.
    support: none
  platform:
    description: Systems that the module works on.
    support: full
    platforms: posix
options:
  action:
    description: V(take) writes an archive, V(restore) puts one back.
    type: str
    default: take
    choices: [take, restore]
  folder:
    description: Folder of the archives. It is made when it is missing.
    type: path
    default: /var/lib/patchmon-agent/snapshots
  keep:
    description: How many archives stay, the new one included. Older ones are removed once the new one is complete.
    type: int
    default: 3
  archive:
    description: Name of the archive to put back, or V(latest).
    type: str
    default: latest
  parts:
    description: What to put back.
    type: list
    elements: str
    choices: [etc, package_database]
    default: [etc]
  root:
    description: Folder that holds the system. Anything but V(/) is for images.
    type: path
    default: /
  lock_timeout_seconds:
    description: How long to wait while another program holds the package database.
    type: int
    default: 600
requirements:
  - Python 3.9 or newer on the host
author:
  - The PatchMon contributors (@PatchMon)
seealso:
  - module: patchmon.fleet.package_rollback
"""

EXAMPLES = r"""
- name: Keep the configuration before an update
  patchmon.fleet.snapshot:
    keep: 5

- name: Put the newest kept configuration back
  patchmon.fleet.snapshot:
    action: restore
"""

RETURN = r"""
archive:
  description: Path of the archive that was written; empty when one was put back.
  returned: success
  type: str
files:
  description: Number of files in it.
  returned: success
  type: int
content_bytes:
  description: Size of these files.
  returned: success
  type: int
archive_bytes:
  description: Size of the archive, 0 in check mode.
  returned: success
  type: int
removed:
  description: Archives that were removed, or would be.
  returned: success
  type: list
  elements: str
restored:
  description: Paths that differed and were put back, or would be; the first thousand.
  returned: success
  type: list
  elements: str
restored_count:
  description: Number of all of them.
  returned: success
  type: int
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._live import LiveLines
from ansible_collections.patchmon.fleet.plugins.module_utils._result import write_result
from ansible_collections.patchmon.fleet.plugins.module_utils._snapshot import Place, SnapshotError, restore, take
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError

MOST_PATHS = 1000
ARGUMENTS = {
    "action": {"type": "str", "default": "take", "choices": ["take", "restore"]},
    "folder": {"type": "path", "default": "/var/lib/patchmon-agent/snapshots"},
    "keep": {"type": "int", "default": 3},
    "archive": {"type": "str", "default": "latest"},
    "parts": {"type": "list", "elements": "str", "choices": ["etc", "package_database"], "default": ["etc"]},
    "root": {"type": "path", "default": "/"},
    "lock_timeout_seconds": {"type": "int", "default": 600},
}


def main():
    """Read the options, take or restore, answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    live = LiveLines()
    try:
        result = act(module.params, live, check=module.check_mode)
    except (PackageManagerError, OSError) as problem:
        live(f"Failed: {problem}")
        write_result("snapshot", {"check": module.check_mode, "error": str(problem)})
        module.fail_json(msg=str(problem))
    finally:
        live.close()
    write_result("snapshot", {"check": module.check_mode, **result})
    module.exit_json(changed=bool(result["archive"] or result["restored"]), **result)


def act(params, live, check):
    """Do it; the values that RETURN describes."""
    if params["keep"] < 1:
        raise SnapshotError("At least one snapshot must be kept. Nothing was changed.")
    place = Place(Path(params["root"]), Path(params["folder"]), params["lock_timeout_seconds"])
    empty = {"archive": "", "files": 0, "content_bytes": 0, "archive_bytes": 0, "removed": []}
    if params["action"] == "restore":
        paths = restore(place, params["archive"], params["parts"], live, check=check)
        live(f"{len(paths)} paths {'would be' if check else 'were'} put back")
        return {**empty, "restored": paths[:MOST_PATHS], "restored_count": len(paths)}
    taken = take(place, params["keep"], live, check=check)
    return {
        "archive": str(taken.archive),
        "files": taken.files,
        "content_bytes": taken.content_bytes,
        "archive_bytes": taken.archive_bytes,
        "removed": [str(path) for path in taken.removed],
        "restored": [],
        "restored_count": 0,
    }


if __name__ == "__main__":
    main()
