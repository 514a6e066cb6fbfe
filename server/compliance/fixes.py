"""What a guide itself says how its rules are fixed with Ansible, and the playbook that does it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml

from server.compliance import guide_xml
from server.compliance.errors import BadGuide

_ANSIBLE: Final = "urn:xccdf:fix:script:ansible"
_FIX_MOST: Final = 200_000
_SHORT: Final = re.compile(r"^.*_rule_")
#: How the profiles end in guides that short names stand for; module oscap_scan knows the same.
_PROFILES: Final = {
    "level1_server": ("_cis_level1_server", "_cis_server_l1"),
    "level2_server": ("_cis_level2_server", "_cis"),
}
_BLOCKS: Final = ("block", "rescue", "always")
#: What a task may say beside its module.
_KEYWORDS: Final = frozenset(
    {
        "name", "when", "tags", "vars", "register", "notify", "loop", "loop_control", "become", "become_user",
        "become_method", "become_flags", "changed_when", "failed_when", "ignore_errors", "ignore_unreachable",
        "check_mode", "diff", "environment", "args", "until", "retries", "delay", "no_log", "run_once",
        "any_errors_fatal", "delegate_to", "delegate_facts", "async", "poll", "throttle", "timeout",
        "module_defaults", "collections", "listen", "debugger", "connection", "remote_user", "port",
    }
)  # fmt: skip
_FILES: Final = frozenset(
    ["copy", "template", "file", "lineinfile", "blockinfile", "replace", "assemble", "unarchive", "get_url", "ini_file"]
)
_PACKAGES: Final = frozenset(["package", "apt", "dnf", "dnf5", "yum", "zypper", "pacman", "apk"])
_SERVICES: Final = frozenset(["service", "systemd", "systemd_service", "sysvinit"])
_PROGRAMS: Final = frozenset(["command", "shell", "raw", "script"])


@dataclass(frozen=True, slots=True)
class Fix:
    """How one rule is fixed; ``left_out`` says why it is not, and then there are no tasks.

    Attributes:
        touches: what the tasks change, in words.
    """

    ref: str
    title: str
    tasks: tuple[dict[str, Any], ...] = ()
    touches: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def short(self) -> str:
        """Its name without the guide's."""
        return _SHORT.sub("", self.ref)


@dataclass
class _Reader:
    """Takes values, what the profile makes of them, and the fixes of some rules, as they come by."""

    wanted: Collection[str]
    profile: str
    profiles: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    extends: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    fixes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _at: dict[str, str] = field(default_factory=dict)
    _taking: list[tuple[str, str]] | None = None
    _length: int = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local in {"Profile", "Value", "Rule"}:
            self._at[local] = attributes.get("id", "")
        if local == "Profile":
            self.profiles[self._at["Profile"]] = {}
            self.extends[self._at["Profile"]] = attributes.get("extends", "")
        elif local == "refine-value" and "Profile" in self._at:
            self.profiles[self._at["Profile"]][attributes.get("idref", "")] = (
                "selector",
                attributes.get("selector", ""),
            )
        elif local in {"set-value", "value"}:
            self._at[local] = attributes.get("idref", "") if local == "set-value" else attributes.get("selector", "")
            self._taking = []
        elif local == "fix" and attributes.get("system") == _ANSIBLE and self._at.get("Rule") in self.wanted:
            self._taking = []
        elif local == "sub" and self._taking is not None:
            self._taking.append(("sub", attributes.get("idref", "")))

    def text(self, piece: str) -> None:
        if self._taking is not None:
            self._taking.append(("text", piece))
            self._length += len(piece)
            if self._length > _FIX_MOST:
                raise BadGuide(reason="A fix or a value in it is too long")

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        taken, text = self._taking, "".join(said for kind, said in self._taking or () if kind == "text").strip()
        if local == "set-value" and taken is not None and "Profile" in self._at:
            self.profiles[self._at["Profile"]][self._at[local]] = ("value", text)
        elif local == "value" and taken is not None and "Value" in self._at:
            self.values.setdefault(self._at["Value"], {})[self._at[local]] = text
        elif local == "fix" and taken is not None:
            self.fixes[self._at["Rule"]] = taken
        if local in {"set-value", "value", "fix"}:
            self._taking, self._length = None, 0
        if local in {"Profile", "Value", "Rule"}:
            self._at.pop(local, None)

    def value(self, idref: str) -> str:
        """Return a value as the profile has it, what it extends included."""
        known, profile = self.values.get(idref, {}), self.profile
        for _ in range(10):
            kind, said = self.profiles.get(profile, {}).get(idref, ("", ""))
            if kind == "value":
                return said
            if kind == "selector" and said in known:
                return known[said]
            profile = self.extends.get(profile, "")
        return known.get("", next(iter(known.values()), ""))

    def fix(self, ref: str) -> str:
        """Return the text of a rule's fix, its values put in; empty without one."""
        return "".join(said if kind == "text" else self.value(said) for kind, said in self.fixes.get(ref, ()))


def read(path: Path, rules: Mapping[str, str], profile: str) -> list[Fix]:
    """Return how rules (titles by reference) are fixed, in the order of the references; blocks.

    ``profile`` is a profile's name, or the end of one. Document types are refused, and with them entities.

    Raises:
        BadGuide: the guide cannot be read.
    """
    reader = _Reader(frozenset(rules), profile)
    guide_xml.stream(path, reader)
    reader.profile = _named(reader.profiles, profile)
    return [_fix(ref, rules[ref], reader.fix(ref)) for ref in sorted(rules)]


def _named(known: Mapping[str, object], profile: str) -> str:
    """Return the profile that the scanner on hosts takes for a name: what a short one stands for first."""
    for ending in (*_PROFILES.get(profile, ()), profile, f"_{profile}"):
        for name in known:
            if name.endswith(ending):
                return name
    return profile


def _fix(ref: str, title: str, text: str) -> Fix:
    if not text.strip():
        return Fix(ref, title, left_out="The guide has no Ansible fix for it")
    try:
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, Loader=yaml.SafeLoader)):
            # Spelled out, a few of them become gigabytes; no guide needs them.
            return Fix(ref, title, left_out="Its fix refers to parts of itself")
        tasks = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Fix(ref, title, left_out=f"Its fix cannot be read: {str(error).splitlines()[0]}")
    if why := _unfit(tasks):
        return Fix(ref, title, left_out=why)
    touches = dict.fromkeys(said for one in tasks for name, told in _modules(one) for said in _touched(name, told))
    return Fix(ref, title, tuple(tasks), tuple(touches))


def _unfit(tasks: Any) -> str:
    """Return why these cannot be run, or nothing."""
    if not _is_tasks(tasks):
        return "Its fix is not a list of tasks"
    if any(map(_runs_anyway, tasks)):
        return "Its fix would change something even in a dry run"
    missing = sorted({name for one in tasks for name, _ in _modules(one) if not _is_here(name)})
    return f"Its fix needs modules that agents do not carry: {', '.join(missing)}" if missing else ""


def _is_tasks(value: object) -> bool:
    """Tell whether this is a list of tasks, in blocks as well."""
    return isinstance(value, list) and all(
        isinstance(one, dict)
        and all(isinstance(name, str) for name in one)
        and all(_is_tasks(one[name]) for name in _BLOCKS if name in one)
        for one in value
    )


def _runs_anyway(task: Mapping[str, Any]) -> bool:
    """Tell whether a task is run in check mode too, and does not say that it only looks."""
    if task.get("check_mode", True) is not True and task.get("changed_when") is not False:
        return True
    return any(_runs_anyway(one) for name in _BLOCKS for one in task.get(name) or ())


def is_program(action: str) -> bool:
    """Tell whether a module runs a program."""
    return action.rpartition(".")[2] in _PROGRAMS


def _modules(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a task, or the tasks in a block, calls with what."""
    inner = [one for name in _BLOCKS for one in task.get(name) or ()]
    for one in inner:
        yield from _modules(one)
    if not inner:
        for name, told in task.items():
            if name not in _KEYWORDS and not name.startswith("with_"):
                yield name, told


@lru_cache(maxsize=512)
def _is_here(module: str) -> bool:
    module = module.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    found = find_spec("ansible.modules")
    actions = find_spec("ansible.plugins.action")
    places = [*(found.submodule_search_locations or ())] if found else []
    places += [*(actions.submodule_search_locations or ())] if actions else []
    return "." not in module and any(Path(place, f"{module}.py").is_file() for place in places)


def _touched(module: str, told: object) -> Iterator[str]:
    name = module.rpartition(".")[2]
    words = told if isinstance(told, dict) else {}
    if name in _FILES:
        yield f"file {words.get('path') or words.get('dest') or words.get('name') or told}"
    elif name in _PACKAGES:
        yield f"package {words.get('name') or words.get('pkg') or told}"
    elif name in _SERVICES:
        yield f"service {words.get('name') or told}"
    elif name in _PROGRAMS:
        yield "runs a program"


def playbook(title: str, profile: str, fixes: Sequence[Fix]) -> str:
    """Return the playbook that applies fixes rule by rule, and looks at exactly these rules again at the end.

    In check mode a fix that cannot say what it would do does not keep the others from saying it; in earnest the first
    that fails ends the play on its host, and the rules are looked at again all the same.
    """
    blocks = [
        {
            "name": _plain(one.title),
            "tags": [one.ref],
            "ignore_errors": "{{ ansible_check_mode }}",
            "block": [_under(one.short, task) for task in one.tasks],
        }
        for one in fixes
        if one.tasks
    ]
    again = {
        "name": "Look at these rules again",
        "patchmon.fleet.oscap_scan": {
            "scanners": ["openscap"],
            "profile": profile,
            "rules": [one.ref for one in fixes if one.tasks],
        },
        "when": "not ansible_check_mode",
    }
    play = {
        "name": _plain(title),
        "hosts": "all",
        "gather_facts": True,
        "tasks": [{"name": "Fix", "block": blocks, "always": [again]}],
    }
    return "---\n" + yaml.dump([play], Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _under(short: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task whose name says which rule it belongs to, with those in its blocks: events tell names."""
    inner = {name: [_under(short, one) for one in task[name]] for name in _BLOCKS if name in task}
    return {**task, **inner, "name": f"{short}: {task.get('name', 'Fix')}"}


def _plain(text: str) -> str:
    """Return a text that is no template: titles come from hosts, and Ansible evaluates names."""
    return text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")


class _Dumper(yaml.SafeDumper):
    """Spells everything out: what two rules have in common is no anchor."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 (the library's shape)
        return True
