"""Lists: one description of a list makes its address, what is read from it, and what its template shows.

A room describes a list once (``Table``). ``parse`` turns a query into what is wanted, whatever the query holds;
``Wanted.address`` turns it back, leaving out what is as usual, so that equal lists have equal addresses. ``listing``
adds what was found; templates/parts/list.html shows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiMapping

from server.core.paging import Window
from server.web.filters import Filter, Value, read, text
from server.web.formats import link
from server.web.routing import is_fragment

Direction = Literal["asc", "desc"]
Place = Literal["", "title", "state", "prose"]
#: Names that stand for themselves in an address; no filter may be called like one.
RESERVED: Final = frozenset({"search", "sort", "direction", "page", "size", "columns"})
_PAGE_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        first: the direction of the first click on its head.
        shown: whether it is there before anybody has chosen columns.
        fixed: it cannot be left out.
        place: where it stands in a card on a phone: as its title, beside it, or below as prose without a label.
        wide_only: it gives way first where there is little room.
    """

    key: str
    label: str
    sortable: bool = False
    numeric: bool = False
    first: Direction = "asc"
    shown: bool = True
    fixed: bool = False
    place: Place = ""
    wide_only: bool = False


@dataclass(frozen=True, slots=True)
class Bulk:
    """What can be done with the chosen rows; ``confirm`` is asked first and says what it will touch."""

    title: str
    url: str
    icon: str = ""
    kind: Literal["", "primary", "danger"] = ""
    confirm: str = ""
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A list.

    Attributes:
        name: part of the ids on the page.
        noun: what one row is called.
        search: what the search box says; empty: there is none.
        sort: the column it is sorted by when nobody says otherwise.
        exports: pairs of word and address; they get the same query.
        empty: the sentence for a list without a row, and what fills it (word, address).
        save_url: where a view is kept under a name; it gets the list's ``address``.
        keep_url: where this person's usual columns are kept; posted are ``list`` and ``columns``.
    """

    name: str
    path: str
    noun: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    search: str = ""
    sort: str = ""
    direction: Direction = "asc"
    size: int = 50
    sizes: tuple[int, ...] = (25, 50, 100, 200)
    bulk: tuple[Bulk, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    empty: str = "Nothing here yet."
    empty_icon: str = "circle-dashed"
    empty_action: tuple[str, str] | None = None
    save_url: str = ""
    keep_url: str = ""

    @property
    def usual_columns(self) -> tuple[str, ...]:
        """The columns that are there before anybody has chosen."""
        return tuple(column.key for column in self.columns if column.shown or column.fixed)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks of a list; every part of it is valid, what was not is in ``complaints`` by name.

    Attributes:
        filters: values by key; several choices are a tuple. Only filters in use are there.
        columns: those shown, in the order they are shown in.
        usual: those shown when the query names none: what this person kept, or what the list has.
        typed: what stood in the query of filters that make no sense, to be shown again.
    """

    table: Table
    search: str = ""
    sort: str = ""
    direction: Direction = "asc"
    window: Window = field(default_factory=Window)
    filters: Mapping[str, Value] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    complaints: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str | int | None]:
        """What an address needs to say: everything that is not as usual, in one order."""
        table = self.table
        plain = self.sort == table.sort and self.direction == table.direction
        return {
            "search": self.search,
            **{key: _joined(self.filters[key]) for key in _keys(table) if key in self.filters},
            "sort": None if plain else self.sort,
            "direction": None if plain else self.direction,
            "size": None if self.window.size == table.size else self.window.size,
            "columns": None if self.columns == self.usual else ",".join(self.columns),
            "page": None if self.window.page == 1 else self.window.page,
        }

    def address(self, **changes: str | int | None) -> str:
        """Return the address of this list with some parts changed; its first page unless ``page`` says which."""
        return link(self.table.path, {**self.parameters, "page": None, **changes})

    @property
    def here(self) -> str:
        """The address of exactly this list."""
        return link(self.table.path, self.parameters)

    def value(self, key: str) -> str:
        """Return what the field of a filter shows."""
        return _joined(self.filters[key]) if key in self.filters else self.typed.get(key, "")

    @property
    def narrowed(self) -> bool:
        """Whether the list leaves anything out."""
        return bool(self.search or self.filters)


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head: where a click leads, and how the list is sorted by it now (nothing: it is not)."""

    column: Column
    url: str = ""
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """A view somebody kept: a name for an address."""

    name: str
    url: str
    active: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A list with what was found, as templates/parts/list.html takes it.

    Attributes:
        total: how many rows match; ``capped``: there are more, nobody counted further.
        chips: pairs of words and the address without that filter.
        bulk: what this person may do with chosen rows.
    """

    wanted: Wanted
    total: int
    heads: tuple[Head, ...]
    chips: tuple[tuple[str, str], ...]
    bulk: tuple[Bulk, ...] = ()
    views: tuple[Saved, ...] = ()
    capped: bool = False
    trouble: str = ""

    @property
    def table(self) -> Table:
        """Its description."""
        return self.wanted.table

    @property
    def cells(self) -> tuple[tuple[str, str, str], ...]:
        """Key, classes and label (on phones) of each column's cells: asked once, not for every cell."""
        return tuple(_cell(head.column) for head in self.heads)

    @property
    def choosable(self) -> tuple[Column, ...]:
        """Every column, those shown first and in their order."""
        shown = [head.column for head in self.heads]
        return (*shown, *(column for column in self.table.columns if column not in shown))

    @property
    def pages(self) -> int:
        """How many pages can be reached."""
        return max(1, -(-self.total // self.wanted.window.size))

    @property
    def reach(self) -> tuple[int, int]:
        """The numbers of the first and the last row of this page."""
        window = self.wanted.window
        return min(self.total, window.offset + 1), min(self.total, window.offset + window.size)


_PLACES: Final = {"title": "cell-title", "state": "cell-state", "prose": "cell-prose"}


def _cell(column: Column) -> tuple[str, str, str]:
    words = (_PLACES.get(column.place, ""), "num" if column.numeric else "", "wide-only" if column.wide_only else "")
    return column.key, " ".join(filter(None, words)), "" if column.place in {"title", "prose"} else column.label


def parse(table: Table, query: MultiMapping[str] | Mapping[str, str], *, kept: Sequence[str] = ()) -> Wanted:
    """Return what a query asks for; nonsense counts as absent, except in filters, where it is complained of.

    ``kept`` are the columns this person wants to see, if they ever said so.
    """
    given = query if isinstance(query, MultiMapping) else MultiDict(query)
    sort, direction = _order(table, given)
    usual = _ordered(table, kept) or table.usual_columns
    wanted = Wanted(
        table=table,
        search=text(given.get("search", "")) if table.search else "",
        sort=sort,
        direction=direction,
        window=Window(_number(given.get("page", ""), 1), _size(table, given)),
        columns=_ordered(table, [key for value in given.getall("columns", []) for key in value.split(",")]) or usual,
        usual=usual,
    )
    filters: dict[str, Value] = {}
    complaints: dict[str, str] = {}
    typed: dict[str, str] = {}
    for one in table.filters:
        raw = [text(value) for value in given.getall(one.key, [])]
        try:
            value = read(one, raw)
        except ValueError as error:
            complaints[one.key], typed[one.key] = str(error), " ".join(raw)
        else:
            if value:
                filters[one.key] = value
    return replace(wanted, filters=filters, complaints=complaints, typed=typed)


def settled(request: web.Request, wanted: Wanted) -> dict[str, str]:
    """Return the headers of the answer: the browser shall show the one address of this list.

    A form sends its empty fields too, and each box by itself; who asked for a whole page like that is sent to the
    address of that list instead.
    """
    if wanted.complaints:
        return {}
    if is_fragment(request):
        return {"HX-Push-Url": wanted.here}
    if "" in request.query.values() or len(set(request.query)) < len(request.query):
        raise web.HTTPSeeOther(wanted.here)
    return {}


def listing(
    wanted: Wanted,
    total: int,
    *,
    may: Callable[[str], bool],
    views: Sequence[tuple[str, str]] = (),
    capped: bool = False,
    trouble: str = "",
) -> Listing:
    """Return the list for its template.

    Args:
        wanted: what was asked for.
        total: how many rows match.
        may: which permissions the person holds.
        views: kept views, name and address.
        capped: there are more than ``total``; nobody counted further.
        trouble: why there are no rows, if something failed.
    """
    kept = tuple(Saved(name, url, active=url == wanted.address()) for name, url in views)
    allowed = tuple(one for one in wanted.table.bulk if not one.permission or may(one.permission))
    columns = {column.key: column for column in wanted.table.columns}
    heads = tuple(_head(wanted, columns[key]) for key in wanted.columns)
    return Listing(wanted, total, heads, tuple(_chips(wanted)), allowed, kept, capped, trouble)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows a bulk action is for: those with these ids, or all that match."""

    ids: tuple[str, ...]
    matching: Wanted | None = None


def selection(table: Table, form: MultiMapping[str]) -> Selection:
    """Return what was chosen in a posted list: ``row`` per row, or ``all`` with the list's query in ``matching``."""
    if form.get("all"):
        query = MultiDict(parse_qsl(form.get("matching", "")))
        return Selection((), parse(table, query))
    return Selection(tuple(dict.fromkeys(form.getall("row", []))))


def _head(wanted: Wanted, column: Column) -> Head:
    if not column.sortable:
        return Head(column)
    if wanted.sort != column.key:
        return Head(column, wanted.address(sort=column.key, direction=column.first))
    other: Direction = "desc" if wanted.direction == "asc" else "asc"
    usual = (column.key, other) == (wanted.table.sort, wanted.table.direction)
    url = wanted.address(sort=None, direction=None) if usual else wanted.address(sort=column.key, direction=other)
    return Head(column, url, "ascending" if wanted.direction == "asc" else "descending")


def _chips(wanted: Wanted) -> list[tuple[str, str]]:
    chips = [(f"Search: {wanted.search}", wanted.address(search=None))] if wanted.search else []
    for one in wanted.table.filters:
        value = wanted.filters.get(one.key)
        if value is None:
            continue
        words = dict(one.choices)
        if one.kind == "flag":
            chips.append((one.label, wanted.address(**{one.key: None})))
        elif isinstance(value, tuple):
            for each in value:
                rest = ",".join(other for other in value if other != each)
                chips.append((f"{one.label}: {words.get(each, each)}", wanted.address(**{one.key: rest})))
        else:
            chips.append((f"{one.label}: {words.get(value, value)}", wanted.address(**{one.key: None})))
    return chips


def _order(table: Table, given: MultiMapping[str]) -> tuple[str, Direction]:
    column = next((one for one in table.columns if one.sortable and one.key == given.get("sort", "")), None)
    if column is None:
        return table.sort, table.direction
    asked = given.get("direction", "")
    return column.key, "asc" if asked == "asc" else "desc" if asked == "desc" else column.first


def _size(table: Table, given: MultiMapping[str]) -> int:
    size = _number(given.get("size", ""), table.size)
    return size if size in table.sizes else table.size


def _ordered(table: Table, chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen columns in their order, the fixed ones among them; nothing if none of them is known."""
    known = {column.key for column in table.columns}
    kept = [key for key in dict.fromkeys(chosen) if key in known]
    if not kept:
        return ()
    return (*(column.key for column in table.columns if column.fixed and column.key not in kept), *kept)


def _number(text: str, default: int) -> int:
    return min(_PAGE_MOST, max(1, int(text))) if text.isdecimal() and len(text) < 10 else default  # noqa: PLR2004 (keeps int() small)


def _joined(value: Value) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _keys(table: Table) -> list[str]:
    return [one.key for one in table.filters]
