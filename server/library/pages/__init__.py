"""The pages of projects, their files and playbooks, and of credentials."""

from typing import Final

from server.library.pages import credentials, editor, playbook, project, projects
from server.library.pages.frame import MANAGE, VIEW
from server.web.navigation import Action, Entry

# "new" before the names, which would take it for one of theirs.
routes: Final = (*projects.routes, *editor.routes, *playbook.routes, *project.routes, *credentials.routes)
ENTRIES: Final = (
    Entry("Change", "Projects", "/projects", "list-tree", 32, VIEW),
    Entry("Change", "Credentials", "/credentials", "key", 60, MANAGE),
)
ACTIONS: Final = (
    Action("New project of playbooks", "/projects/new", "plus", MANAGE, "git upload playbook role library"),
    Action("New credential", "/credentials/new", "key", MANAGE, "vault password become secret api key"),
)
