"""The parts that pages are made of, each shown in every state; for those who build pages."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from multidict import MultiMapping

from server.core.paging import Page as Part
from server.core.paging import Window
from server.dashboard import samples
from server.dashboard.models import State
from server.web.charts import Bar, Donut, Spark, Trend, spark
from server.web.fields import Field, complained, filled
from server.web.render import Page
from server.web.tables import Listing


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the sample strip."""

    name: str
    title: str
    url: str
    active: bool = False
    count: int | None = None


def _fields() -> list[Field]:
    return [
        Field("name", "Name", help="What you call it.", placeholder="web-01"),
        Field("mail", "E-mail", "email", required=False, autocomplete="off"),
        Field("secret", "Password", "password"),
        Field("days", "Days", "number", value=90),
        Field("scope", "Scope", "choice", value="all", choices=(("all", "All"), ("security", "Security only"))),
        Field("packages", "Packages", "list", help="One a line.", required=False),
        Field("variables", "Variables", "json", value='{\n  "patch_scope": "all"\n}'),
        Field("refresh", "Fetch the package lists first", "boolean", value=True),
    ]


_COMPLAINTS = {
    "wrong_name": "must be one word of letters, digits and dashes",
    "wrong_days": "must be at least 1",
    "wrong_scope": "must be one of: all, security",
    "": "The two dates exclude each other",
}


def _refused() -> list[Field]:
    fields = [
        Field("wrong_name", "Name", help="What you call it."),
        Field("wrong_days", "Days", "number"),
        Field(
            "wrong_scope", "Scope", "choice", choices=(("", "Choose"), ("all", "All"), ("security", "Security only"))
        ),
    ]
    return filled(fields, {"wrong_name": "two words", "wrong_days": 0}, _COMPLAINTS)


def _tabs() -> list[Tab]:
    return [
        Tab("summary", "Summary", "/styleguide", active=True),
        Tab("packages", "Packages", "/styleguide", count=1204),
        Tab("jobs", "Jobs", "/styleguide", count=0),
        Tab("notes", "Notes", "/styleguide"),
    ]


@dataclass(frozen=True, slots=True)
class StyleguidePage(Page):
    """templates/styleguide/index.html."""

    template: ClassVar[str] = "styleguide/index.html"
    title: ClassVar[str] = "Parts"
    now: datetime
    earlier: datetime
    listing: Listing
    rows: list[samples.Row]
    still_lists: list[tuple[str, Listing]]
    trend: Trend
    systems: tuple[Bar, ...]
    health: Donut
    life: list[samples.Happening]
    small: Spark = field(default_factory=lambda: spark((3, 5, 4, 9, 12, 11, 18, 14, 6, 2)))
    tabs: list[Tab] = field(default_factory=_tabs)
    fields: list[Field] = field(default_factory=_fields)
    refused: list[Field] = field(default_factory=_refused)
    complaints: list[tuple[str, str] | str] = field(default_factory=lambda: complained(_refused(), _COMPLAINTS))
    counts: list[tuple[str, int, State]] = field(
        default_factory=lambda: [("ok", 9, "good"), ("timed out", 2, "attention"), ("failed", 1, "bad")]
    )
    page: Part[str] = field(default_factory=lambda: Part([], 1204, Window(2, 50)))


def styleguide(query: MultiMapping[str], now: datetime) -> StyleguidePage:
    """Return the page as of ``now``; the first list does what the query asks of it."""
    found, rows = samples.live_list(query, now)
    return StyleguidePage(
        now=now,
        earlier=now - timedelta(minutes=3, seconds=12),
        listing=found,
        rows=rows,
        still_lists=samples.still_lists(),
        trend=samples.updates_trend(now),
        systems=samples.systems(),
        health=samples.health(),
        life=samples.life(now),
    )
