"""How numbers and states are shown, and where cards stand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from server.core.words import counted, number
from server.dashboard.models import (
    Board,
    Card,
    Columns,
    Fleet,
    Freshness,
    HostLine,
    JobRow,
    JobSummary,
    Layout,
    Moment,
    Place,
    Placed,
    Standing,
    State,
    Tile,
)

#: How long samples of the fleet are kept: two years of them are a few megabytes.
KEPT: Final = timedelta(days=730)
MOST_CARDS: Final = 1000

# A job is what its most active host is, and when all have ended, what the worst of them is.
_TELLING: Final = (
    "running",
    "rebooting",
    "dispatched",
    "queued",
    "awaiting_approval",
    "scheduled",
    "failed",
    "timed_out",
    "lost",
    "unreachable",
    "cancelled",
    "succeeded",
)
_STATES: Final[Mapping[str, State]] = {
    "succeeded": "good",
    "failed": "bad",
    "timed_out": "bad",
    "lost": "bad",
    "unreachable": "bad",
    "cancelled": "neutral",
    "queued": "neutral",
    "scheduled": "neutral",
}
_WORDS: Final[Mapping[str, str]] = {"succeeded": "ok"}


def layout(cards: Sequence[Card], placed: Sequence[Placed], columns: Columns) -> Layout:
    """Return where each of these cards is: as somebody placed it, and the others behind those as usual."""
    known = {one.card: one for one in placed}
    places = [
        Place(
            card,
            enabled=known[card.id].enabled if card.id in known else card.enabled,
            position=known[card.id].position if card.id in known else len(placed) + number,
            span=min(known[card.id].span if card.id in known else card.span, columns.charts),
        )
        for number, card in enumerate(cards)
    ]
    places.sort(key=lambda place: place.position)
    return Layout(tuple(replace(place, position=number) for number, place in enumerate(places)), columns)


def moved(placed: Sequence[Placed], kinds: Mapping[str, str], card: str, step: int) -> list[Placed]:
    """Return the cards with one of them moved among those of its kind, numbered anew."""
    order = sorted(placed, key=lambda one: one.position)
    same = [index for index, one in enumerate(order) if kinds.get(one.card) == kinds.get(card)]
    here = next((number for number, index in enumerate(same) if order[index].card == card), None)
    if here is not None and 0 <= here + step < len(same):
        one, other = same[here], same[here + step]
        order[one], order[other] = order[other], order[one]
    return [replace(one, position=number) for number, one in enumerate(order)]


def tiles(board: Board) -> list[Tile]:
    """Return the numbers in their order; each leads to the list behind it."""
    group = {"group": board.asked.group} if board.asked.group else {}
    made = {
        **_host_tiles(board.fleet, group),
        **_other_tiles(board, group),
    }
    return [made[place.card.id] for place in board.layout.shown("tile") if place.card.id in made]


def _host_tiles(fleet: Fleet, group: Mapping[str, str]) -> dict[str, Tile]:
    def url(**parameters: str) -> str:
        query = urlencode({**group, **parameters})
        return f"/hosts?{query}" if query else "/hosts"

    silent = f", {number(fleet.never_reported)} never reported" if fleet.never_reported else ""
    updates, security = counted(fleet.updates, "update"), counted(fleet.security_updates, "update")
    offline = fleet.hosts - fleet.connected
    return {
        "totalHosts": Tile("Hosts", fleet.hosts, url(), "neutral", f"{number(fleet.connected)} connected{silent}"),
        "hostsNeedingUpdates": _warning(
            "Need updates", fleet.need_updates, url(filter="needsUpdates"), "attention", f"{updates} in all"
        ),
        "securityUpdates": _warning(
            "Need security updates", fleet.need_security_updates, url(filter="security"), "bad", f"{security} in all"
        ),
        "hostsNeedingReboot": _warning(
            "Need a reboot", fleet.need_reboot, url(filter="reboot"), "attention", "to finish their updates"
        ),
        "staleHosts": _warning(
            "Stale", fleet.stale, url(filter="stale"), "bad", "no report for three intervals", "all report in time"
        ),
        "upToDateHosts": Tile(
            "Up to date", fleet.up_to_date, url(status="active", sort="updates"), "good", "wait for nothing"
        ),
        "offlineHosts": _warning(
            "Offline", offline, url(connection="offline"), "attention", "agent not connected", "all are connected"
        ),
    }


def _other_tiles(board: Board, group: Mapping[str, str]) -> dict[str, Tile]:
    made = {
        "totalHostGroups": Tile("Host groups", board.group_count, "/settings/host-groups", "neutral"),
        "totalRepos": Tile("Repositories", board.repository_count, "/repositories", "neutral", "in use"),
        "totalUsers": Tile("People", board.people_count, "/settings/users", "neutral", "can sign in"),
    }
    if board.kinds is not None:
        security = f"{number(board.kinds.security)} with a security update"
        made["totalOutdatedPackages"] = _warning(
            "Outdated packages", board.kinds.outdated, "/packages?filter=outdated", "attention", security, "all newest"
        )
    if board.freshness is not None:
        made["stalePatching"] = _stale_tile(board.freshness, group)
    if board.under_way is not None:
        waiting = f"{number(board.under_way.waiting)} waiting"
        made["jobsUnderWay"] = Tile("Jobs under way", board.under_way.running, "/jobs", "neutral", waiting)
    if board.standing is not None:
        made["compliance"] = _standing_tile(board.standing)
    if board.patch_runs is not None:
        queued = f"{number(board.patch_runs.waiting)} queued"
        made["patchRuns"] = Tile(
            "Patch runs", board.patch_runs.running, "/patching?tab=runs&status=active", "neutral", queued
        )
    return made


def _standing_tile(found: Standing) -> Tile:
    url, critical = "/compliance/hosts?status=behind", f"{number(found.critical)} of them critical"
    if not found.scanned:
        return Tile("Compliance", 0, "/compliance", "neutral", "no host was scanned")
    return _warning("Not compliant", found.behind, url, "attention", critical, f"all {number(found.scanned)} are")


def _stale_tile(found: Freshness, group: Mapping[str, str]) -> Tile:
    never = f"{number(found.never)} never patched" if found.never else ""
    failing = f"{counted(found.failing, 'host')} failing" if found.failing else ""
    url = f"/hosts?{urlencode({**group, 'filter': 'patchStale'})}"
    hint = ", ".join(one for one in (never, failing) if one) or f"updates wait on {number(found.waiting)}"
    return _warning(
        "Not patched lately", found.stale, url, "attention", hint, hint if never or failing else "all are fresh"
    )


def _warning(label: str, value: int, url: str, state: State, hint: str, calm: str = "nothing to do") -> Tile:
    return Tile(label, value, url, state, hint) if value else Tile(label, value, url, "good", calm)


def job_moment(job: JobSummary) -> Moment:
    """Return a job as something that happened."""
    told = ", ".join(f"{count} {word}" for word, count, _ in job.counts)
    text = f"on {job.only_host}: {job.status.replace('_', ' ')}" if job.only_host else told
    title = f"{job.title} (dry run)" if job.check else job.title
    return Moment(job.created_at, "player-play", job.state, title, text, job.url, job.launched_by)


def host_moment(host: HostLine) -> Moment:
    """Return a host that was added as something that happened."""
    assert host.at is not None
    return Moment(host.at, "plus", "neutral", f"{host.name} was added", host.note, f"/hosts/{host.id}")


def summary(job: JobRow, now: datetime) -> JobSummary:
    """Return a job as the list shows it."""
    status = next((status for status in _TELLING if job.counts.get(status)), "queued")
    end = job.finished_at or now
    return JobSummary(
        id=job.id,
        url=f"/jobs/{job.id}",
        title=job.title,
        check=job.check_mode,
        status=status,
        state=_STATES.get(status, "attention"),
        live=job.finished_at is None and status in {"running", "rebooting", "dispatched"},
        counts=[
            (_WORDS.get(one, one.replace("_", " ")), job.counts[one], _STATES.get(one, "attention"))
            for one in (_TELLING[-1], *_TELLING[:-1])
            if job.counts.get(one)
        ],
        only_host=job.only_host,
        launched_by=job.launched_by,
        created_at=job.created_at,
        started_at=job.started_at,
        duration_seconds=(end - job.started_at).total_seconds() if job.started_at else None,
    )
