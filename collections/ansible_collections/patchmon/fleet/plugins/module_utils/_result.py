# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves a module's complete result as a file for the agent to upload; private to this collection."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from typing import Mapping, Optional

VARIABLE = "PATCHMON_RESULT_DIR"


def write_result(module: str, result: Mapping[str, object]) -> Optional[str]:
    """Write `{"module": …, "result": …}` in one step; the file's path, None when nobody asked for results.

    An error is raised, not hidden: the agent would otherwise believe that nothing was changed.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    text = json.dumps({"module": module, "result": result}, ensure_ascii=True, separators=(",", ":"))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{module}-", suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        target = _free_name(folder, module)
        os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def _free_name(folder: str, module: str) -> str:
    names = (os.path.join(folder, f"{module}-{os.getpid()}-{number}.json") for number in itertools.count(1))
    return next(name for name in names if not os.path.exists(name))
