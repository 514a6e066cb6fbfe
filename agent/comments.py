"""Comments of a file of keys and values, carried over to what it is rewritten as."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Tuple

Path = Tuple[str, ...]
_KEY = re.compile(r"^( *)([A-Za-z0-9_.-]+):( |$)")
#: Behind a value; a mark within quotes is none.
_BEHIND = re.compile(r"""^[^"'#]*?(?:"[^"]*"|'[^']*')?[^"'#]*?(\s+#.*)$""")


def carried(old: str, new: str) -> str:
    """Return ``new`` with the comments of ``old`` at the keys they belonged to; those of gone keys stand last."""
    above, behind, rest = _comments(old)
    lines: List[str] = []
    for path, line in _keys(new):
        lines += above.pop(path, [])
        lines.append(line + behind.pop(path, ""))
    # What stood with a key that is gone still says something to who wrote it.
    lines += [line for block in above.values() for line in block] + rest
    return "\n".join(lines) + "\n"


def _comments(text: str) -> Tuple[Dict[Path, List[str]], Dict[Path, str], List[str]]:
    above: Dict[Path, List[str]] = {}
    behind: Dict[Path, str] = {}
    waiting: List[str] = []
    for path, line in _keys(text):
        if line.lstrip().startswith("#"):
            waiting.append(line)
        elif path:
            if waiting:
                above[path] = waiting
                waiting = []
            found = _BEHIND.match(line)
            if found:
                behind[path] = found.group(1)
    return above, behind, waiting


def _keys(text: str) -> Iterator[Tuple[Path, str]]:
    """Yield each line with the path of the key it begins; an empty one where it begins none."""
    stack: List[Tuple[int, str]] = []
    for line in text.splitlines():
        found = _KEY.match(line)
        if found is None:
            yield (), line
            continue
        depth = len(found.group(1))
        stack = [one for one in stack if one[0] < depth] + [(depth, found.group(2))]
        yield tuple(name for _, name in stack), line
