"""Writes docs/routes.md, the table of every route and its gate; ``--check`` says whether the page is still true."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp.web_routedef import RouteDef

from server.app import drawers
from server.web.routing import Gate, gate_of

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "routes.md"
_HEAD: Final = """\
# Routes

Every route of the server and its gate: who may pass. Written by `make fix`; `make check` fails while the page and the
code differ, the server does not start with a route that states no gate, and `tests/identity/test_walk.py` calls every
route as each kind of asker and compares the answers with this table.

*Gate* is one of: **open** (everybody, for the stated reason), **signed in** (a session or a personal token, whatever it
may do), a **permission** (any one of those named is enough), **agent** (the credentials of a host). *Also* says which
module has to be switched on, and whether who must still set up a second factor may pass. *Limits* are the groups in
which a request counts ([settings.md](settings.md) has their sizes).

Whoever is limited to host groups meets the same gates, without the permissions over the server as a whole
(`can_manage_settings`, `can_manage_superusers`, `can_manage_billing`). Behind a gate, a host, a job or a group outside
those groups answers 404 as if it did not exist.

| Method | Path | Gate | Also | Limits |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``permissions`` are empty unless ``gate`` is permission."""

    method: str
    path: str
    gate: str
    permissions: tuple[str, ...]
    module: str
    note: str
    limits: tuple[str, ...]

    def text(self) -> str:
        """Return the line as the page has it."""
        gate = " or ".join(f"`{one}`" for one in self.permissions) if self.permissions else self.gate
        if self.gate == "open":
            gate = f"open: {self.note}"
        also = "; ".join(
            [*([f"module `{self.module}`"] if self.module else []), *([self.note] if self.gate != "open" else [])]
        ).strip("; ")
        return f"| {self.method} | `{self.path}` | {gate} | {also} | {', '.join(self.limits)} |"


def table() -> list[Row]:
    """Return every route of the code, by path; the static files are no route of ours."""
    rows = [_row(route, gate_of(route.handler)) for route in _routes()]
    return sorted(rows, key=lambda row: (row.path, row.method))


def _routes() -> Iterator[RouteDef]:
    for drawer in drawers():
        for route in getattr(drawer, "routes", ()):
            if isinstance(route, RouteDef):
                yield route


def _row(route: RouteDef, gate: Gate | None) -> Row:
    method = "any" if route.method == "*" else route.method
    if gate is None:
        return Row(method, route.path, "NONE", (), "", "", ())
    note = gate.reason or ("also before the second factor is set up" if gate.while_enrolling else "")
    kind = gate.kind.replace("_", " ")
    return Row(method, route.path, kind, gate.permissions, gate.module, note, gate.limits)


_LINE: Final = re.compile(r"^\| (\S+) \| `(\S+)` \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def written(text: str) -> list[Row]:
    """Return the rows that the page says."""
    return [_parsed(*found.groups()) for found in _LINE.finditer(text)]


def _parsed(method: str, path: str, gate: str, also: str, limits: str) -> Row:
    permissions = tuple(re.findall(r"`(\w+)`", gate)) if gate.startswith("`") else ()
    module = re.search(r"module `(\w+)`", also)
    note = re.sub(r"module `\w+`(; )?", "", also)
    if gate.startswith("open: "):
        note = gate.removeprefix("open: ")
    kind = "permission" if permissions else gate.split(":", 1)[0]
    return Row(
        method, path, kind, permissions, module[1] if module else "", note, tuple(filter(None, limits.split(", ")))
    )


def page() -> str:
    """Return what docs/routes.md has to say."""
    return _HEAD + "".join(f"{row.text()}\n" for row in table())


def main() -> int:
    """Write the page, or with ``--check`` compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        if not same:
            print("docs/routes.md does not say what the code does: run `make fix`")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
