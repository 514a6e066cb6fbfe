"""Kept views of lists, and how a list opens for somebody."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class View:
    """A list's address under a name.

    Attributes:
        path, query: the two parts of the address; the query does not name a page.
        shared: whoever may open the list sees the view.
        own: it belongs to whoever asks.
    """

    id: str
    path: str
    query: str
    name: str
    shared: bool
    own: bool
    owner: str
    created_at: datetime

    @property
    def address(self) -> str:
        """Where it leads."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Choice:
    """How a list opens for somebody: its columns in their order, and the rest of its query."""

    columns: tuple[str, ...] = ()
    query: str = ""


@dataclass(frozen=True, slots=True)
class NewView:
    """A view that is to be kept."""

    path: str
    query: str
    name: str
    shared: bool = False
