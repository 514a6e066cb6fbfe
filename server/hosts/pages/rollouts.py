"""The page on which one sees how new agents reach the fleet, and decides about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.hosts import rollouts, schemas
from server.hosts.binaries import SHELF, AgentFile
from server.hosts.errors import NoSuchRollout
from server.hosts.models import Platform
from server.hosts.turns import Rollout
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, read_form
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_HOME: Final = "/settings/agent-versions"
ENTRIES: Final = (
    Entry(
        "Settings",
        "Agent Versions",
        _HOME,
        "refresh",
        order=27,
        permission="can_manage_settings",
        group="Hosts Management",
    ),
)
_WORDS: Final = {
    "first": ("First hosts", "attention"),
    "everywhere": ("Everywhere", "good"),
    "stopped": ("Stopped", "bad"),
}
_LONGEST_NUMBER: Final = 18


@dataclass(frozen=True, slots=True)
class RolloutsPage(Page):
    """templates/hosts/rollouts.html; of each roll-out its hosts that do not run its version, at most 20.

    Attributes:
        files: what each system and architecture is handed; ``None`` where no file is there.
        folder: where they lie.
    """

    template: ClassVar[str] = "hosts/rollouts.html"
    title: ClassVar[str] = "Agent versions"
    home: str
    rollouts: list[tuple[Rollout, list[dict[str, Any]]]]
    words: dict[str, tuple[str, str]]
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    files: list[tuple[Platform, str, AgentFile | None]]
    folder: str


@routes.get(_HOME)
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Show each agent file the fleet was offered, and the rule."""
    return await _render(request, {}, {})


async def _render(request: web.Request, typed: dict[str, str], wrong: dict[str, str]) -> web.Response:
    asked = call(request)
    rule = await rollouts.rule(asked)
    fields = filled(
        [
            Field(
                "first_percent",
                "Hosts that come first, of a hundred",
                "number",
                value=rule.first_percent,
                help="Drawn anew for every version; at least one. With 100 there is no second step.",
            ),
            Field(
                "wait_minutes",
                "Minutes before the others follow",
                "number",
                value=rule.wait_minutes,
                help="And only once every first host is back with the new version.",
            ),
        ],
        dict(typed),
        wrong,
    )
    files, folder = await request.app[SHELF].everything(), str(asked.world.env.agents_dir)
    page = RolloutsPage(
        _HOME, await rollouts.shown(asked), _WORDS, fields, complained(fields, wrong), files, folder
    )  # fmt: skip
    return render(request, page, status=400 if wrong else 200)


@routes.post(_HOME)
@gated("can_manage_settings")
async def change(request: web.Request) -> web.Response:
    """Change the rule."""
    values = await form_values(request)
    typed = {name: str(values.get(name, "")) for name in ("first_percent", "wait_minutes")}
    if wrong := {name: "Must be a whole number" for name, text in typed.items() if not _is_number(text)}:
        return await _render(request, typed, wrong)
    try:
        await rollouts.change_rule(call(request), int(typed["first_percent"]), int(typed["wait_minutes"]))
    except Invalid as refused:
        return await _render(request, typed, dict(refused.complaints))
    return _done(request, "Saved.")


@routes.post(_HOME + "/{rollout}")
@gated("can_manage_settings")
async def decide(request: web.Request) -> web.Response:
    """Let a version go everywhere now, or stop it."""
    form = await read_form(request, schemas.RolloutForm)
    text = path_text(request, "rollout")
    if not _is_number(text):
        raise NoSuchRollout
    await rollouts.decide(call(request), int(text), go_on=form.decision == "everywhere")
    return _done(request, "Every host may take it now." if form.decision == "everywhere" else "No other host takes it.")


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _LONGEST_NUMBER


def _done(request: web.Request, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": _HOME})
    flash.say(answer, request, "good", text)
    return answer
