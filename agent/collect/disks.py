"""File systems that hold something."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Tuple

from .base import Collector, Fields, Host

_GIB = 1024**3
_TYPES = frozenset(
    (
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "zfs",
        "f2fs",
        "jfs",
        "reiserfs",
        "vfat",
        "exfat",
        "ntfs",
        "ntfs3",
        "bcachefs",
    ),
)
#: The root of a container; only there does it stand for a disk.
_ROOT_TYPES = frozenset(("overlay", "aufs", "fuse-overlayfs", "tmpfs", "9p", "virtiofs"))


def collect(host: Host) -> Fields:
    """Return every local file system once, at its shortest mount point; network ones could hang and are left out."""
    return {"diskDetails": [row for row in map(_row, _mounts(host)) if row]}


def _mounts(host: Host) -> List[Tuple[str, str]]:
    chosen: Dict[str, str] = {}
    for line in host.read("/proc/self/mounts").splitlines():
        device, point, kind = line.split()[:3]
        point = _plain(point)
        if kind not in _TYPES and not (point == "/" and kind in _ROOT_TYPES):
            continue
        if device not in chosen or len(point) < len(chosen[device]):
            chosen[device] = point
    return sorted(((_plain(device), point) for device, point in chosen.items()), key=lambda pair: pair[1])


def _row(mount: Tuple[str, str]) -> Dict[str, str]:
    device, point = mount
    try:
        found = os.statvfs(point)
    except OSError:
        return {}
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    used = total - found.f_bfree * found.f_frsize
    if not total:
        return {}
    # As df counts: what is reserved for root belongs to neither side.
    share = 100 * used / (used + free) if used + free else 0.0
    size = f"{total / _GIB:.2f}GB ({used / _GIB:.2f}GB used, {free / _GIB:.2f}GB free, {share:.1f}% used)"
    return {"name": device, "size": size, "mountpoint": point}


def _plain(text: str) -> str:
    # The kernel writes blanks and backslashes of a name as octal numbers.
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)


COLLECTOR = Collector("disks", collect)
