"""The pages of jobs and playbooks."""

from typing import Final

from server.automation.pages import jobs, playbooks
from server.web.navigation import Entry, HostTab

routes: Final = (*jobs.routes, *playbooks.routes)
ENTRIES: Final = (
    Entry("Change", "Jobs", "/jobs", "list-details", 20, "can_view_hosts"),
    Entry("Change", "Playbooks", "/playbooks", "book-2", 30, "can_view_hosts"),
)
HOST_TABS: Final = (HostTab("jobs", "Jobs", 50),)
