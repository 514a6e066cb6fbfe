"""The state of the patch wizard: what was chosen so far stands in the address or the form, and nowhere else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Final, Literal
from urllib.parse import urlencode

from multidict import MultiMapping

Step = Literal["hosts", "packages", "validate", "timing", "approval", "submit"]

STEPS: Final[tuple[tuple[Step, str], ...]] = (
    ("hosts", "Hosts"),
    ("packages", "Packages"),
    ("validate", "Validate"),
    ("timing", "Timing"),
    ("approval", "Approval"),
    ("submit", "Submit"),
)
_KEYS: Final[tuple[str, ...]] = tuple(key for key, _ in STEPS)
#: What surrounds a run, named as programs name it when they trigger one; empty leaves it to the host's policy.
OPTIONS: Final = (
    "hold_patterns",
    "allow_patterns",
    "full_upgrade",
    "reboot",
    "snapshot",
    "pre_playbook",
    "post_playbook",
)
#: Longer addresses are not understood everywhere; beyond it the state travels in the form.
_ADDRESS_LETTERS: Final = 6000
_SEPARATORS: Final = re.compile(r"[\s,]+")
_MOST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class State:
    """What was chosen so far.

    Attributes:
        what: all, security or packages; empty while nobody said.
        packages: their names; ``offered``: those among which they are chosen, where there are several.
        everywhere: every host that can be.
        pick: the hosts are chosen in the wizard; ``ask``: what is updated is asked there too.
        batches: the dry runs that were begun; ``without``: hosts that were left out after theirs; ``skip``: hosts whose
            dry run has not ended are patched without it.
        runs: the runs that wait for approval, where the wizard was opened for them.
        now: no host waits for its policy; ``soon``: these do not.
        later: somebody else approves.
    """

    step: str = ""
    what: str = ""
    packages: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    everywhere: bool = False
    pick: bool = False
    ask: bool = False
    find: str = ""
    options: dict[str, str] = field(default_factory=dict)
    batches: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    skip: bool = False
    runs: tuple[str, ...] = ()
    now: bool = False
    soon: tuple[str, ...] = ()
    later: bool = False

    @property
    def approving(self) -> bool:
        """Whether it was opened for runs that wait for approval."""
        return bool(self.runs)

    @property
    def names(self) -> tuple[str, ...]:
        """The packages that matter for the choice of hosts."""
        return self.packages if self.what == "packages" else ()

    def used(self) -> tuple[Step, ...]:
        """Return the steps that this way through the wizard takes."""
        locked = not self.pick and (self.hosts or self.groups or self.everywhere or self.batches)
        # Everything on a host that is given begins at its time; trying it first is offered there.
        straight = locked and self.what != "packages" and not self.batches and self.step != "validate"
        left_out = {
            "hosts": self.approving or bool(locked),
            "packages": self.approving or self.what != "packages" or len(self.offered) < 2,  # noqa: PLR2004 (a choice)
            "validate": self.approving or bool(straight),
            "approval": self.approving,
        }
        return tuple(key for key, _ in STEPS if not left_out.get(key, False))

    def here(self) -> Step:
        """Return the step to show: the one that was asked for, else the first that is used."""
        used = self.used()
        return next((key for key in used if key == self.step), used[0])

    def following(self, step: str) -> Step:
        """Return the next step that is used."""
        rest = _KEYS[_KEYS.index(step) + 1 :] if step in _KEYS else _KEYS
        return next((key for key in self.used() if key in rest), "submit")

    def before(self, step: str) -> Step | None:
        """Return the step that Back leads to."""
        done = _KEYS[: _KEYS.index(step)]
        return next((key for key in reversed(self.used()) if key in done), None)

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """Return it as the fields of an address or a form, except for those that a form asks for itself."""
        found = [("type", {"packages": "patch_package", "": ""}.get(self.what, "patch_all"))]
        found.append(("security", "1" if self.what == "security" else ""))
        for name, values in (("package", self.packages), ("offered", self.offered), ("host", self.hosts),
                             ("group", self.groups), ("batch", self.batches), ("without", self.without),
                             ("run", self.runs), ("soon", self.soon)):  # fmt: skip
            found += [(name, value) for value in values]
        for name, said in (("all", self.everywhere), ("pick", self.pick), ("ask", self.ask), ("skip", self.skip),
                           ("now", self.now)):  # fmt: skip
            found.append((name, "1" if said else ""))
        found += [("approval", "later" if self.later else ""), *self.options.items()]
        return [(name, value) for name, value in found if value and name not in without]

    def address(self, step: str = "") -> str:
        """Return the address of a step; whoever follows it finds everything as it was."""
        path = "/patching/approve" if self.approving else "/patching/new"
        query = urlencode([*self.pairs(), *([("step", step)] if step else [])])
        return f"{path}?{query}" if query else path

    @property
    def fits(self) -> bool:
        """Whether it fits into an address."""
        return len(self.address()) <= _ADDRESS_LETTERS

    def shortened(self) -> "State":
        """Return it without the hosts if it does not fit; what was begun for them knows them."""
        return self if self.fits else replace(self, hosts=(), groups=(), everywhere=False, offered=(), packages=())


def read(query: MultiMapping[str]) -> State:
    """Return the state that an address or a form holds; what is no part of it is left aside."""
    what, packages = _what(query)
    offered = _all(query, "offered") or (packages if len(packages) > 1 else ())
    state = State(
        step=query.get("step", ""),
        what=what,
        packages=packages,
        offered=offered if what == "packages" else (),
        hosts=_all(query, "host"),
        groups=_all(query, "group"),
        everywhere=bool(query.get("all")),
        pick=bool(query.get("pick")),
        ask=bool(query.get("ask")),
        find=query.get("find", "").replace("\0", "").strip()[:_MOST_LETTERS],
        options={name: text for name in OPTIONS if (text := _clean(query.get(name, "")))},
        batches=_all(query, "batch"),
        without=_all(query, "without"),
        skip=bool(query.get("skip")),
        runs=_all(query, "run") or _all(query, "row"),
        now=bool(query.get("now")),
        soon=_all(query, "soon"),
        later=query.get("approval") == "later",
    )
    if state.approving:
        return State(**{one.name: getattr(state, one.name) for one in fields(State) if one.name in _OF_APPROVING})
    nowhere = not (state.hosts or state.groups or state.everywhere or state.batches)
    return replace(state, pick=state.pick or nowhere, ask=state.ask or not state.what)


_OF_APPROVING: Final = frozenset({"step", "runs", "now", "soon"})


def _what(query: MultiMapping[str]) -> tuple[str, tuple[str, ...]]:
    """Return what is to be updated, as the form says it or as an address does."""
    said = query.get("what", "")
    names = tuple(dict.fromkeys(one for one in _SEPARATORS.split(_clean(query.get("names", ""))) if one))
    if said in {"all", "security"}:
        return said, ()
    if said == "packages":
        return said, names
    packages = _all(query, "package")
    kind = query.get("type", "") or ("patch_package" if packages else "")
    if kind == "patch_package":
        return "packages", packages
    return ("security" if query.get("security") else "all") if kind == "patch_all" else "", ()


def _all(query: MultiMapping[str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in map(_clean, _texts(query.getall(name, []))) if one))


def _texts(values: Iterable[object]) -> list[str]:
    # A form may carry files where texts are asked for.
    return [value for value in values if isinstance(value, str)]


def _clean(text: object) -> str:
    return text.replace("\0", "").strip() if isinstance(text, str) else ""


def patterns(text: str) -> list[str]:
    """Return the patterns of a field, however they are set apart."""
    return [one for one in _SEPARATORS.split(text) if one]
