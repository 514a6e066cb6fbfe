"""The pushed description of one job: read once, then gone from the disk."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Dict, List, Tuple

MAX_EVENTS = 100_000
MAX_BYTES = 64 * 1024 * 1024
TIMEOUT_SECONDS = 3600
_LOUDEST = 4


#: The stage that the job is there for; the others surround it.
MAIN = "main"
_MOST_STAGES = 20
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_VARIABLES = ("ANSIBLE_", "PATCHMON_", "PYTHON", "LD_", "AWX_", "PATH", "HOME", "TMPDIR", "MAX_EVENT_RES")


class BadSpec(ValueError):
    """The description is missing or not what was agreed; the text names the field."""


@dataclass(frozen=True)
class Stage:
    """One playbook of the job; a later stage begins only after the earlier ones succeeded."""

    name: str
    playbook: str


@dataclass(frozen=True)
class Spec:
    """What to run, against which inventory, with which values, within which bounds."""

    playbook: str
    host: str
    inventory: str = field(repr=False)
    variables: str = field(default="", repr=False)
    secrets: str = field(default="", repr=False)
    check: bool = False
    diff: bool = False
    tags: Tuple[str, ...] = ()
    skip_tags: Tuple[str, ...] = ()
    verbosity: int = 0
    timeout_seconds: int = TIMEOUT_SECONDS
    max_events: int = MAX_EVENTS
    max_bytes: int = MAX_BYTES
    secret_values: Tuple[str, ...] = field(default=(), repr=False)
    files: Dict[str, bytes] = field(default_factory=dict, repr=False)
    environment: Dict[str, str] = field(default_factory=dict, repr=False)
    stages: Tuple[Stage, ...] = ()
    text: bytes = field(default=b"", repr=False)

    @property
    def has_secrets(self) -> bool:
        """Something in it must not stay on the disk."""
        return bool(self.secrets.strip(" {}\n") or self.secret_values or self.files or self.environment)


def take(places: List[Path]) -> Spec:
    """Read the description from the first place that has one and delete it everywhere: it holds secrets.

    Raises:
        BadSpec: none of the places has a usable one.
    """
    text = None
    for place in places:
        try:
            text = place.read_bytes() if text is None else text
            place.unlink()
        except FileNotFoundError:
            continue
    if text is None:
        raise BadSpec("the job came without its description")
    return parse(text)


def parse(text: bytes) -> Spec:
    """Return the description in a JSON text; unknown fields are ignored.

    Raises:
        BadSpec: a field is missing or of the wrong kind.
    """
    try:
        body = json.loads(text.decode("utf-8"))
    except ValueError:
        raise BadSpec("the job's description is not JSON") from None  # its text may hold a secret
    if not isinstance(body, dict):
        raise BadSpec("the job's description is not an object")
    caps = body.get("caps")
    caps = caps if isinstance(caps, dict) else {}
    playbook = _playbook(_text(body, "playbook"))
    return Spec(
        playbook=playbook,
        host=_text(body, "host"),
        inventory=_text(body, "inventory"),
        variables=_text(body, "variables", ""),
        secrets=_text(body, "secrets", ""),
        check=_truth(body, "check"),
        diff=_truth(body, "diff"),
        tags=_texts(body, "tags"),
        skip_tags=_texts(body, "skip_tags"),
        verbosity=min(_whole(body, "verbosity", 0), _LOUDEST),
        timeout_seconds=_whole(body, "timeout_seconds", TIMEOUT_SECONDS),
        max_events=_whole(caps, "events", MAX_EVENTS),
        max_bytes=_whole(caps, "bytes", MAX_BYTES),
        secret_values=_texts(body, "secret_values"),
        files=_files(body),
        environment=_environment(body),
        stages=_stages(body.get("stages")) or (Stage(MAIN, playbook),),
        text=text,
    )


def _stages(told: object) -> Tuple[Stage, ...]:
    if told is None:
        return ()
    if not isinstance(told, list) or len(told) > _MOST_STAGES or not all(isinstance(one, dict) for one in told):
        raise BadSpec("stages is not a list of stages")
    stages = tuple(Stage(_text(one, "name"), _playbook(_text(one, "playbook"))) for one in told)
    if [one.name for one in stages].count(MAIN) != 1:
        raise BadSpec("stages has not exactly one main stage")
    return stages


def _playbook(name: str) -> str:
    if not _is_inside(name):
        raise BadSpec("playbook is not a name within the project")
    return name


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _files(body: Dict[str, object]) -> Dict[str, bytes]:
    """Return files of the project that travel apart because they are secret: names and base64."""
    told = body.get("files", {})
    if not isinstance(told, dict) or not all(_is_inside(name) and isinstance(told[name], str) for name in told):
        raise BadSpec("files are not names within the project and their content")
    try:
        return {name: base64.b64decode(content, validate=True) for name, content in told.items()}
    except ValueError:
        raise BadSpec("the content of a file is not base64") from None  # its text is a secret


def _environment(body: Dict[str, object]) -> Dict[str, str]:
    """Return variables of the play's environment; none that decides what is executed, or where the play is."""
    told = body.get("environment", {})
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise BadSpec("environment is not names and texts")
    if not all(_VARIABLE.fullmatch(name) and not name.startswith(_OWN_VARIABLES) for name in told):
        raise BadSpec("environment has a name that is not free")
    if any("\0" in value for value in told.values()):
        raise BadSpec("environment has a value that none can have")
    return dict(told)


def _text(body: Dict[str, object], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadSpec(f"{name} is not text")
    return value


def _texts(body: Dict[str, object], name: str) -> Tuple[str, ...]:
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadSpec(f"{name} is not a list of texts")
    return tuple(value)


def _truth(body: Dict[str, object], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadSpec(f"{name} is neither true nor false")
    return value


def _whole(body: Dict[str, object], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadSpec(f"{name} is not a whole number")
    return value
