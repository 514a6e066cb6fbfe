"""The patch wizard: where, what, tried first, when, who approves; nothing real happens before its last button."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web
from multidict import MultiMapping

from server.automation import service as automation
from server.core.errors import Invalid, Problem
from server.core.words import counted
from server.patching import approving, choosing, service
from server.patching.choosing import Chosen, Planned, Tried
from server.patching.models import Started, Status
from server.patching.pages import wizard_views as views
from server.patching.pages import wizard_words as words
from server.patching.pages.wizard_options import options, order, work
from server.patching.pages.wizard_state import OPTIONS, State, read
from server.patching.pages.words import outcome
from server.patching.schedule import PLAYBOOK
from server.web.fields import Field
from server.web.flash import back
from server.web.formats import link
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, is_fragment

routes: Final = Routes()

_MANAGE: Final = "can_manage_patching"
_MODULE: Final = "patching"
_CRUMB: Final = ("Patching", "/patching")
_AFTER: Final = "after-"
_WHAT_FIELDS: Final = ("type", "security", "package", "offered")


@dataclass(frozen=True, slots=True)
class Known:
    """What a step is about: the hosts, and the runs behind them where there are any."""

    chosen: Chosen
    tried: Sequence[Tried] = ()


# ---------------------------------------------------------------- showing


@routes.get("/patching/new")
@gated(_MANAGE, module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Show the step that the address asks for, or the first that is needed."""
    return await _show(request, read(request.query))


@routes.get("/patching/approve")
@gated(_MANAGE, module=_MODULE)
async def show_approval(request: web.Request) -> web.Response:
    """Show timing and the last step for runs that wait for approval."""
    return await _show_approval(request, read(request.query))


@routes.post("/patching/new")
@gated(_MANAGE, module=_MODULE)
async def go_on(request: web.Request) -> web.Response:
    """Go to the step that a button names, with everything the form holds."""
    return await _gone(request, read(await _form(request)))


@routes.post("/patching/approve")
@gated(_MANAGE, module=_MODULE)
async def go_on_approving(request: web.Request) -> web.Response:
    """Do the same for runs that wait for approval; a list opens the wizard this way for those that were ticked."""
    return await _gone(request, read(await _form(request)))


async def _form(request: web.Request) -> MultiMapping[str]:
    await posted(request)
    return await request.post()  # type: ignore[return-value]


async def _gone(request: web.Request, state: State) -> web.Response:
    if state.step.startswith(_AFTER):
        # What comes next depends on what was just chosen.
        state = replace(state, step=state.following(state.step.removeprefix(_AFTER)))
    if not state.fits:
        return await (_show_approval if state.approving else _show)(request, state)
    url = state.address(state.step)
    if state.find:
        url = link(url, {"find": state.find})
    return web.Response(status=303, headers={"Location": url})


async def _show_approval(request: web.Request, state: State, complaints: views.Complaints = ()) -> web.Response:
    asked = call(request)
    if not state.approving:
        return _to_history(request, "attention", "No run was chosen.")
    found = await choosing.to_approve(asked, state.runs)
    waiting = [one for one in found if one.status in _WAITING]
    if not waiting:
        return _to_history(request, "attention", "None of these runs waits for approval any more.")
    known = Known(Chosen([one.target for one in waiting]), waiting)
    step = _timing if state.here() == "timing" else _submit
    return _rendered(request, state, await step(request, state, known, complaints), complaints)


_WAITING: Final = frozenset({Status.VALIDATED, Status.PENDING_VALIDATION, Status.PENDING_APPROVAL})


async def _show(request: web.Request, state: State, complaints: views.Complaints = ()) -> web.Response:
    if state.approving:
        return await _show_approval(request, state, complaints)
    asked, step = call(request), state.here()
    if state.batches:
        found = await choosing.tried(asked, state.batches, state.without)
        ready = views.chosen_of(state, found)
        if step == "validate" or not ready:
            return _rendered(request, state, await views.results(asked, state, found, complaints), complaints)
        known = Known(Chosen([one.target for one in ready]), ready)
    elif step == "hosts":
        return _rendered(request, state, await _hosts(request, state, complaints), complaints)
    else:
        known = Known(await _chosen(request, state))
        if wrong := _missing(state, known):
            # Nothing can be said of what was not chosen: back to where it is chosen.
            state = replace(state, step="hosts", pick=True)
            return _rendered(request, state, await _hosts(request, state, wrong), wrong)
        if step == "packages" or (state.what == "packages" and not state.packages):
            said = complaints or ([] if state.packages else ["Choose at least one package."])
            return _rendered(request, state, _packages(state, known, said), said)
    steps = {"validate": _validate, "timing": _timing, "approval": _approval, "submit": _submit}
    return _rendered(request, state, await steps[step](request, state, known, complaints), complaints)


def _rendered(request: web.Request, state: State, page: Page, complaints: views.Complaints) -> web.Response:
    part = ""
    if is_fragment(request) and isinstance(page, views.ResultsPage):
        part = "patching/wizard/_results.html"
    crumbs = (_CRUMB, ("Approve" if state.approving else "Patch", ""))
    return render(request, page, template=part, status=400 if complaints else 200, breadcrumbs=crumbs)


async def _chosen(request: web.Request, state: State) -> Chosen:
    return await choosing.chosen(call(request), state.names, state.hosts, state.groups, everywhere=state.everywhere)


def _missing(state: State, known: Known) -> list[str]:
    if not state.what:
        return ["Choose what to update."]
    if state.what == "packages" and not state.packages and not state.offered:
        return ["Name at least one package."]
    if known.chosen.targets:
        return []
    if known.chosen.windows:
        return ["Windows hosts install their updates by themselves. Choose other hosts."]
    if state.groups or state.everywhere:
        return ["None of these hosts needs that."]
    return ["Choose at least one host."]


# ---------------------------------------------------------------- the steps


async def _hosts(request: web.Request, state: State, complaints: views.Complaints) -> Page:
    own = ("host", "group", "all", *(_WHAT_FIELDS if state.ask else ()))
    # While it is asked here what is updated, every host is offered.
    names = () if state.ask else state.names
    offer = await choosing.offer(call(request), names, state.find, state.hosts, state.groups)
    sentence = "Nothing happens on any host before the last step."
    if names:
        behind = counted(offer.total, "host")
        sentence = f"{behind} need{'s' if offer.total == 1 else ''} an update of {words.what(state)}. {sentence}"
    picked = replace(state, pick=True)
    return views.HostsPage(
        frame=views.frame(picked, "hosts", (), sentence, *own, complaints=complaints),
        ask=state.ask,
        what=state.what or "all",
        names="\n".join(state.packages),
        hosts=offer.hosts,
        groups=offer.groups,
        chosen_hosts=state.hosts,
        chosen_groups=state.groups,
        everywhere=state.everywhere,
        find=state.find,
        total=offer.total,
        more=offer.more,
        packages=names,
    )


def _packages(state: State, known: Known, complaints: views.Complaints) -> Page:
    targets = known.chosen.targets
    sentence = f"What is ticked is updated on {words.where(targets)}. Nothing happens before the last step."
    page_frame = views.frame(state, "packages", targets, sentence, "package", complaints=complaints)
    return views.PackagesPage(page_frame, [(name, name in state.packages) for name in state.offered])


async def _validate(request: web.Request, state: State, known: Known, complaints: views.Complaints) -> Page:
    targets = known.chosen.targets
    sentence = (
        f"A dry run works out on {words.where(targets)} how {words.what(state)} would be installed. It begins at once "
        "and changes nothing."
    )
    fields = await _options(request, state, complaints)
    return views.ValidatePage(
        frame=views.frame(state, "validate", targets, sentence, *OPTIONS, complaints=complaints),
        options=fields,
        open_options=bool(state.options or complaints),
        windows=known.chosen.windows,
        skip_url="timing",
    )


async def _options(request: web.Request, state: State, complaints: views.Complaints) -> list[Field]:
    offered = await automation.playbooks(call(request))
    names = [one.name for one in offered if one.name != PLAYBOOK]
    said = {one[0]: one[1] for one in complaints if isinstance(one, tuple)}
    return options(state, names, said)


async def _plans(request: web.Request, state: State, known: Known) -> list[Planned]:
    fresh = work(state, dry_run=False) if not known.tried else None
    works = [(one.target, one.work) for one in known.tried] if fresh is None else [
        (target, fresh) for target in known.chosen.targets
    ]  # fmt: skip
    return await choosing.planned(call(request), works, immediately=state.now, at_once=state.soon)


async def _timing(request: web.Request, state: State, known: Known, complaints: views.Complaints) -> Page:
    now = call(request).now
    found = await _plans(request, state, known)
    groups = choosing.together(found)
    rows, more = views.timing_rows(state, found, now)
    fresh = not known.tried
    own = ("now", "soon", *(OPTIONS if fresh else ()))
    targets = [one.target for one in found]
    return views.TimingPage(
        frame=views.frame(state, "timing", targets, words.times(groups, now), *own, complaints=complaints),
        groups=[(words.begins(when, now), when.due_at, len(when.hosts)) for when in groups],
        rows=rows,
        more=more,
        waits=any(when.overridden or when.due_at is not None for when in groups),
        now=state.now,
        options=await _options(request, state, complaints) if fresh else [],
        open_options=bool(state.options or complaints),
        windows=known.chosen.windows,
        dry_url="validate" if fresh and "validate" not in state.used() else "",
    )


async def _approval(request: web.Request, state: State, known: Known, complaints: views.Complaints) -> Page:
    found = await _plans(request, state, known)
    targets = [one.target for one in found]
    sentence = f"{words.does(state, targets)}. {words.times(choosing.together(found), call(request).now)}"
    page_frame = views.frame(state, "approval", targets, sentence, "approval", complaints=complaints)
    return views.ApprovalPage(page_frame, state.later, bool(known.tried))


async def _submit(request: web.Request, state: State, known: Known, complaints: views.Complaints) -> Page:
    now = call(request).now
    found = await _plans(request, state, known)
    works = [one.work for one in known.tried] or [work(state, dry_run=False)] * len(found)
    rows, more = views.summary(state, list(zip(found, works, strict=True)), now)
    targets = [one.target for one in found]
    return views.SubmitPage(
        frame=views.frame(state, "submit", targets, words.end(state, found, now), complaints=complaints),
        rows=rows,
        more=more,
        fire=words.fires(state, known.tried),
        skips=sum(one.status == Status.PENDING_VALIDATION for one in known.tried),
    )


# ---------------------------------------------------------------- acting


@routes.post("/patching/new/validate")
@gated(_MANAGE, module=_MODULE)
async def validate(request: web.Request) -> web.Response:
    """Begin the dry run on every chosen host."""
    state = replace(read(await _form(request)), step="validate")
    chosen = await _chosen(request, state)
    if _missing(state, Known(chosen)):
        return await _show(request, state)
    try:
        made = await service.trigger(call(request), order(state, chosen.targets, dry_run=True))
    except Invalid as refused:
        return await _show(request, state, _complaints(refused))
    return await _tried(request, state, made)


@routes.post("/patching/new/retry")
@gated(_MANAGE, module=_MODULE)
async def retry(request: web.Request) -> web.Response:
    """Try again what has not begun or has failed; a dry run that is over gets a new one in its place."""
    form = await _form(request)
    state = replace(read(form), step="validate")
    only = [str(one) for one in form.getall("only", [])]
    try:
        made = await choosing.try_again(call(request), only)
    except Problem as refused:
        return await _show(request, state, [str(refused)])
    return await _tried(request, state, made)


async def _tried(request: web.Request, state: State, made: Sequence[Started]) -> web.Response:
    batch = (await _batch_of(request, made),) if made else ()
    state = replace(state, batches=(*state.batches, *batch), pick=state.pick or not state.fits).shortened()
    return web.Response(status=303, headers={"Location": state.address("validate")})


async def _batch_of(request: web.Request, made: Sequence[Started]) -> str:
    return str((await service.fetch(call(request), made[0].id))["batch_id"])


@routes.post("/patching/new/submit")
@gated(_MANAGE, module=_MODULE)
async def submit(request: web.Request) -> web.Response:
    """Make the real runs, or hand them to whoever approves."""
    state = replace(read(await _form(request)), step="submit")
    if state.batches:
        found = await choosing.tried(call(request), state.batches, state.without)
        ready = views.chosen_of(state, found)
        if state.later:
            said = f"{counted(len(ready), 'validated run')} wait{'s' if len(ready) == 1 else ''} for approval."
            return _to_history(request, "good", said, batch=state.batches[-1])
        return await _approve(request, state, ready)
    chosen = await _chosen(request, state)
    if _missing(state, Known(chosen)) or (state.what == "packages" and not state.packages):
        return await _show(request, state)
    try:
        made = await service.trigger(call(request), order(state, chosen.targets, dry_run=False))
    except Invalid as refused:
        return await _show(request, replace(state, step="timing"), _complaints(refused))
    return await _begun(request, made, _told(made))


@routes.post("/patching/approve/submit")
@gated(_MANAGE, module=_MODULE)
async def approve(request: web.Request) -> web.Response:
    """Sign every chosen run off; those that cannot be are named, and keep no other back."""
    state = replace(read(await _form(request)), step="submit")
    found = await choosing.to_approve(call(request), state.runs)
    return await _approve(request, state, found)


async def _approve(request: web.Request, state: State, found: Sequence[Tried]) -> web.Response:
    at_once = [one.run for one in found if one.target.uuid in state.soon]
    runs = [one.run for one in found]
    if not runs:
        return _to_history(request, "attention", "None of these runs waits for approval any more.")
    made, refused = await approving.approve(call(request), runs, immediately=state.now, at_once=at_once)
    failed = [f"{one.host_name or one.run}: {one.why}" for one in refused]
    if not made:
        return _to_history(request, *outcome("Approved", 0, failed))
    return await _begun(request, made, outcome("Approved", len(made), failed), whole=not failed)


def _told(made: Sequence[Started]) -> tuple[str, str]:
    waits = sum(one.status == Status.PENDING_APPROVAL for one in made)
    if waits:
        return "good", f"{counted(waits, 'patch run')} submitted for approval."
    later = sum(one.status == Status.SCHEDULED for one in made)
    parts = [
        *([f"{len(made) - later} queued"] if len(made) > later else []),
        *([f"{later} scheduled"] if later else []),
    ]
    return "good", f"{counted(len(made), 'patch run')}: {', '.join(parts)}."


async def _begun(
    request: web.Request, made: Sequence[Started], said: tuple[str, str], *, whole: bool = True
) -> web.Response:
    """Lead to the run when it is one and begins now, else to the list of what was made together."""
    if len(made) == 1 and whole and made[0].status == Status.QUEUED:
        return web.Response(status=303, headers={"Location": f"/patching/runs/{made[0].id}"})
    return _to_history(request, *said, batch=await _batch_of(request, made))


def _to_history(request: web.Request, kind: str, text: str, batch: str = "") -> web.Response:
    return back(request, link("/patching", {"tab": "runs", "batch": batch}), kind, text)


def _complaints(refused: Invalid) -> views.Complaints:
    named: Mapping[str, str] = refused.complaints or {"": str(refused)}
    return [(name, text) if name in OPTIONS else text for name, text in named.items()]
