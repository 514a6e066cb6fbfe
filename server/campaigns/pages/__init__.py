"""The pages of campaigns, maintenance windows and the calendar."""

from typing import Final

from server.campaigns.pages import calendar, campaigns, planning, windows
from server.campaigns.pages.frame import MANAGE
from server.web.navigation import Action

# "new" before the ids, which would take it for one of theirs.
routes: Final = (*planning.routes, *campaigns.routes, *windows.routes, *calendar.routes)
ACTIONS: Final = (
    Action("Start a campaign", "/patching/campaigns/new", "git-branch", MANAGE, "roll-out waves canary patch fleet"),
    Action("Plan a maintenance window", "/patching/windows/new", "calendar-plus", MANAGE, "schedule cron recurring"),
)
