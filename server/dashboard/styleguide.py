"""The parts that pages are made of, each shown once; for those who build pages."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from server.core.paging import Page as Part
from server.core.paging import Window
from server.dashboard.models import State
from server.web.fields import Field
from server.web.render import Page


def _fields() -> list[Field]:
    return [
        Field("name", "Name", help="What you call it.", placeholder="web-01"),
        Field("days", "Days", "number", value=90),
        Field("scope", "Scope", "choice", value="all", choices=(("all", "All"), ("security", "Security only"))),
        Field("packages", "Packages", "list", help="One a line.", required=False),
        Field("refresh", "Fetch the package lists first", "boolean", value=True),
    ]


@dataclass(frozen=True, slots=True)
class StyleguidePage(Page):
    """templates/styleguide/index.html."""

    template: ClassVar[str] = "styleguide/index.html"
    title: ClassVar[str] = "Parts"
    now: datetime
    earlier: datetime
    fields: list[Field] = field(default_factory=_fields)
    wrong: Field = field(
        default_factory=lambda: Field("wrong", "Wrong", value="two words", complaint="A name holds no space.")
    )
    counts: list[tuple[str, int, State]] = field(
        default_factory=lambda: [("ok", 9, "good"), ("timed out", 2, "attention"), ("failed", 1, "bad")]
    )
    page: Part[str] = field(default_factory=lambda: Part([], 1204, Window(2, 50)))


def styleguide(now: datetime) -> StyleguidePage:
    """Return the page as of ``now``."""
    return StyleguidePage(now, now - timedelta(minutes=3, seconds=12))
