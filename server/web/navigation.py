"""Menu entries and host tabs that rooms register, already filtered by what the person may do."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from server.core.call import Actor, World
from server.web.badges import Badge
from server.web.routing import call, world


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the left navigation; ``prefix`` decides when it is the current one."""

    title: str
    url: str
    icon: str
    active: bool = False
    badge: str = ""
    badge_hint: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A headed group of entries."""

    title: str
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Entry:
    """A room's menu entry.

    Attributes:
        section: "" (top), Fleet, Change, Assure or System; Settings stands above the pages of the settings instead.
        order: position within the section.
        permission: who sees it; empty = everyone signed in.
        group: under which heading it stands among the settings.
        module: the capability module it belongs to; nobody sees it while that is switched off.
    """

    section: str
    title: str
    url: str
    icon: str
    order: int
    permission: str = ""
    group: str = "Server"
    module: str = ""


@dataclass(frozen=True, slots=True)
class HostTab:
    """A tab of the host page; the room that owns it serves ``/hosts/{id}/<name>``."""

    name: str
    title: str
    order: int
    permission: str = "can_view_hosts"


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can begin from anywhere; ``words`` are other names under which it is looked for."""

    title: str
    url: str
    icon: str
    permission: str = ""
    words: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """An entry of the palette; ``words`` is what it is found by."""

    title: str
    url: str
    icon: str
    note: str
    words: str


@dataclass(frozen=True, slots=True)
class Destinations:
    """A headed group of them."""

    title: str
    destinations: list[Destination]


@dataclass(frozen=True, slots=True)
class Menu:
    """Everything the rooms registered; ``app.py`` builds it."""

    entries: tuple[Entry, ...]
    host_tabs: tuple[HostTab, ...]
    actions: tuple[Action, ...] = ()


MENU: Final = web.AppKey("menu", Menu)
ModulesReader = Callable[[World], Collection[str]]
#: Which modules are switched off; the settings room sets it. Asked for every page, so it only looks at what is kept.
MODULES_OFF: Final[web.AppKey[ModulesReader]] = web.AppKey("modules_off")
_SECTIONS: Final = ("", "Fleet", "Change", "Assure", "System")
_SETTINGS: Final = ("You", "User Management", "Hosts Management", "Integrations", "Server")


def menu(request: web.Request) -> Menu:
    """Return what there is to see now: nothing of modules that are switched off."""
    whole, reader = request.config_dict[MENU], request.config_dict.get(MODULES_OFF)
    off = reader(world(request)) if reader is not None else ()
    if not off:
        return whole
    return Menu(
        entries=tuple(one for one in whole.entries if one.module not in off),
        host_tabs=whole.host_tabs,
        actions=tuple(one for one in whole.actions if one.module not in off),
    )


def sections(menu: Menu, actor: Actor, path: str, badges: Mapping[str, Badge] | None = None) -> list[Section]:
    """Return the navigation of this person on this page; ``badges`` are by the address of their entry."""
    found = []
    beside = badges or {}
    for title in _SECTIONS:
        entries = sorted((e for e in menu.entries if e.section == title), key=lambda entry: entry.order)
        items = [
            Item(
                entry.title,
                entry.url,
                entry.icon,
                active=_is_current(entry.url, path),
                badge=beside[entry.url].text if entry.url in beside else "",
                badge_hint=beside[entry.url].hint if entry.url in beside else "",
            )
            for entry in entries
            if not entry.permission or actor.may(entry.permission)
        ]
        if items:
            found.append(Section(title, items))
    return found


def settings(menu: Menu, actor: Actor, path: str) -> list[Section]:
    """Return what leads from one page of the settings to the others; empty on every other page."""
    entries = sorted((e for e in menu.entries if e.section == "Settings"), key=lambda entry: entry.order)
    groups: dict[str, list[Item]] = {title: [] for title in _SETTINGS}
    for entry in entries:
        if not entry.permission or actor.may(entry.permission):
            item = Item(entry.title, entry.url, entry.icon, active=_is_current(entry.url, path))
            groups.setdefault(entry.group, []).append(item)
    found = [Section(title, items) for title, items in groups.items() if items]
    return found if any(item.active for section in found for item in section.items) else []


def palette(menu: Menu, actor: Actor) -> list[Destinations]:
    """Return what the palette offers this person before anything is typed: pages, settings and actions."""
    places = {title: number for number, title in enumerate((*_SECTIONS, "Settings"))}
    entries = [entry for entry in menu.entries if not entry.permission or actor.may(entry.permission)]
    entries.sort(key=lambda entry: (places.get(entry.section, len(places)), entry.order))
    pages = [
        Destination(entry.title, entry.url, entry.icon, entry.section, f"{entry.section} {entry.title}")
        for entry in entries
    ]
    actions = [
        Destination(one.title, one.url, one.icon, "", f"{one.title} {one.words}")
        for one in menu.actions
        if not one.permission or actor.may(one.permission)
    ]
    return [group for group in (Destinations("Pages", pages), Destinations("Actions", actions)) if group.destinations]


def host_tabs(request: web.Request) -> list[tuple[str, str]]:
    """Return name and title of the host page's tabs for this person, in order."""
    actor = call(request).actor
    tabs = sorted((tab for tab in menu(request).host_tabs if actor.may(tab.permission)), key=lambda tab: tab.order)
    return [(tab.name, tab.title) for tab in tabs]


def _is_current(url: str, path: str) -> bool:
    return path == url if url == "/" else path == url or path.startswith(url + "/")
