"""The pages of the patch wizard, one per step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from server.core.call import Call
from server.patching import choosing
from server.patching.choosing import SHOWN, Candidate, Planned, Tried
from server.patching.models import Status, Target, Work
from server.patching.pages import wizard_words as words
from server.patching.pages.wizard_state import STEPS, State
from server.patching.pages.words import status_word
from server.web.fields import Field
from server.web.formats import link
from server.web.render import Page

Complaints = Sequence[tuple[str, str] | str]
#: How a step stands: done, now, later, or unused on this way through the wizard.
Mark = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every step: templates/patching/wizard/_frame.html.

    Attributes:
        steps: all six, with how they stand.
        action: where the form goes; kept: what it carries along.
        forward, back: the steps its buttons lead to.
        sentence: what will happen.
    """

    title: str
    steps: list[Mark]
    action: str
    kept: list[tuple[str, str]]
    forward: str
    back: str
    sentence: str
    cancel: str
    complaints: Complaints = ()


@dataclass(frozen=True, slots=True)
class HostsPage(Page):
    """templates/patching/wizard/hosts.html.

    Attributes:
        what, names: what is to be updated, where that is asked here.
        groups: id, name, colour, how many of its hosts can be chosen.
    """

    template: ClassVar[str] = "patching/wizard/hosts.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    ask: bool
    what: str
    names: str
    hosts: list[Candidate]
    groups: list[tuple[str, str, str, int]]
    chosen_hosts: tuple[str, ...]
    chosen_groups: tuple[str, ...]
    everywhere: bool
    find: str
    total: int
    more: bool
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackagesPage(Page):
    """templates/patching/wizard/packages.html; ``packages`` are their names and whether they are ticked."""

    template: ClassVar[str] = "patching/wizard/packages.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    packages: list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class ValidatePage(Page):
    """templates/patching/wizard/validate.html: before the dry run."""

    template: ClassVar[str] = "patching/wizard/validate.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    options: list[Field]
    open_options: bool
    windows: int
    skip_url: str


@dataclass(frozen=True, slots=True)
class Result:
    """A host's dry run as a row.

    Attributes:
        word, state: its badge.
        changes: name, from, to and whether it is extra, of each package.
        without_url: leaves the host out; skip_url: patches it without its dry run.
    """

    one: Tried
    word: str
    state: str
    changes: list[tuple[str, str, str, bool]]
    without_url: str
    skip_url: str
    run_url: str


@dataclass(frozen=True, slots=True)
class ResultsPage(Page):
    """templates/patching/wizard/results.html: the dry runs while they go on and when they are over.

    Attributes:
        parts: word, number and state of each count.
        ready: hosts that can go on; waiting: hosts whose dry run is not over.
        next_url, skip_url: on with those that are ready; with those that wait as well.
        failed: runs that can be tried again together.
    """

    template: ClassVar[str] = "patching/wizard/results.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    rows: list[Result]
    total: int
    parts: list[tuple[str, int, str]]
    ready: int
    waiting: int
    alive: bool
    here: str
    next_url: str
    skip_url: str
    back_url: str
    failed: list[str]


@dataclass(frozen=True, slots=True)
class TimingRow:
    """A host and when it begins; ``can_wait``: its policy says later than now."""

    target: Target
    words: str
    due_at: datetime | None
    can_wait: bool
    soon: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimingPage(Page):
    """templates/patching/wizard/timing.html.

    Attributes:
        groups: hosts that begin together: sentence, when, number.
        waits: any host would wait for its policy.
        dry_url: trying it first, where that was not asked.
    """

    template: ClassVar[str] = "patching/wizard/timing.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    groups: list[tuple[str, datetime | None, int]]
    rows: list[TimingRow]
    more: int
    waits: bool
    now: bool
    options: list[Field]
    open_options: bool
    windows: int
    dry_url: str


@dataclass(frozen=True, slots=True)
class ApprovalPage(Page):
    """templates/patching/wizard/approval.html; ``tried``: a dry run went before."""

    template: ClassVar[str] = "patching/wizard/approval.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    later: bool
    tried: bool


@dataclass(frozen=True, slots=True)
class SubmitRow:
    """What is about to begin on a host; ``extras`` go beyond installing, ``notes`` say what is not as it was asked."""

    name: str
    what: str
    extras: list[str]
    notes: tuple[str, ...]
    when: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubmitPage(Page):
    """templates/patching/wizard/submit.html; ``skips``: so many go without the end of their dry run."""

    template: ClassVar[str] = "patching/wizard/submit.html"
    title: ClassVar[str] = "Patch"
    frame: Frame
    rows: list[SubmitRow]
    more: int
    fire: str
    skips: int


# ---------------------------------------------------------------- the frame


def frame(
    state: State, step: str, targets: Sequence[Target], sentence: str, *own: str, complaints: Complaints = ()
) -> Frame:
    """Return the frame of a step; ``own`` are the fields that its form asks for itself."""
    return Frame(
        title=words.title(state, targets),
        steps=_marks(state, step),
        action="/patching/approve" if state.approving else "/patching/new",
        kept=state.pairs(*own),
        forward=f"after-{step}",
        back=state.before(step) or "",
        sentence=sentence[:1].upper() + sentence[1:],
        cancel=_cancel(state),
        complaints=complaints,
    )


def _marks(state: State, step: str) -> list[Mark]:
    used = state.used()
    keys: list[str] = [key for key, _ in STEPS]
    here = keys.index(step)
    marks = []
    for place, (key, name) in enumerate(STEPS):
        how = "now" if place == here else "unused" if key not in used else "done" if place < here else "later"
        marks.append((name, how))
    return marks


def _cancel(state: State) -> str:
    if state.approving:
        return "/patching?tab=runs"
    if len(state.hosts) == 1 and not state.pick:
        return f"/hosts/{state.hosts[0]}"
    return "/packages" if state.what == "packages" and not state.ask else "/patching"


# ---------------------------------------------------------------- dry runs

_COUNTED: Final = (
    ("running", "neutral", (Status.RUNNING,)),
    ("pending validation", "neutral", (Status.PENDING_VALIDATION, Status.QUEUED)),
    ("validated", "good", (Status.VALIDATED,)),
    ("nothing to update", "good", (Status.DRY_RUN_COMPLETED,)),
    ("approved", "good", (Status.APPROVED,)),
    ("failed", "bad", (Status.FAILED, Status.TIMED_OUT, Status.AGENT_DISCONNECTED, Status.CANCELLED)),
)


async def results(call: Call, state: State, found: Sequence[Tried], complaints: Complaints = ()) -> ResultsPage:
    """Return the dry runs as they stand."""
    counts = choosing.counts(found)
    waiting = [one for one in found if one.status == Status.PENDING_VALIDATION]
    ready = [one for one in found if one.status == Status.VALIDATED]
    # Other hosts need another dry run: going back begins before it.
    back = replace(state, batches=(), without=(), skip=False)
    before = back.before("validate") if back.hosts or back.groups or back.everywhere else None
    return ResultsPage(
        frame=frame(state, "validate", [one.target for one in found], words.tried(found), complaints=complaints),
        rows=[_result(state, one) for one in await choosing.shown(call, found)],
        total=len(found),
        parts=[(word, sum(counts.get(one, 0) for one in some), colour) for word, colour, some in _COUNTED],
        ready=len(ready),
        waiting=len(waiting),
        alive=any(one.alive for one in found),
        here=state.address("validate"),
        next_url=state.address("timing"),
        skip_url=replace(state, skip=True).address("timing"),
        back_url=back.address(before) if before else "",
        failed=[one.run for one in found if one.failed],
    )


def _result(state: State, one: Tried) -> Result:
    word, colour = status_word(one.status)
    if one.status == Status.DRY_RUN_COMPLETED:
        word, colour = "Nothing to update", "good"
    elif one.status == Status.VALIDATED:
        colour = "good"
    changes = [
        (str(row.get("name")), str(row.get("from") or ""), str(row.get("to") or ""), row.get("requested") is False)
        for row in one.packages
    ]
    less = replace(state, without=(*state.without, one.target.uuid))
    return Result(
        one=one,
        word=word,
        state=colour,
        changes=sorted(changes, key=lambda change: (change[3], change[0])),
        without_url=less.address("validate"),
        skip_url=link("/patching/approve", {"run": one.run}) if one.status == Status.PENDING_VALIDATION else "",
        run_url=f"/patching/runs/{one.run}",
    )


def chosen_of(state: State, found: Sequence[Tried]) -> list[Tried]:
    """Return those of the dry runs, or of the runs that wait, that the last step is about."""
    if state.approving:
        return list(found)
    wanted = {Status.VALIDATED, *([Status.PENDING_VALIDATION] if state.skip else [])}
    return [one for one in found if one.status in wanted]


# ---------------------------------------------------------------- timing and the end


def timing_rows(state: State, found: Sequence[Planned], now: datetime) -> tuple[list[TimingRow], int]:
    """Return the hosts one by one as far as they fit, and how many do not."""
    rows = [
        TimingRow(
            one.target, words.begins(one, now), one.due_at, one.overridden or one.due_at is not None,
            one.target.uuid in state.soon, one.notes,
        )
        for one in found[:SHOWN]
    ]  # fmt: skip
    return rows, max(0, len(found) - SHOWN)


def summary(state: State, found: Sequence[tuple[Planned, Work]], now: datetime) -> tuple[list[SubmitRow], int]:
    """Return what is about to begin host by host as far as it fits, and how many more there are."""
    rows = [
        SubmitRow(
            one.target.name, words.what_of(work, one.options), words.extras(one.options), one.notes,
            "Waits for approval" if state.later else words.begins(one, now), None if state.later else one.due_at,
        )
        for one, work in found[:SHOWN]
    ]  # fmt: skip
    return rows, max(0, len(found) - SHOWN)
