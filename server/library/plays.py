"""What of a project can be launched, and what its launch form asks: plays, prompts, argument specs, surveys. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from server.automation.models import Field, Json, Playbook
from server.library import rules
from server.library.models import Files, Finding, Said

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECTIONS: Final = ("pre_tasks", "tasks", "post_tasks")
_BLOCKS: Final = ("block", "rescue", "always")
_INCLUDES: Final = frozenset({"import_role", "include_role"})
_NOT_PLAYS: Final = frozenset({"requirements.yml", "requirements.yaml"})
_MOST_FIELDS: Final = 200
#: What a survey may ask, and Ansible's type for it.
SURVEY_TYPES: Final[Mapping[str, str]] = {
    "text": "str", "multiline": "str", "password": "str", "number": "int", "choice": "str", "multichoice": "list",
    "boolean": "bool",
}  # fmt: skip


class _Loader(_LOADER):  # type: ignore[misc,valid-type]
    """Reads what Ansible writes: its own tags are values like any other."""


def _tagged(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


def playbooks(
    slug: str, files: Files, said: Mapping[str, Said], digest: str, origin: str
) -> tuple[tuple[Playbook, ...], tuple[Finding, ...]]:
    """Return what can be launched of a project, and what is wrong with files that look as if they could be.

    A playbook is a file at the top of the project that is a list of plays.
    """
    found: list[Playbook] = []
    wrong: list[Finding] = []
    for path in sorted(files):
        if "/" in path or not path.endswith((".yml", ".yaml")) or path in _NOT_PLAYS:
            continue
        try:
            plays = read(files[path])
        except yaml.YAMLError as error:
            wrong.append(_finding(path, error))
            continue
        if not is_playbook(plays) or not rules.PLAYBOOK_FILE.fullmatch(path):
            continue
        if any(one.name == name_of(slug, path) for one in found):
            wrong.append(Finding(path, 0, 0, "error", "Another playbook has the same name with another ending"))
        else:
            found.append(_playbook(slug, path, plays, files, said.get(path) or Said(path), digest, origin))
    return tuple(found), tuple(wrong)


def read(content: bytes) -> Any:
    """Return a YAML file's value; raises ``yaml.YAMLError``."""
    return yaml.load(content.decode("utf-8", "replace"), Loader=_Loader)  # noqa: S506 (a safe loader with plain tags)


def is_playbook(value: object) -> bool:
    """Tell whether a file's value is a list of plays."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(play, dict) and ({"hosts", "import_playbook"} & _words(play)) for play in value)
    )


def _words(play: Mapping[object, object]) -> set[str]:
    return {str(key).rpartition(".")[2] for key in play}


def _finding(path: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    text = str(getattr(error, "problem", None) or "This is not YAML")
    line, place = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return Finding(path, line, place, "error", text[:1].upper() + text[1:])


def name_of(slug: str, file: str) -> str:
    """Return the name under which a playbook is launched."""
    return f"{slug}/{file.rpartition('.')[0]}"


def _playbook(
    slug: str, path: str, plays: list[dict[str, Any]], files: Files, said: Said, digest: str, origin: str
) -> Playbook:
    fields = tuple(survey(said.survey)) if said.survey else tuple(_declared(plays, files))
    title = said.title or next((str(play["name"]) for play in plays if play.get("name")), path.rpartition(".")[0])
    return Playbook(name_of(slug, path), path, title[:200], said.description, digest, fields[:_MOST_FIELDS], origin)


# ---------------------------------------------------------------- what a launch asks


def _declared(plays: list[dict[str, Any]], files: Files) -> Iterator[Field]:
    """Yield a field for each prompt of the plays and each option of the project's own roles; the first one counts."""
    seen: set[str] = set()
    for one in (*_prompts(plays), *_options(plays, files)):
        if one.name not in seen and rules.VARIABLE.fullmatch(one.name) and not one.name.startswith(rules.RESERVED):
            seen.add(one.name)
            yield one


def _prompts(plays: Iterable[dict[str, Any]]) -> Iterator[Field]:
    for play in plays:
        for prompt in play.get("vars_prompt") or []:
            if isinstance(prompt, dict) and prompt.get("name"):
                default = prompt.get("default")
                yield Field(
                    str(prompt["name"]),
                    "str",
                    default=default if isinstance(default, str | int | float) else None,
                    required=default is None,
                    # Ansible hides what is typed unless it is told otherwise.
                    secret=bool(prompt.get("private", True)),
                    title=str(prompt.get("prompt") or ""),
                )


def _options(plays: Iterable[dict[str, Any]], files: Files) -> Iterator[Field]:
    for role in dict.fromkeys(_roles(plays)):
        spec = _spec(role, files)
        options = spec.get("options")
        for name, option in options.items() if isinstance(options, dict) else ():
            if isinstance(option, dict):
                yield Field(
                    name=str(name),
                    type=str(option.get("type", "str")),
                    help=_prose(option.get("description")),
                    default=option.get("default"),
                    choices=tuple(option.get("choices") or ()),
                    elements=str(option.get("elements", "str")),
                    required=bool(option.get("required", False)),
                    secret=bool(option.get("no_log", False)),
                )


def _roles(plays: Iterable[dict[str, Any]]) -> Iterator[str]:
    for play in plays:
        for entry in play.get("roles") or []:
            yield str(entry if isinstance(entry, str) else entry.get("role") or entry.get("name") or "")
        for section in _SECTIONS:
            yield from _roles_of(play.get(section) or [])


def _roles_of(tasks: object) -> Iterator[str]:
    for task in tasks if isinstance(tasks, list) else []:
        for key, value in task.items() if isinstance(task, dict) else ():
            if key in _BLOCKS:
                yield from _roles_of(value)
            elif str(key).rpartition(".")[2] in _INCLUDES and isinstance(value, dict):
                yield str(value.get("name", ""))


def _spec(role: str, files: Files) -> dict[str, Any]:
    for ending in ("yml", "yaml"):
        content = files.get(f"roles/{role}/meta/argument_specs.{ending}")
        if content is not None:
            try:
                spec = read(content)["argument_specs"]["main"]
            except (yaml.YAMLError, KeyError, TypeError):
                return {}
            return spec if isinstance(spec, dict) else {}
    return {}


def _prose(description: object) -> str:
    if isinstance(description, list):
        return " ".join(str(line).strip() for line in description)
    return str(description or "").strip()


# ---------------------------------------------------------------- surveys


def survey(questions: Iterable[Mapping[str, object]]) -> Iterator[Field]:
    """Yield the fields of a survey that was checked."""
    for one in questions:
        kind = str(one.get("type", "text"))
        choices = one.get("choices")
        default: Json = one.get("default")  # type: ignore[assignment]
        yield Field(
            name=str(one["variable"]),
            type=SURVEY_TYPES[kind],
            help=str(one.get("help") or ""),
            default=None if kind == "password" else default,
            choices=tuple(choices) if isinstance(choices, list) else (),
            required=bool(one.get("required")),
            secret=kind == "password",
            title=str(one.get("question") or ""),
            multiline=kind == "multiline",
            least=_whole(one.get("min")),
            most=_whole(one.get("max")),
        )


def complaints_of_survey(questions: object) -> list[str]:
    """Return what is wrong with a survey, one sentence for each question."""
    if not isinstance(questions, list):
        return ["A survey is a list of questions"]
    wrong: list[str] = []
    seen: set[str] = set()
    for number, one in enumerate(questions, 1):
        complaint = _complaint(one) if isinstance(one, dict) else "is no question"
        name = str(one.get("variable")) if isinstance(one, dict) else ""
        if not complaint and name in seen:
            complaint = f"asks for {name} a second time"
        seen.add(name)
        if complaint:
            wrong.append(f"Question {number} {complaint}")
    return wrong + (["More than 100 questions"] if len(questions) > 100 else [])  # noqa: PLR2004 (said)


def _complaint(one: Mapping[str, object]) -> str:
    name, kind = str(one.get("variable") or ""), str(one.get("type") or "text")
    if not rules.VARIABLE.fullmatch(name) or name.startswith(rules.RESERVED):
        return f"needs the name of a variable, not {name[:40]!r}"
    if kind not in SURVEY_TYPES:
        return f"has an unknown type; known are {', '.join(SURVEY_TYPES)}"
    choices = one.get("choices")
    if kind in {"choice", "multichoice"}:
        if not isinstance(choices, list) or not choices or not all(isinstance(choice, str) for choice in choices):
            return "needs choices"
        default = one.get("default")
        usual = default if isinstance(default, list) else [] if default in (None, "") else [default]
        if not all(choice in choices for choice in usual):
            return "has a default that is none of its choices"
    if kind == "number" and one.get("default") not in (None, "") and _whole(one.get("default")) is None:
        return "has a default that is no number"
    return ""


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value or "")
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else None
