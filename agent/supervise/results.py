"""What modules left as results: cleaned, named by their digest, moved to the job's own folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Dict, List

from agent.protocol.cleaning import Cleaner

from .record import sync_folder

MAX_BYTES = 64 * 1024 * 1024
_MOST = 1000


def collect(source: Path, target: Path, cleaner: Cleaner) -> List[Dict[str, object]]:
    """Move the results and return their list for ``ended.json``: module, digest, size.

    A file that is no result (too large, no JSON object with a module's name) is left behind.

    Raises:
        OSError: they cannot be written.
    """
    target.mkdir(mode=0o700, exist_ok=True)
    listed = [entry for path in sorted(source.glob("*.json"))[:_MOST] for entry in _move(path, target, cleaner)]
    sync_folder(target)
    return listed


def _move(path: Path, target: Path, cleaner: Cleaner) -> List[Dict[str, object]]:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return []
    try:
        body = json.loads(path.read_bytes().decode("utf-8", "replace"))
    except ValueError:
        return []
    if not isinstance(body, dict) or not isinstance(body.get("module"), str):
        return []
    content = json.dumps(cleaner.value(body), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    digest = hashlib.sha256(content).hexdigest()
    handle = os.open(target / f"{digest}.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    return [{"module": body["module"], "digest": digest, "size": len(content)}]
