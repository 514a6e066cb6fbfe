"""The pages of workflows, their runs and schedules."""

from typing import Final

from server.web.navigation import Action, Entry
from server.workflows.pages import editor, runs, schedules, workflows
from server.workflows.pages.frame import MANAGE, VIEW

# "runs" and "new" before the ids, which would take them for one of theirs.
routes: Final = (*runs.routes, *editor.routes, *workflows.routes, *schedules.routes)
ENTRIES: Final = (
    Entry("Change", "Workflows", "/workflows", "sitemap", 40, VIEW),
    Entry("Change", "Schedules", "/schedules", "calendar-repeat", 50, MANAGE),
)
ACTIONS: Final = (
    Action("Make a workflow", "/workflows/new", "sitemap", MANAGE, "playbooks in sequence approval pipeline"),
    Action("Make a schedule", "/schedules/new", "calendar-repeat", MANAGE, "cron recurring playbook workflow nightly"),
)
