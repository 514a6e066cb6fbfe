"""Playbooks on disk, the variables they declare, and checking what someone wants to set."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from agent.protocol.archive import digest, pack, read_folder
from server.automation.models import Field, Json, Playbook, Project, Variables

_HERE: Final = Path(__file__).resolve()
_ROLE_PREFIX: Final = "patchmon.fleet."
_NAME: Final = re.compile(r"^[a-z][a-z0-9_]*$")
_VARIABLE: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
#: Would change how Ansible reaches the host, not what the playbook does.
_RESERVED: Final = ("ansible_", "patchmon_")
#: The one in C where there is one: the playbooks are read at every start, and take a tenth of the time.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_BYTES: Final = 256 * 1024
_DEEPEST: Final = 32
_TYPE_WORDS: Final = {
    "str": "a text",
    "path": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
}


class BadLibrary(Exception):
    """A playbook or role on disk is not one we can offer; the text names the file."""


@dataclass(frozen=True, slots=True)
class Library:
    """The playbooks of one origin and the project that holds them."""

    project: Project
    playbooks: tuple[Playbook, ...]


def root(name: str) -> Path:
    """Return a folder of the distribution: beside the packages in a checkout, inside the package when installed."""
    return next(place for place in (_HERE.parents[2] / name, _HERE.parents[1] / "_data" / name) if place.is_dir())


def builtin(playbooks: Path | None = None, roles: Path | None = None) -> Library:
    """Read the built-in playbooks; the whole folder is one project with one digest, which agents know by heart."""
    folder = playbooks or root("playbooks")
    roles = roles or root("collections") / "ansible_collections" / "patchmon" / "fleet" / "roles"
    content = pack(read_folder(folder))
    project = Project(digest(content), content)
    found = tuple(
        _playbook(file, roles, project.digest) for file in sorted(folder.glob("*.yml")) if _NAME.match(file.stem)
    )
    return Library(project, found)


def _playbook(file: Path, roles: Path, project_digest: str) -> Playbook:
    plays = _read(file)
    if not isinstance(plays, list) or not all(isinstance(play, dict) for play in plays):
        message = f"{file.name} is not a list of plays"
        raise BadLibrary(message)
    specs = [_argument_spec(roles / name / "meta" / "argument_specs.yml") for name in dict.fromkeys(_roles(plays))]
    fields = tuple(_field(name, option) for spec in specs for name, option in (spec.get("options") or {}).items())
    main = specs[0] if specs else {}
    title = str(main.get("short_description") or plays[0].get("name") or file.stem)
    return Playbook(file.stem, file.name, title.rstrip("."), _prose(main.get("description")), project_digest, fields)


def _roles(plays: list[dict[str, Any]]) -> Iterator[str]:
    for play in plays:
        for entry in play.get("roles") or []:
            yield from _own(entry if isinstance(entry, str) else entry.get("role") or entry.get("name") or "")
        for section in ("pre_tasks", "tasks", "post_tasks"):
            for task in play.get(section) or []:
                for key, value in task.items():
                    if key.rpartition(".")[2] in {"import_role", "include_role"} and isinstance(value, dict):
                        yield from _own(str(value.get("name", "")))


def _own(role: str) -> Iterator[str]:
    if role.startswith(_ROLE_PREFIX):
        yield role.removeprefix(_ROLE_PREFIX)


def _argument_spec(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    spec = (_read(file) or {}).get("argument_specs", {}).get("main", {})
    return spec if isinstance(spec, dict) else {}


def _read(file: Path) -> Any:
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 (it is a safe one)
    except yaml.YAMLError as error:
        message = f"{file.name}: {error}"
        raise BadLibrary(message) from error


def _field(name: str, option: Mapping[str, Any]) -> Field:
    return Field(
        name=name,
        type=str(option.get("type", "str")),
        help=_prose(option.get("description")),
        default=option.get("default"),
        choices=tuple(option.get("choices") or ()),
        elements=str(option.get("elements", "str")),
        required=bool(option.get("required", False)),
        secret=bool(option.get("no_log", False)),
    )


def _prose(description: object) -> str:
    if isinstance(description, list):
        return " ".join(str(line).strip() for line in description)
    return str(description or "").strip()


# ---------------------------------------------------------------- checking variables


@dataclass(frozen=True, slots=True)
class Checked:
    """Variables split into what may be shown and what may not, and every complaint by variable."""

    plain: Variables = field(default_factory=dict)
    secret: Variables = field(default_factory=dict)
    complaints: dict[str, str] = field(default_factory=dict)


def check(playbook: Playbook, variables: Variables) -> Checked:
    """Check what someone wants to set against what the playbook declares; all complaints at once."""
    checked = Checked()
    fields = {f.name: f for f in playbook.fields}
    for name, value in variables.items():
        complaint = _complaint(playbook, fields.get(name), name, value)
        if complaint:
            checked.complaints[name] = complaint
        elif name in fields and fields[name].secret:
            checked.secret[name] = value
        else:
            checked.plain[name] = value
    for declared in playbook.fields:
        if declared.required and variables.get(declared.name) in (None, "") and declared.name not in checked.complaints:
            checked.complaints[declared.name] = "is required"
    if len(orjson.dumps(checked.plain)) + len(orjson.dumps(checked.secret)) > MOST_BYTES:
        checked.complaints["variables"] = f"are larger than {MOST_BYTES // 1024} KiB together"
    return checked


def _complaint(playbook: Playbook, declared: Field | None, name: str, value: Json) -> str:
    if declared is None and playbook.origin == "builtin":
        return f"is not a variable of {playbook.name}"
    if not _VARIABLE.match(name) or (declared is None and name.startswith(_RESERVED)):
        return "is not a name a variable may have"
    if wrong := _untransportable(value, _DEEPEST):
        return wrong
    return _mistyped(declared, value) if declared is not None and value is not None else ""


def _untransportable(value: Json, depth: int) -> str:
    if depth == 0:
        return f"is nested deeper than {_DEEPEST} levels"
    if isinstance(value, str):
        return "" if _is_storable(value) else "holds characters that cannot be stored (U+0000 or half a character)"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, list):
        return next((wrong for item in value if (wrong := _untransportable(item, depth - 1))), "")
    if isinstance(value, dict):
        return next(
            (wrong for pair in value.items() for part in pair if (wrong := _untransportable(part, depth - 1))), ""
        )
    return ""


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _mistyped(declared: Field, value: Json) -> str:
    if declared.choices:
        chosen = value if declared.type == "list" and isinstance(value, list) else [value]
        offered = declared.choices
        return "" if all(one in offered for one in chosen) else "must be one of " + ", ".join(map(str, offered))
    if not _is_a(declared.type, value):
        return f"must be {_TYPE_WORDS.get(declared.type, declared.type)}"
    if declared.least is not None or declared.most is not None:
        return _beyond(declared, value)
    if isinstance(value, list):
        wrong = next((place for place, item in enumerate(value, 1) if not _is_a(declared.elements, item)), 0)
        return f"item {wrong} must be {_TYPE_WORDS.get(declared.elements, declared.elements)}" if wrong else ""
    return ""


def _beyond(declared: Field, value: Json) -> str:
    size = len(value) if isinstance(value, str) else value
    if not isinstance(size, int | float):
        return ""
    unit = " characters long" if isinstance(value, str) else ""
    if declared.least is not None and size < declared.least:
        return f"must be at least {declared.least}{unit}"
    return f"must be at most {declared.most}{unit}" if declared.most is not None and size > declared.most else ""


def _is_a(kind: str, value: Json) -> bool:
    if kind in {"str", "path"}:
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list)
    return isinstance(value, dict) if kind == "dict" else True


# ---------------------------------------------------------------- forms


def from_form(playbook: Playbook, texts: Mapping[str, str | list[str]]) -> Variables:
    """Return a launch form's texts as typed values; what cannot be read stays text, so that the check can complain."""
    values: Variables = {}
    for declared in playbook.fields:
        raw = texts.get(declared.name)
        if declared.kind == "choices":
            picked = [raw] if isinstance(raw, str) else raw or []
            values[declared.name] = [one for one in picked if one]
        elif declared.type == "bool":
            # A check box that is off is not sent at all.
            values[declared.name] = raw is not None and raw not in ("false", "0", "")
        elif raw not in (None, "", []):
            values[declared.name] = _typed(declared, raw or "")
    return values


def _typed(declared: Field, raw: str | list[str]) -> Json:
    if declared.type == "list":
        lines = raw if isinstance(raw, list) else re.split(r"[\n,]", raw)
        return [_scalar(declared.elements, line.strip()) for line in lines if line.strip()]
    text = raw if isinstance(raw, str) else "\n".join(raw)
    return _scalar(declared.type, text)


def _scalar(kind: str, text: str) -> Json:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind in {"dict", "raw"}:
            loaded: Json = orjson.loads(text)
            return loaded
    except ValueError:
        return text
    return text
