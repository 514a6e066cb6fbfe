"""Reads what the cards of the overview say, and only of those that somebody looks at."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from server.core.call import Call
from server.core.scope import Groups
from server.dashboard import layouts, rules
from server.dashboard.errors import GroupMissing
from server.dashboard.models import Asked, Board, Day, Fleet, JobSummary, Kinds, Moment
from server.dashboard.queries import compliance, fleet, history, packages, patching
from server.dashboard.queries import jobs as job_queries
from server.settings import service as settings

#: A host is silent when it has not reported for so many of its intervals.
STALE_INTERVALS: Final = 3
FAILURE_DAYS: Final = 7
_JOBS: Final = 6
_LINES: Final = 6
_MOMENTS: Final = 6


async def of(call: Call, asked: Asked) -> Board:
    """Return what this person's overview says; raises ``GroupMissing`` for a group they do not see."""
    groups = await fleet.list_groups(call.db, call.actor.scope)
    scope = within(call.actor.scope, asked.group, [one for one, _ in groups])
    layout = await layouts.mine(call)
    stale_before = call.now - await silence(call)
    board = Board(
        layout=layout,
        asked=asked,
        groups=groups,
        fleet=await fleet.count_fleet(call.db, scope, stale_before),
        at=call.now,
    )
    if not board.fleet.hosts:
        return board
    board = await _with_numbers(call, scope, board)
    board = await _with_lists(call, scope, board)
    if layout.shows("silentHosts") and board.fleet.stale:
        board = replace(board, silent=await fleet.list_stale(call.db, scope, stale_before, _LINES))
    return board


def within(scope: Groups, group: str, known: list[str]) -> Groups:
    """Return the groups to look at: all of the asker's, or the one that was asked for."""
    if not group:
        return scope
    if group not in known:
        raise GroupMissing
    return [group]


async def silence(call: Call) -> timedelta:
    """Return how long a host may say nothing before it counts as silent."""
    return timedelta(minutes=STALE_INTERVALS * (await settings.effective(call)).update_interval)


async def unpatched(call: Call) -> datetime:
    """Return the moment since when a host should have been patched."""
    return call.now - timedelta(days=(await settings.effective(call)).patch_stale_days)


async def total(call: Call, groups: Groups) -> Fleet:
    """Return the hosts in numbers."""
    return await fleet.count_fleet(call.db, groups, call.now - await silence(call))


async def kinds(call: Call, groups: Groups) -> Kinds:
    """Return how many packages wait for updates: of the whole fleet as counted every two minutes, else counted now."""
    counted = await packages.find_counted_packages(call.db) if groups is None else None
    return counted or await packages.count_outdated_packages(call.db, groups)


async def days(call: Call, groups: Groups, count: int) -> list[Day] | None:
    """Return what is known of each of the last days; ``None`` when that is only known of the whole fleet."""
    if groups is not None:
        return None
    return await history.list_days(call.db, _since(call, count))


async def days_of_host(call: Call, host: str, count: int) -> list[Day]:
    """Return what a host told last on each of the last days."""
    return await history.list_days_of_host(call.db, call.actor.scope, host, _since(call, count))


async def recent_jobs(call: Call, groups: Groups, limit: int = _JOBS) -> list[JobSummary]:
    """Return the newest jobs."""
    return [rules.summary(job, call.now) for job in await job_queries.list_recent_jobs(call.db, groups, limit)]


async def sample(call: Call) -> int:
    """Keep what the fleet looks like now, and forget what is older than the retention; return how many rows went."""
    await history.insert_sample(call.db, call.now)
    return await history.delete_samples(call.db, call.now - rules.KEPT)


def _since(call: Call, count: int) -> datetime:
    # From midnight, so that the first day is a whole one.
    return datetime.combine(call.now.date() - timedelta(days=count - 1), time(), tzinfo=UTC)


async def _with_numbers(call: Call, scope: Groups, board: Board) -> Board:
    shows = board.layout.shows
    if shows("totalOutdatedPackages"):
        board = replace(board, kinds=await kinds(call, scope))
    if shows("stalePatching", "patchFailures"):
        board = replace(board, freshness=await patching.count_freshness(call.db, scope, await unpatched(call)))
    if shows("jobsUnderWay"):
        board = replace(board, under_way=await job_queries.count_under_way(call.db, scope))
    if shows("patchRuns"):
        board = replace(board, patch_runs=await patching.count_runs(call.db, scope))
    if shows("compliance"):
        board = replace(board, standing=await compliance.count_standing(call.db, scope))
    if shows("totalHostGroups"):
        board = replace(board, group_count=len(board.groups))
    if shows("totalRepos"):
        board = replace(board, repository_count=await fleet.count_repositories(call.db, scope))
    if shows("totalUsers"):
        board = replace(board, people_count=await fleet.count_people(call.db))
    return board


async def _with_lists(call: Call, scope: Groups, board: Board) -> Board:
    shows = board.layout.shows
    if shows("osDistribution"):
        board = replace(board, systems=await fleet.list_systems(call.db, scope))
    if shows("packageTrends"):
        board = replace(board, days=await days(call, scope, board.asked.days))
    if shows("whatWentWrong"):
        since = call.now - timedelta(days=FAILURE_DAYS)
        board = replace(board, failures=await job_queries.list_failures(call.db, scope, since, _LINES))
    if shows("patchFailures") and board.freshness and board.freshness.failing:
        board = replace(board, patch_failures=await patching.list_failures(call.db, scope, _LINES))
    if shows("recentJobs"):
        board = replace(board, jobs=await recent_jobs(call, scope))
    if shows("recentActivity"):
        board = replace(board, moments=await _moments(call, scope))
    if shows("recentCollection"):
        board = replace(board, reports=await fleet.list_recent_reports(call.db, scope, _LINES))
    if shows("needingReboot") and board.fleet.need_reboot:
        board = replace(board, reboots=await fleet.list_needing_reboot(call.db, scope, _LINES))
    if shows("recentUsers"):
        board = replace(board, people=await fleet.list_recent_people(call.db, _LINES))
    return board


async def _moments(call: Call, scope: Groups) -> list[Moment]:
    jobs = await recent_jobs(call, scope, _MOMENTS)
    joined = await fleet.list_joined(call.db, scope, _MOMENTS)
    found = [*map(rules.job_moment, jobs), *map(rules.host_moment, joined)]
    return sorted(found, key=lambda moment: moment.at, reverse=True)[:_MOMENTS]
