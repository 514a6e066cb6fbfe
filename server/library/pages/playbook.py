"""What is said about a playbook beside its text: title, survey, approval, credentials it usually gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.library import credentials, plays, rules, schemas, service
from server.library.models import Project
from server.library.pages.frame import CRUMB, MANAGE, back, many, said, ticked
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_ABOUT: Final = (
    Field("title", "Title", required=False, placeholder="the name of its first play"),
    Field("description", "What it does", "area", required=False),
    Field("approval", "Somebody else must approve a real run", "boolean", value=False, required=False,
          help="Nothing reaches a host before. Dry runs go out at once."),
)  # fmt: skip
_WORDS: Final = {
    "text": "Text", "multiline": "Text of several lines", "password": "Password", "number": "Number",
    "choice": "One of several", "multichoice": "Several of several", "boolean": "Yes or no",
}  # fmt: skip
_TYPES: Final = tuple((kind, _WORDS[kind]) for kind in plays.SURVEY_TYPES)
#: Empty rows below the questions there are.
_SPARE: Final = 2
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class PlaybookPage(Page):
    """templates/library/playbook.html.

    Attributes:
        questions: each a list of fields, by the number of the question.
        offered: credentials as (UUID, name, kind).
    """

    template: ClassVar[str] = "library/playbook.html"
    title: ClassVar[str] = "Playbook"
    project: Project
    file: str
    about: list[Field]
    questions: list[list[Field]]
    offered: list[tuple[str, str, str]]
    chosen: list[str]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/projects/{project}/playbooks/{file}")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form."""
    project = await service.fetch(call(request), path_text(request, "project"), "edit")
    found = await service.said(call(request), project, path_text(request, "file"))
    values = {
        "title": found.title, "description": found.description, "approval": found.approval,
        "credential": list(found.credential_ids),
    }  # fmt: skip
    return await _form(request, project, found.file, values, list(found.survey), {})


@routes.post("/projects/{project}/playbooks/{file}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Keep what is said, or show one more question."""
    project = await service.fetch(call(request), path_text(request, "project"), "edit")
    file = path_text(request, "file")
    await service.said(call(request), project, file)
    values = await form_values(request)
    values["approval"] = ticked(values, "approval")
    survey = _survey(values)
    if values.get("step") == "more":
        return await _form(request, project, file, values, survey, {})
    body = parse(schemas.PlaybookBody, {**values, "credentials": many(values, "credential")})
    try:
        await service.say(call(request), project.slug, body.said(file, survey))
    except Invalid as refused:
        return await _form(request, project, file, values, survey, said(refused), 400)
    return back(f"/projects/{project.slug}", request, f"{file} was changed; its launch form follows in a moment.")


def _survey(values: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return the questions that were filled in; a row without a variable is none."""
    found: list[dict[str, object]] = []
    for number in range(_MOST):
        texts = {key: str(values.get(f"q{number}_{key}") or "").strip() for key in ("variable", "type", "question",
                 "help", "choices", "default", "min", "max")}  # fmt: skip
        if not texts["variable"]:
            continue
        one: dict[str, object] = {key: texts[key] for key in ("variable", "type", "question", "help")}
        one["required"] = ticked(values, f"q{number}_required")
        one |= {key: texts[key] for key in ("min", "max") if texts[key]}
        if texts["type"] in {"choice", "multichoice"}:
            one["choices"] = [line.strip() for line in texts["choices"].splitlines() if line.strip()]
        if texts["default"]:
            one["default"] = _default(texts["type"], texts["default"])
        found.append(one)
    return found


def _default(kind: str, text: str) -> object:
    if kind == "number" and text.lstrip("-").isdecimal() and len(text) < 10:  # noqa: PLR2004 (keeps int() small)
        return int(text)
    if kind == "multichoice":
        return [one.strip() for one in text.split(",") if one.strip()]
    return text.lower() in {"yes", "true", "1"} if kind == "boolean" else text


async def _form(
    request: web.Request,
    project: Project,
    file: str,
    values: Mapping[str, Any],
    survey: list[dict[str, object]],
    complaints: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    about = filled(_ABOUT, values, complaints)
    usable = await credentials.usable(call(request))
    page = PlaybookPage(
        project, file, about,
        [_question(number, one) for number, one in enumerate([*survey, *({} for _ in range(_SPARE))])],
        [(one.id, one.name, rules.KINDS[one.kind]) for one in usable if one.kind in rules.FOR_JOBS],
        many(values, "credential"),
        complained(about, complaints),
    )  # fmt: skip
    crumbs = (CRUMB, (project.title, f"/projects/{project.slug}"), (file, ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


def _question(number: int, one: Mapping[str, object]) -> list[Field]:
    choices, default = one.get("choices"), one.get("default")
    shown = ", ".join(map(str, default)) if isinstance(default, list) else "" if default is None else str(default)
    lines = "\n".join(map(str, choices)) if isinstance(choices, list) else ""

    def named(key: str) -> str:
        return f"q{number}_{key}"

    return [
        Field(named("variable"), "Variable", value=str(one.get("variable") or ""), required=False),
        Field(named("question"), "Question", value=str(one.get("question") or ""), required=False),
        Field(named("type"), "Answer", "choice", value=str(one.get("type") or "text"), choices=_TYPES),
        Field(named("default"), "Usual answer", value=shown, required=False),
        Field(named("choices"), "Choices", "list", value=lines, required=False, help="One per line."),
        Field(named("min"), "At least", value=str(one.get("min") or ""), required=False),
        Field(named("max"), "At most", value=str(one.get("max") or ""), required=False),
        Field(named("help"), "Help", value=str(one.get("help") or ""), required=False),
        Field(named("required"), "An answer is needed", "boolean", value=bool(one.get("required")), required=False),
    ]
