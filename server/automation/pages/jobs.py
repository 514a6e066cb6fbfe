"""The list of jobs, one job live, and a host's jobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson
from aiohttp import web

from server.automation import schemas, service, stream, views
from server.automation.models import EventRow, Job, JobHost
from server.core.call import Call
from server.core.ids import HostId
from server.core.paging import Page as Part
from server.core.paging import Window
from server.hosts import service as hosts
from server.hosts.models import Action, HostHead, Tab
from server.web import flash
from server.web.forms import query_number
from server.web.live import Happening, last_seen, sse
from server.web.navigation import host_tabs
from server.web.render import Page, fragment, render
from server.web.routing import Routes, call, gated, is_fragment, path_text

routes: Final = Routes()

_VIEW: Final = "can_view_hosts"
_TABS: Final = ("events", "output", "variables", "facts")
_ONLY: Final = (("", "All"), ("open", "Running"), ("failed", "Failed"))
_TREE_ROWS: Final = 5000
_CONSOLE_ROWS: Final = 4000
_CRUMB: Final = ("Jobs", "/jobs")
_MOST_SHOWN_HOSTS: Final = 1000
#: Larger results are not read on the way to a page; the API hands them out as they are.
_MOST_RESULT_BYTES: Final = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class JobsPage(Page):
    """templates/automation/jobs.html."""

    template: ClassVar[str] = "automation/jobs.html"
    title: ClassVar[str] = "Jobs"
    jobs: list[views.JobView]
    page: Part[Job]
    search: str
    status: str
    statuses: list[tuple[str, str, int | None]]
    sort: str
    direction: str
    can_launch: bool


@dataclass(frozen=True, slots=True)
class JobPage(Page):
    """templates/automation/job.html; ``forgotten``: what the selected host sent is kept no longer."""

    template: ClassVar[str] = "automation/job.html"
    title: ClassVar[str] = "Job"
    job: views.JobView
    hosts: list[views.HostRow]
    selected: views.HostRow | None
    events: list[views.EventRow]
    console: list[views.ConsoleChunk]
    result_tables: list[tuple[str, list[dict[str, Any]]]]
    last_position: int
    stream_url: str
    tab: str
    forgotten: bool


@dataclass(frozen=True, slots=True)
class ResultPage(Page):
    """templates/automation/result.html."""

    template: ClassVar[str] = "automation/result.html"
    title: ClassVar[str] = "Result"
    heading: str
    back_url: str
    message: str
    changes: list[dict[str, Any]]
    fields: list[tuple[str, str]]
    raw: str


@dataclass(frozen=True, slots=True)
class HostJobsPage(Page):
    """templates/hosts/jobs.html."""

    template: ClassVar[str] = "hosts/jobs.html"
    title: ClassVar[str] = "Jobs"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    jobs: list[views.JobView]
    page: Part[Job]


@routes.get("/jobs")
@gated(_VIEW)
async def show_list(request: web.Request) -> web.Response:
    """Show jobs, newest first."""
    asked = call(request)
    search = request.query.get("search", "")[:200].replace("\0", "")
    only = request.query.get("status", "") if request.query.get("status") in dict(_ONLY) else ""
    page = await service.page_of_jobs(asked, Window(query_number(request, "page", 1), 50), search=search, only=only)
    shown = [_view(asked, job) for job in page.items]
    can_launch = bool(await service.launchable(asked))
    return render(
        request,
        JobsPage(
            shown, page, search, only, [(value, word, None) for value, word in _ONLY], "created_at", "desc", can_launch
        ),
    )


@routes.get("/jobs/{job}")
@gated(_VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one job; complete when it is opened late, live while it runs."""
    asked = call(request)
    job = await _job(request)
    found = await service.hosts_of(asked, job)
    chosen = next((one for one in found if one.uuid == request.query.get("host")), found[0] if found else None)
    tab = request.query.get("tab", "") if request.query.get("tab") in _TABS else "events"
    view = _view(asked, job, found, may=await service.may_launch(asked, job.playbook))
    selected = views.host(chosen, view.url, now=asked.now, selected=chosen.uuid) if chosen else None
    events = await _tree(asked, job, chosen, view.url) if tab == "events" else []
    console = await _console(asked, job, chosen) if tab == "output" else []
    empty = tab in {"events", "output"} and not events and not console
    page = JobPage(
        job=view,
        hosts=[
            views.host(one, view.url, now=asked.now, selected=chosen.uuid if chosen else "")
            for one in found[:_MOST_SHOWN_HOSTS]
        ],
        selected=selected,
        events=events,
        console=console,
        result_tables=await _result_tables(asked, job, chosen),
        last_position=job.position,
        stream_url=f"{view.url}/stream?host={chosen.uuid}" if chosen else f"{view.url}/stream",
        tab=tab,
        forgotten=empty and chosen is not None and await service.is_forgotten(asked, job, chosen),
    )
    return render(request, page, breadcrumbs=(_CRUMB, (job.title, "")))


async def _tree(asked: Call, job: Job, host: JobHost | None, url: str) -> list[views.EventRow]:
    if host is None:
        return []
    rows = await service.runner_events(asked, job, host, until=job.position, limit=_TREE_ROWS)
    return views.tree(rows, url)


async def _console(asked: Call, job: Job, host: JobHost | None) -> list[views.ConsoleChunk]:
    if host is None:
        return []
    rows = await service.last_output(asked, job, host, until=job.position, limit=_CONSOLE_ROWS)
    return [made for row in rows if (made := views.chunk(row)) is not None]


async def _result_tables(asked: Call, job: Job, host: JobHost | None) -> list[tuple[str, list[dict[str, Any]]]]:
    if host is None:
        return []
    tables = []
    for blob in await service.results_of(asked, host):
        if blob.module == "package_update":
            found = _reported(await service.result_if_here(asked, host.uuid, blob.digest))
            if found is not None:
                tables.append(("Would change" if job.check_mode else "Changed", views.changes(found)))
    return tables


def _reported(content: bytes) -> dict[str, Any] | None:
    """Return a module's result; a host may have named a file it never sent, or sent one that is no result."""
    try:
        told = orjson.loads(content) if 0 < len(content) <= _MOST_RESULT_BYTES else None
    except orjson.JSONDecodeError:
        return None
    found = told.get("result") if isinstance(told, dict) else None
    return found if isinstance(found, dict) else None


@routes.get("/jobs/{job}/stream", name="jobs.stream")
@gated(_VIEW)
async def follow(request: web.Request) -> web.StreamResponse:
    """Stream what is new on the page: the same fragments the page itself is made of."""
    asked, job = call(request), await _job(request)
    host = (
        await service.host_of(asked, job, schemas.plain(request.query["host"])) if request.query.get("host") else None
    )
    return await sse(request, _happenings(request, stream.follow_rows(asked, job, last_seen(request), host), host))


async def _happenings(
    request: web.Request, news: AsyncIterator[stream.Progress[EventRow] | None], host: JobHost | None
) -> AsyncIterator[Happening | None]:
    asked = call(request)
    async for progress in news:
        if progress is None:
            yield None
            continue
        now = Call(asked.world, asked.actor)
        for one in progress.hosts:
            row = views.host(one, f"/jobs/{progress.job.uuid}", now=now.now, selected=host.uuid if host else "")
            yield Happening(
                "host",
                {"id": row.id, "status": row.status, "html": fragment(request, "automation/_host_row.html", host=row)},
            )
        for stored in progress.events:
            for happening in _of_event(request, stored, progress.job):
                yield happening
        if progress.hosts or progress.over:
            view = _view(now, progress.job)
            body = {"status": view.status, "state": view.state, "live": view.live, "counts": view.counts}
            html = fragment(request, "automation/_head.html", job=view)
            yield Happening("job", {**body, "html": html}, progress.position)
        if progress.over:
            yield Happening("end", {}, progress.position)


def _of_event(request: web.Request, stored: EventRow, job: Job) -> list[Happening]:
    bodies: list[tuple[str, dict[str, Any]]] = []
    if stored.stdout:
        said = {"source": stored.source, "text": stored.stdout}
        bodies.append(("output", {"host": stored.job_host, "position": stored.position, **said}))
    row = views.event(stored, f"/jobs/{job.uuid}")
    if row is not None:
        html = fragment(request, "automation/_event.html", event=row)
        bodies.append(("task", {"host": stored.job_host, "key": row.key, "status": row.status, "html": html}))
    # Only the last one carries the number: whoever is cut off between the two hears both again.
    last = len(bodies) - 1
    return [
        Happening(name, body, stored.position if place == last else None) for place, (name, body) in enumerate(bodies)
    ]


@routes.get("/jobs/{job}/output", name="jobs.download")
@gated(_VIEW)
async def output(request: web.Request) -> web.StreamResponse:
    """Answer everything a host printed, as text."""
    asked, job = call(request), await _job(request)
    host = await service.host_of(asked, job, schemas.plain(request.query.get("host", "")))
    name = f"{job.playbook}-{host.host_name}.txt".replace('"', "").replace("/", "_")
    answer = web.StreamResponse(
        headers={"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    )
    await answer.prepare(request)
    after = 0
    while rows := await service.events(asked, job, after=after, limit=1000, host=host):
        after = rows[-1].position
        text = "".join(f"{row.stdout.rstrip(chr(10))}\n" for row in rows if row.stdout)
        await answer.write(text.encode("utf-8", "replace"))
    return answer


@routes.get("/jobs/{job}/results/{position}")
@gated(_VIEW)
async def show_result(request: web.Request) -> web.Response:
    """Show what a task returned, as a part of the tree or as a page of its own."""
    asked, job = call(request), await _job(request)
    position = path_text(request, "position")
    found = await service.event_result(asked, job, int(position) if position.isdecimal() and len(position) < 18 else -1)  # noqa: PLR2004 (fits bigint)
    result: Mapping[str, Any] = found["result"] if isinstance(found["result"], dict) else {"result": found["result"]}
    page = ResultPage(
        heading=str(found["task"] or "Result"),
        back_url=f"/jobs/{job.uuid}",
        message=str(found["message"] or (result.get("msg") if isinstance(result.get("msg"), str) else "") or ""),
        changes=views.changes(result),
        fields=views.fields(result),
        raw=views.readable(result),
    )
    template = "automation/_result.html" if is_fragment(request) else ""
    return render(
        request, page, template=template, breadcrumbs=(_CRUMB, (job.title, f"/jobs/{job.uuid}"), ("Result", ""))
    )


@routes.post("/jobs/{job}/stop")
@gated(_VIEW)
async def stop(request: web.Request) -> web.StreamResponse:
    """End a job."""
    job = await service.stop(call(request), path_text(request, "job"))
    return _back(request, f"/jobs/{job.uuid}", "good", "The job is being stopped.")


@routes.post("/jobs/{job}/approve")
@gated(_VIEW)
async def approve(request: web.Request) -> web.StreamResponse:
    """Let a job go out that somebody else launched."""
    job = await service.approve(call(request), path_text(request, "job"))
    return _back(request, f"/jobs/{job}", "good", "Approved: the job goes out now.")


@routes.post("/jobs/{job}/relaunch")
@gated(_VIEW)
async def relaunch(request: web.Request) -> web.StreamResponse:
    """Run a job again where it failed."""
    job = await service.relaunch(call(request), path_text(request, "job"))
    return _back(request, f"/jobs/{job.uuid}", "good", "Launched again on the hosts that failed.")


def _back(request: web.Request, url: str, kind: str, text: str) -> web.StreamResponse:
    answer = web.Response(status=303, headers={"Location": url})
    flash.say(answer, request, kind, text)
    return answer


@routes.get("/hosts/{host}/jobs")
@gated(_VIEW)
async def show_host_jobs(request: web.Request) -> web.Response:
    """Show what ran on a host."""
    asked = call(request)
    head, tabs, actions = await hosts.framed(asked, path_text(request, "host"), host_tabs(request), "jobs")
    jobs = await service.jobs_of_host(asked, HostId(head.key))
    page = Part(jobs, len(jobs), Window(1, max(50, len(jobs))))
    shown = HostJobsPage(
        head,
        tabs,
        actions,
        [_view(asked, job) for job in jobs],
        page,
    )
    return render(request, shown, breadcrumbs=(("Hosts", "/hosts"), (head.name, head.url), ("Jobs", "")))


async def _job(request: web.Request) -> Job:
    return await service.fetch(call(request), path_text(request, "job"))


def _view(asked: Call, job: Job, found: Sequence[JobHost] = (), *, may: bool = False) -> views.JobView:
    # Only the job's own page has buttons.
    return views.job(job, may_launch=may, now=asked.now, hosts=found, own=service.is_own(asked, job))
