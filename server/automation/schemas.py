"""What the doors take and hand out."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from server.automation import rules
from server.automation.models import Job, JobHost, Options, Order, Playbook, ResultOf, Status
from server.web.forms import Body


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain U+0000")
    return text


def plain(text: str) -> str:
    """Return text of an address without what no row contains."""
    return text.replace("\0", "")


Text = Annotated[str, AfterValidator(_storable)]


class LaunchBody(Body):
    """An order for a job."""

    playbook: Text = Field(max_length=200)
    hosts: tuple[Text, ...] = Field(default=(), max_length=50_000)
    groups: tuple[Text, ...] = Field(default=(), max_length=1000)
    variables: dict[str, Any] = Field(default_factory=dict)
    check: bool = False
    diff: bool = False
    tags: tuple[Text, ...] = ()
    skip_tags: tuple[Text, ...] = ()
    verbosity: int = 0
    title: Text = Field(default="", max_length=200)
    timeout_seconds: int = 3600
    grace_seconds: int = 30
    deadline_seconds: int = 86_400
    idempotency_key: Text = ""
    credentials: tuple[Text, ...] = Field(default=(), max_length=50)
    executor: Text = ""
    forks: int = 0
    serial: int = 0

    def order(self) -> Order:
        """Return it as the service takes it."""
        options = Options(
            self.timeout_seconds, self.grace_seconds, diff=self.diff, tags=self.tags, skip_tags=self.skip_tags,
            verbosity=self.verbosity, credentials=self.credentials, executor=self.executor, forks=self.forks,
            serial=self.serial,
        )  # fmt: skip
        return Order(
            self.playbook, self.hosts, self.groups, self.variables, self.check, options, self.deadline_seconds,
            self.idempotency_key, self.title,
        )  # fmt: skip


def form_options(posted: Mapping[str, Any]) -> Options:
    """Return how a launch form wants ansible-playbook to be called."""
    credentials = posted.get("credential") or []
    return Options(
        diff=_last(posted.get("diff")) == "true",
        tags=_words(posted.get("tags")),
        skip_tags=_words(posted.get("skip_tags")),
        verbosity=int(text) if (text := str(posted.get("verbosity") or "0")).isdecimal() and len(text) == 1 else 0,
        credentials=tuple(credentials) if isinstance(credentials, list) else (str(credentials),),
        executor=plain(str(_last(posted.get("executor")) or "")),
        forks=_count(posted.get("forks")),
        serial=_count(posted.get("serial")),
    )


def _count(value: object) -> int:
    """Return a small whole number; what is none is refused like one that is too large."""
    text = str(_last(value) or "0").strip()
    return int(text) if text.isdecimal() and len(text) <= 5 else -1  # noqa: PLR2004 (keeps int() small)


def _words(text: object) -> tuple[str, ...]:
    return tuple(word.strip() for word in plain(str(text or "")).split(",") if word.strip())


def _last(value: object) -> object:
    # A check box sends "false" first, and "true" after it when it is on.
    return value[-1] if isinstance(value, list) and value else value


class StopBody(Body):
    """Which hosts of a job to stop; none named: all."""

    hosts: list[Text] | None = None


class RelaunchBody(Body):
    """Where to run a job again, and values that replace or complete the first ones."""

    failed_only: bool = True
    variables: dict[str, Any] = Field(default_factory=dict)


def job_view(job: Job) -> dict[str, Any]:
    """Return a job as programs see it."""
    status = rules.job_status(job.counts)
    end = job.finished_at
    return {
        "id": job.uuid,
        "title": job.title,
        "playbook": job.playbook,
        "check": job.check_mode,
        "status": status,
        "state": rules.shown(status),
        "live": end is None,
        "counts": job.counts,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": end,
        "deadline_at": job.deadline_at,
        "duration_seconds": (end - job.started_at).total_seconds() if end and job.started_at else None,
        "launched_by": job.launched_by,
        "position": job.position,
        "exit_code": rules.exit_code(status) if end else None,
    }


def job_detail(job: Job, hosts: list[JobHost], results: list[ResultOf]) -> dict[str, Any]:
    """Return a job with everything about its hosts; secret variables are only named."""
    found: dict[int, list[dict[str, Any]]] = {}
    for result in results:
        found.setdefault(result.job_host_id, []).append(
            {"module": result.module, "digest": result.digest, "size": result.size}
        )
    return {
        **job_view(job),
        "variables": {**job.variables, **dict.fromkeys(job.secret_names, "********")},
        "options": job.options,
        "hosts": [{**host_view(host), "results": found.get(host.id, [])} for host in hosts],
    }


def host_view(host: JobHost) -> dict[str, Any]:
    """Return one host of a job as programs see it."""
    started, ended = host.started_at, host.finished_at
    return {
        "id": host.uuid,
        "host": host.host_uuid,
        "name": host.host_name,
        "status": host.status,
        "state": rules.shown(Status(host.status)),
        "reason": host.reason,
        "executor": host.executor,
        "stopping": host.stop_asked_at is not None and host.status in rules.ON_HOST,
        "dispatched_at": host.dispatched_at,
        "started_at": started,
        "finished_at": ended,
        "duration_seconds": (ended - started).total_seconds() if started and ended else None,
        "rc": host.rc,
        "events": host.events,
        "counters": host.counters,
    }


def playbook_view(playbook: Playbook) -> dict[str, Any]:
    """Return a playbook with the variables it takes."""
    return {
        "name": playbook.name,
        "title": playbook.title,
        "description": playbook.description,
        "origin": playbook.origin,
        "digest": playbook.project_digest,
        "variables": [
            {
                "name": field.name,
                "type": field.type,
                "help": field.help,
                "default": None if field.secret else field.default,
                "choices": list(field.choices),
                "required": field.required,
                "secret": field.secret,
            }
            for field in playbook.fields
        ],
    }
