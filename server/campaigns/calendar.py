"""What will run when: openings of windows, campaigns, scheduled runs, and windows that get in each other's way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

from server.campaigns import recurrence
from server.campaigns.errors import BadCampaign
from server.campaigns.models import Row, Target, Window
from server.campaigns.queries import campaigns as campaign_rows
from server.campaigns.queries import windows as rows
from server.core.call import Call

LONGEST: Final = timedelta(days=100)
_MOST_OF_ONE: Final = 500
_SOME_NAMES: Final = 5

Kind = Literal["window", "campaign", "run", "policy"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something on the calendar.

    Attributes:
        kind: an opening of a window, a campaign (that no opening here stands for), scheduled runs, or the daily time
            of a policy, which starts nothing by itself.
        id: of the window, campaign, batch of runs or policy.
        campaign: the campaign that an opening has already.
        status: the campaign's, ``planned`` for an opening ahead, ``blackout`` for one that does not take place.
        note: the name of the blackout, or what the entry is about.
        hosts: how many it reaches, as far as the asker sees them.
        host_names: some of them.
    """

    kind: Kind
    id: str
    title: str
    starts_at: datetime
    ends_at: datetime | None = None
    status: str = ""
    note: str = ""
    campaign: str | None = None
    hosts: int = 0
    host_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two openings at the same time that touch the same hosts."""

    first: str
    second: str
    first_title: str
    second_title: str
    starts_at: datetime
    ends_at: datetime
    hosts: int
    host_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blackedout:
    """Days on which a window does not open; ISO dates in its zone."""

    window: str
    title: str
    name: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything between two moments, in order of time."""

    since: datetime
    until: datetime
    entries: list[Entry]
    conflicts: list[Conflict]
    blackouts: list[Blackedout]


async def between(call: Call, since: datetime, until: datetime) -> Calendar:
    """Return what runs between two moments; raises ``BadCampaign`` when there are more than 100 days between them."""
    if not since < until <= since + LONGEST:
        raise BadCampaign.of({"to": "from has to be before to, and at most 100 days lie between them"})
    scope = call.actor.scope
    windows = [rows.window_of(row) for row in await rows.list_windows(call.db) if row["enabled"]]
    reached = {window.id: {target.uuid: target.name for target in await _targets(call, window)} for window in windows}
    windows = [window for window in windows if scope is None or reached[window.id]]
    campaigns = await rows.list_due_campaigns(call.db, scope, since, until)
    openings = [
        entry
        for window in windows
        for entry in _openings(window, reached[window.id], campaigns, since, until, call.now)
    ]
    shown = {entry.campaign for entry in openings}
    runs = await rows.list_scheduled_runs(call.db, scope, since, until)
    policies = await rows.list_fixed_policies(call.db)
    entries = [
        *openings,
        *(_campaign(row) for row in campaigns if row["id"] not in shown),
        *(_runs(row) for row in runs),
        *(entry for row in policies for entry in _times(row, since, until)),
    ]
    return Calendar(
        since,
        until,
        sorted(entries, key=lambda entry: (entry.starts_at, entry.kind, entry.title)),
        conflicts(openings, reached),
        [out for window in windows for out in _blackouts(window)],
    )


async def _targets(call: Call, window: Window) -> Sequence[Target]:
    return await campaign_rows.list_targets(call.db, call.actor.scope, window.targets)


def _openings(
    window: Window,
    hosts: Mapping[str, str],
    campaigns: Sequence[Row],
    since: datetime,
    until: datetime,
    now: datetime,
) -> list[Entry]:
    known = {row["occurrence_at"]: row for row in campaigns if row["window_id"] == window.id}
    # One that is open when the calendar begins is on it as well.
    early = since - timedelta(minutes=window.duration_minutes)
    found = []
    for one in islice(recurrence.occurrences(window, early, until), _MOST_OF_ONE):
        if one.ends_at <= since or one.starts_at >= until:
            continue
        campaign = known.get(one.starts_at)
        if campaign is None and one.ends_at <= now:
            # It was not there yet, or was switched off.
            continue
        planned = "blackout" if one.blackout else "planned"
        found.append(
            Entry(
                "window",
                window.id,
                window.name,
                one.starts_at,
                one.ends_at,
                campaign["status"] if campaign is not None else planned,
                one.blackout,
                campaign["id"] if campaign is not None else None,
                len(hosts),
                tuple(hosts.values())[:_SOME_NAMES],
            )
        )
    return found


def _campaign(row: Row) -> Entry:
    note = "Dry run" if row["dry_run"] else ""
    ends_at = row["finished_at"] or row["ends_at"]
    return Entry(
        "campaign", row["id"], row["name"], row["starts_at"], ends_at, row["status"], note, row["id"], row["hosts"]
    )


def _runs(row: Row) -> Entry:
    names = tuple(row["host_names"])
    return Entry(
        "run",
        row["batch_id"],
        names[0] if row["runs"] == 1 else f"{row['runs']} patch runs",
        row["scheduled_at"],
        status="scheduled",
        note=row["policy_name"] or "",
        hosts=row["runs"],
        host_names=names,
    )


def _times(row: Row, since: datetime, until: datetime) -> list[Entry]:
    hour, minute = map(int, row["fixed_time_utc"].split(":"))
    at = since.astimezone(UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    found = []
    while at < until:
        if at >= since:
            found.append(Entry("policy", row["id"], row["name"], at, status="label", note="Runs begin at this time"))
        at += timedelta(days=1)
    return found


def _blackouts(window: Window) -> Iterable[Blackedout]:
    for one in window.blackouts:
        yield Blackedout(window.id, window.name, one.name, one.first.isoformat(), one.last.isoformat())


def conflicts(openings: Sequence[Entry], reached: Mapping[str, Mapping[str, str]]) -> list[Conflict]:
    """Return the pairs of openings of different windows that overlap and share hosts (``reached``: name by UUID)."""
    live = sorted((one for one in openings if one.status != "blackout"), key=lambda one: one.starts_at)
    found: list[Conflict] = []
    open_ones: list[Entry] = []
    for entry in live:
        open_ones = [one for one in open_ones if (one.ends_at or one.starts_at) > entry.starts_at]
        for other in open_ones:
            shared = sorted(reached[other.id].keys() & reached[entry.id].keys(), key=reached[entry.id].__getitem__)
            if other.id != entry.id and shared:
                names = tuple(reached[entry.id][one] for one in shared[:_SOME_NAMES])
                ends_at = min(other.ends_at or other.starts_at, entry.ends_at or entry.starts_at)
                found.append(
                    Conflict(other.id, entry.id, other.title, entry.title, entry.starts_at, ends_at, len(shared), names)
                )
        open_ones.append(entry)
    return found
