"""The dotenv file: ``KEY=value`` lines with quotes, comments and ``${OTHER}``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(
    r"""^\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
    (?:'(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<bare>.*?))\s*(?:(?:^|(?<=\s)|(?<=['"]))\#.*)?$""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")
_OTHER: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def with_file(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables together with those of the file that ``ENV_FILE`` names; what is set outside wins."""
    path = variables.get("ENV_FILE", "")
    try:
        text = Path(path).read_text("utf-8-sig", errors="replace") if path else ""
    except OSError:
        # Whoever sets everything in the process's environment has no file.
        text = ""
    said = {name: value for name, value in variables.items() if value.strip()}
    return {**variables, **from_file(text, said), **said}


def from_file(text: str, outer: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a file in the usual form: ``KEY=value``, quotes, comments, ``${OTHER}``.

    ``outer`` is where other names are looked up first. Single quotes keep everything as it is.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            found[match["name"]] = _value(match, {**found, **outer})
    return found


def _value(line: re.Match[str], known: Mapping[str, str]) -> str:
    if line["single"] is not None:
        return line["single"]
    raw = line["bare"]
    if line["double"] is not None:
        raw = _ESCAPE.sub(lambda escaped: {"n": "\n", "t": "\t"}.get(escaped[1], escaped[1]), line["double"])
    return _OTHER.sub(lambda other: known.get(other[1], ""), raw)
