"""Pages and sort orders of lists."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is asked for: page counts from 1."""

    page: int = 1
    size: int = 50

    @property
    def offset(self) -> int:
        """Rows to skip."""
        return (self.page - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list and how many there are in all."""

    items: list[Item]
    total: int
    window: Window

    @property
    def pages(self) -> int:
        """How many pages the list has; at least one, an empty list is a page too."""
        return max(1, -(-self.total // self.window.size))

    @property
    def place(self) -> dict[str, int]:
        """Where in the whole list this part is, as programs are told."""
        return {"page": self.window.page, "limit": self.window.size, "total": self.total, "pages": self.pages}
