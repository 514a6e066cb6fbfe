"""A field of a form, as the form macros take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["text", "email", "password", "number", "boolean", "choice", "choices", "list", "json", "area", "date"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        value: what it shows; a form that was refused shows what the person typed, never a password.
        choices: pairs of value and word, for ``choice`` and ``choices``.
        picked: the values that are chosen, for ``choices``.
        complaint: what is wrong with the value, empty when nothing is.
        decided_by: "env" when the environment decides over what is stored here.
    """

    name: str
    label: str
    kind: Kind = "text"
    value: str | bool | int | None = ""
    choices: Sequence[tuple[str, str]] = ()
    help: str = ""
    required: bool = True
    complaint: str = ""
    autocomplete: str = ""
    placeholder: str = ""
    decided_by: str = ""
    picked: Sequence[str] = ()


def filled(fields: Sequence[Field], values: Mapping[str, object], complaints: Mapping[str, str]) -> list[Field]:
    """Return the fields with what was typed and what is wrong with it; passwords are not repeated."""
    return [
        replace(
            one,
            value=one.value if one.kind == "password" else _shown(values.get(one.name, one.value)),
            complaint=complaints.get(one.name, ""),
            picked=_picked(one, values),
        )
        for one in fields
    ]


def complained(fields: Sequence[Field], complaints: Mapping[str, str]) -> list[tuple[str, str] | str]:
    """Return every complaint for the top of the form: those of a field lead to it, the others stand alone."""
    names = {one.name: one.label for one in fields}
    return [(name, _sentence(names[name], text)) if name in names else text for name, text in complaints.items()]


def _sentence(label: str, text: str) -> str:
    # "must be a number" needs its subject; "The two passwords are not the same" has one.
    return text if text[:1].isupper() else f"{label} {text}"


def _picked(one: Field, values: Mapping[str, object]) -> Sequence[str]:
    if one.kind != "choices" or one.name not in values:
        return one.picked
    value = values[one.name]
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _shown(value: object) -> str | bool | int | None:
    return value if isinstance(value, str | bool | int) or value is None else str(value)
