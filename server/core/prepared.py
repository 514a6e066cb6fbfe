"""Statements that a connection parses and plans once: for the few that run with nearly every request."""

import re
from itertools import count
from typing import Any, Final, Self

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_numbers: Final = count(1)


class Prepared(str):  # noqa: SLOT000 (a text cannot have slots of its own)
    """A statement with named parameters; used like any other, and worth it when planning costs more than running.

    Each connection keeps its own under a name of its own, so that an attempt that was cut off harms nothing.
    """

    _body: str
    _types: str
    _call: str

    def __new__(cls, sql: str, **types: str) -> Self:
        """Take the statement and the type of each parameter, as PostgreSQL names it."""
        made = super().__new__(cls, sql)
        names = list(dict.fromkeys(_PARAMETER.findall(sql)))
        if set(names) != set(types):
            message = f"types of {sorted(types)} for parameters {sorted(names)}"
            raise ValueError(message)
        places = {name: f"${place}" for place, name in enumerate(names, 1)}
        made._body = _PARAMETER.sub(lambda found: places[found[1]], sql).replace("%%", "%")
        made._types = ", ".join(types[name] for name in names)
        made._call = ", ".join(f"%({name})s" for name in names)
        return made

    async def ready(self, connection: Any, cursor: Any) -> str:
        """Return what to run on this connection instead, with the same parameters; prepares it there if need be."""
        known: dict[str, str] = connection.prepared
        name = known.get(self)
        if name is None:
            name = f"pm_{next(_numbers)}"
            await cursor.execute(f"prepare {name} ({self._types}) as {self._body}")
            known[self] = name
        return f"execute {name} ({self._call})"
