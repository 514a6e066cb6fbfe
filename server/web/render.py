"""Pages: one dataclass per template, the shell around it, strict undefined names."""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web
from jinja2.bccache import Bucket

from server import __version__
from server.core import clock
from server.core.loop import in_thread
from server.web import csrf, flash, navigation
from server.web.badges import badges
from server.web.brand import OURS, Brand, brand
from server.web.formats import FILTERS, FUNCTIONS
from server.web.navigation import Destinations, Section
from server.web.routing import call

_HERE: Final = Path(__file__).resolve()
TEMPLATES: Final = next(
    folder for folder in (_HERE.parents[2] / "templates", _HERE.parents[1] / "_data" / "templates") if folder.is_dir()
)


class Page:
    """Base of every page dataclass; ``template`` names its file."""

    template: ClassVar[str]
    title: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as the shell shows it."""

    name: str
    initials: str
    role: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page."""

    title: str
    nav: list[Section]
    person: Person | None
    csrf: str
    theme: str
    flashes: list[tuple[str, str]]
    version: str
    path: str
    search_query: str
    breadcrumbs: Sequence[tuple[str, str]] = ()
    settings: Sequence[Section] = ()
    brand: Brand = OURS
    enrol_by: datetime | None = None
    palette: Sequence[Destinations] = ()
    density: str = "comfortable"


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """templates/error.html."""

    template: ClassVar[str] = "error.html"
    title: ClassVar[str] = "Something went wrong"
    status: int
    text: str
    details: dict[str, Any] = field(default_factory=dict)


class _Compiled(jinja2.BytecodeCache):
    """What the templates became, for every application of this process: compiling a page takes a third of a second."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what this source became, if it is the same source."""
        checksum, code = self._known.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what this source became."""
        if bucket.code is not None:
            self._known[bucket.key] = (bucket.checksum, bucket.code)


_COMPILED: Final = _Compiled()
_BETWEEN_TEMPLATES_SECONDS: Final = 0.25


def set_up(app: web.Application) -> None:
    """Prepare the Jinja environment; undefined names raise."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(FUNCTIONS)
    environment.globals["now"] = clock.now


async def compile_templates(app: web.Application) -> None:
    """Compile every template beside the loop, so that nobody who opens a page for the first time waits for it.

    One at a time with pauses: compiling shares the interpreter with whoever is served meanwhile.
    """
    environment = aiohttp_jinja2.get_env(app)
    for name in sorted(environment.list_templates(("html",)), key=_first_wanted):
        await in_thread(environment.get_template, name)
        await asyncio.sleep(_BETWEEN_TEMPLATES_SECONDS)


def _first_wanted(name: str) -> tuple[bool, str]:
    return not name.startswith(("base", "parts/", "dashboard/", "hosts/list", "hosts/_")), name


def render(
    request: web.Request,
    page: Page,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    template: str = "",
    breadcrumbs: Sequence[tuple[str, str]] = (),
) -> web.Response:
    """Render a page (or one of its fragments, named by ``template``) with its fields and nothing else."""
    fields = {f.name: getattr(page, f.name) for f in dataclasses.fields(page)}  # type: ignore[arg-type]
    context = {**fields, "shell": shell(request, page.title, breadcrumbs)}
    response = aiohttp_jinja2.render_template(template or page.template, request, context, status=status)
    response.headers.update(headers or {})
    response.headers.setdefault("Cache-Control", "no-store")
    if flash.COOKIE in request.cookies:
        response.del_cookie(flash.COOKIE)
    return response


def fragment(request: web.Request, template: str, **context: Any) -> str:
    """Return a fragment's HTML, for live updates; the same file the page includes."""
    return aiohttp_jinja2.render_string(template, request, context)


def shell(request: web.Request, title: str, breadcrumbs: Sequence[tuple[str, str]] = ()) -> Shell:
    """Return what stands around the page for this person."""
    actor = call(request).actor
    menu = navigation.menu(request)
    person = Person(actor.name, _initials(actor.name), actor.role, actor.id) if actor.kind == "person" else None
    # What a person chose follows them; the cookie is for the pages before the sign-in.
    theme = actor.theme or request.cookies.get("theme", "auto")
    return Shell(
        title=title,
        nav=navigation.sections(menu, actor, request.path, badges(request)) if person else [],
        person=person,
        csrf=csrf.token(request),
        theme=theme if theme in {"light", "dark", "auto"} else "auto",
        flashes=flash.heard(request),
        version=__version__,
        path=request.path_qs,
        search_query=request.query.get("q", ""),
        breadcrumbs=breadcrumbs,
        palette=navigation.palette(menu, actor) if person else (),
        density="compact" if request.cookies.get("density") == "compact" else "comfortable",
        settings=navigation.settings(menu, actor, request.path) if person else (),
        brand=brand(request),
        enrol_by=actor.enrol_by if person else None,
    )


def _initials(name: str) -> str:
    words = name.replace(".", " ").replace("_", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"
