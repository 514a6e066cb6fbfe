"""What every sample page shares: the frame, ids, moments."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from server.core import clock
from server.web.navigation import Destination, Destinations, Item, Section
from server.web.render import Person, Shell

PALETTE = [
    Destinations(
        "Pages",
        [
            Destination("Overview", "/", "layout-dashboard", "", "Overview"),
            Destination("Hosts", "/hosts", "server-2", "Fleet", "Fleet Hosts"),
            Destination("Jobs", "/jobs", "list-details", "Change", "Change Jobs"),
        ],
    ),
    Destinations("Actions", [Destination("Add a host", "/hosts/new", "plus", "", "Add a host enrol")]),
]
Context = dict[str, Any]
#: (name of the picture, template, its fields)
Sample = tuple[str, str, Context]


def shell(title: str, path: str, crumbs: tuple[tuple[str, str], ...] = (), **changes: Any) -> Shell:
    """Return the frame of a page, with every entry of the navigation."""
    entries: dict[str, list[tuple[str, str, str, str]]] = {
        "": [("Overview", "/", "layout-dashboard", "")],
        "Fleet": [
            ("Hosts", "/hosts", "server-2", "12"),
            ("Packages", "/packages", "package", ""),
            ("Repositories", "/repositories", "stack-2", ""),
        ],
        "Change": [
            ("Patching", "/patching", "calendar-time", ""),
            ("Jobs", "/jobs", "list-details", "2"),
            ("Playbooks", "/playbooks", "book-2", ""),
        ],
        "System": [("Settings", "/settings", "settings", "")],
    }
    nav = [
        Section(
            name, [Item(word, url, icon, url != "/" and path.startswith(url), badge) for word, url, icon, badge in rows]
        )
        for name, rows in entries.items()
    ]
    frame = Shell(
        title=title,
        nav=nav,
        person=Person("Ada Lovelace", "AL", "superadmin"),
        csrf="sample-token",
        theme="light",
        flashes=[],
        version="3.0.0",
        path=path,
        search_query="",
        breadcrumbs=crumbs,
    )
    return replace(frame, **changes)


def before(**amount: float) -> datetime:
    """Return a moment that long ago."""
    return clock.now() - timedelta(**amount)


def uuid(number: int) -> str:
    """Return an id that is the same in every run."""
    return f"5d1c8a3e-0000-4000-8000-{number:012d}"
