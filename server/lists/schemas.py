"""Bodies of the lists room's doors."""

from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AliasChoices, Field, StringConstraints

from server.lists.models import NewView
from server.web.forms import BadBody, TextBody

ADDRESS_MOST: Final = 2000


class ViewBody(TextBody):
    """A view to keep: ``address`` is the path and the query of a list."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=ADDRESS_MOST)]
    shared: bool = False

    def view(self) -> NewView:
        """Return the model; ``BadBody`` for an address that is none of a list of ours."""
        path, query = split(self.address)
        return NewView(path, query, self.name, self.shared)


class ChoiceBody(TextBody):
    """How a list shall open: its ``list`` name, and the ``query`` it stands at."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")] = Field(
        validation_alias=AliasChoices("list", "name")
    )
    path: Annotated[str, StringConstraints(max_length=ADDRESS_MOST)]
    columns: Annotated[str, StringConstraints(max_length=ADDRESS_MOST)] = ""
    query: Annotated[str, StringConstraints(max_length=ADDRESS_MOST)] = ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(dict.fromkeys(key for key in self.columns.split(",") if key))[:100]

    @property
    def rest(self) -> str:
        """The query without its columns and its page."""
        return _plain(self.query, "columns", "page")


def split(address: str) -> tuple[str, str]:
    """Return the path and the query of an address on this server; its page is left out."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise BadBody({"address": "must be the address of a list"}) from error
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//"):
        raise BadBody({"address": "must be the address of a list on this server"})
    return parts.path, _plain(parts.query, "page")


def _plain(query: str, *without: str) -> str:
    return urlencode([(key, value) for key, value in parse_qsl(query) if key not in without])
