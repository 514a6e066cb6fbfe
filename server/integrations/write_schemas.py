"""Bodies and answers of what tokens may change."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from server.automation import service as automation
from server.automation.models import Job
from server.hosts.models import NAME_LENGTH, TEXT_LENGTH
from server.integrations.models import Facts
from server.patching.models import Started
from server.web.forms import TextBody

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Ids = tuple[Annotated[str, StringConstraints(max_length=255)], ...]


class GroupBody(TextBody):
    """A host group."""

    name: Annotated[Name, StringConstraints(max_length=NAME_LENGTH)]
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=TEXT_LENGTH)] = ""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#3B82F6"


class MembershipBody(TextBody):
    """The groups a host shall be in, by id; none is allowed."""

    group_ids: Ids = Field(max_length=1000)


class TagsBody(TextBody):
    """A host's tags by key."""

    tags: dict[str, str] = Field(max_length=50)

    def texts(self) -> list[str]:
        """Return them as people write them."""
        return [f"{key}={value}" if value else key for key, value in self.tags.items()]


class NotesBody(TextBody):
    """A host's notes."""

    notes: Annotated[str, StringConstraints(max_length=100_000)]


class PatchBody(TextBody):
    """What to update where; without packages everything, as the policy of each host says."""

    hosts: Ids = Field((), max_length=10_000)
    groups: Ids = Field((), max_length=1000)
    packages: Ids = Field((), max_length=1000)
    dry_run: bool = False
    submit_for_approval: bool = False


class JobBody(TextBody):
    """A playbook to run."""

    playbook: Name
    hosts: Ids = Field((), max_length=50_000)
    groups: Ids = Field((), max_length=1000)
    variables: dict[str, Any] = Field(default_factory=dict)
    check: bool = False
    title: Annotated[str, StringConstraints(max_length=200)] = ""


def run_view(started: Started) -> Facts:
    """Return a patch run that was just made."""
    return {"id": started.id, "host_id": started.host_id, "status": started.status, "run_at": started.run_at}


def job_view(job: Job) -> Facts:
    """Return where a job stands, in the words in which people's programs read it."""
    status = automation.job_status(job.counts)
    return {
        "id": job.uuid,
        "playbook": job.playbook,
        "title": job.title,
        "check": job.check_mode,
        "status": status,
        "counts": job.counts,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "exit_code": automation.exit_code(status) if job.finished_at else None,
    }
