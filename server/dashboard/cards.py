"""The cards that there are, in the order of those who never arranged anything."""

from collections.abc import Mapping
from typing import Final

from server.dashboard.models import Card, Columns

CARDS: Final = (
    Card("totalHosts", "Hosts", "All hosts, and how many of them are connected", "server-2", "tile"),
    Card("hostsNeedingUpdates", "Need updates", "Hosts on which at least one update waits", "package", "tile"),
    Card("securityUpdates", "Need security updates", "Hosts on which a security update waits", "shield", "tile"),
    Card("hostsNeedingReboot", "Need a reboot", "Hosts that have to be restarted", "power", "tile"),
    Card(
        "stalePatching",
        "Not patched lately",
        "Hosts without a successful patch run for longer than PATCH_STALE_DAYS: checking in is not patching",
        "history",
        "tile",
        permission="can_view_hosts",
    ),
    Card("staleHosts", "Stale", "Hosts that have not reported for three intervals", "clock", "tile", False),
    Card(
        "totalOutdatedPackages",
        "Outdated packages",
        "Packages of which at least one host waits for an update, each counted once",
        "package",
        "tile",
        permission="can_view_packages",
    ),
    Card("upToDateHosts", "Up to date", "Hosts that reported and wait for nothing", "circle-check", "tile", False),
    Card("offlineHosts", "Offline", "Hosts whose agent is not connected", "plug-connected-x", "tile", False),
    Card(
        "jobsUnderWay",
        "Jobs under way",
        "Hosts on which a job runs or waits",
        "player-play",
        "tile",
        False,
        permission="can_view_hosts",
    ),
    Card(
        "patchRuns",
        "Patch runs",
        "Patch runs that run now, and those that wait",
        "package",
        "tile",
        False,
        permission="can_view_hosts",
        module="patching",
    ),
    Card(
        "compliance",
        "Compliance",
        "Hosts that keep fewer than 80 % of the rules of their security benchmark",
        "checklist",
        "tile",
        False,
        permission="can_view_reports",
        module="compliance",
    ),
    Card(
        "totalHostGroups", "Host groups", "The groups of hosts", "stack-2", "tile", False, permission="can_view_hosts"
    ),
    Card(
        "totalRepos",
        "Repositories",
        "Repositories in use on at least one host",
        "database",
        "tile",
        False,
        permission="can_view_packages",
    ),
    Card("totalUsers", "People", "Accounts that can sign in", "users", "tile", False, permission="can_view_users"),
    Card("updateStatus", "Update status", "What share of the hosts waits for updates", "chart-line", "panel"),
    Card(
        "packageTrends",
        "Packages over time",
        "How many packages waited for an update on each day",
        "chart-line",
        "panel",
        span=2,
        permission="can_view_packages",
    ),
    Card("osDistribution", "Operating systems", "What the hosts run", "list-details", "panel"),
    Card(
        "whatWentWrong",
        "What went wrong",
        "Why jobs failed in the last seven days, grouped by cause",
        "alert-circle",
        "panel",
        permission="can_view_hosts",
    ),
    Card(
        "patchFailures",
        "Why patching fails",
        "Hosts on which the last patch run failed, grouped by cause",
        "alert-triangle",
        "panel",
        permission="can_view_hosts",
    ),
    Card(
        "recentJobs",
        "Recent jobs",
        "The newest jobs and how they went",
        "player-play",
        "panel",
        span=3,
        permission="can_view_hosts",
    ),
    Card(
        "recentActivity",
        "Recent activity",
        "Jobs and new hosts, newest first",
        "history",
        "panel",
        permission="can_view_hosts",
    ),
    Card(
        "needingReboot",
        "Waiting for a reboot",
        "Hosts to restart, and why",
        "power",
        "panel",
        permission="can_view_hosts",
    ),
    Card(
        "silentHosts",
        "Stale hosts",
        "Hosts that do not report, the longest silence first",
        "clock",
        "panel",
        permission="can_view_hosts",
    ),
    Card(
        "recentCollection",
        "Recent reports",
        "The hosts heard of last",
        "report",
        "panel",
        False,
        permission="can_view_hosts",
    ),
    Card("recentUsers", "Recent sign-ins", "Who signed in last", "users", "panel", False, permission="can_view_users"),
)
BY_ID: Final[Mapping[str, Card]] = {card.id: card for card in CARDS}
#: Six numbers in a row, three columns of panels.
COLUMNS: Final = Columns(stats=6, charts=3)
#: The fewest and the most columns of each.
STATS: Final = range(2, 9)
CHARTS: Final = range(1, 5)
