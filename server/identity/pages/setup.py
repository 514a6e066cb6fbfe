"""The pages of the first set-up: five steps, each complete without scripts."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final
from urllib.parse import urlencode

from aiohttp import web

from server.core.call import Call
from server.core.db import DatabaseError
from server.core.errors import Problem
from server.core.log import get_log
from server.identity import cookies, forms, rules, schemas, setup, two_factor, wizard
from server.identity.errors import AdminExists, BadSetupLink
from server.identity.models import SignedIn
from server.identity.pages.two_factor import code_file
from server.identity.wizard import Progress
from server.settings import service as settings
from server.web import csrf
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.problems import json_answer, status_of
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, open_to_all, set_actor, wants_html

log = get_log(__name__)
routes: Final = Routes()

#: The link's token is in the address: it must not travel to other sites.
_HEADERS: Final = {"Referrer-Policy": "no-referrer"}
_LINK: Final = "the one-time token of the link lets in, then the session that it opened"
_ACTIONS: Final = ("Creating admin account...", "Saving server URL...")
_PATIENCE_SECONDS: Final = 10.0
_TITLES: Final = (
    (1, "Create Admin Account"),
    (2, "Multi-Factor Authentication"),
    (3, "Confirm Server URL"),
    (4, "Stay Updated"),
    (5, "Get in Touch"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the strip above the form; ``url`` is empty while it cannot be opened."""

    number: int
    title: str
    url: str
    current: bool
    done: bool


@dataclass(frozen=True, slots=True)
class SetupPage(Page):
    """templates/identity/setup.html.

    Attributes:
        step: the number of the step; 0 when the link is missing or spent.
        phase: of the second step: choose, scan, codes, on.
        account_made: whether the account exists already.
        next_url, back_url: where the page leads without sending anything.
    """

    template: ClassVar[str] = "identity/setup.html"
    title: ClassVar[str] = "First set-up"
    step: int
    token: str
    steps: Sequence[Step] = ()
    fields: Sequence[Field] = ()
    complaints: Sequence[tuple[str, str] | str] = ()
    rules: Sequence[tuple[str, str]] = ()
    phase: str = ""
    picture: str = ""
    secret: str = ""
    codes: Sequence[str] = ()
    download: str = ""
    account_made: bool = False
    next_url: str = ""
    back_url: str = ""


@dataclass(frozen=True, slots=True)
class FinishingPage(Page):
    """templates/identity/finishing.html: what is being done, and what to do when it failed."""

    template: ClassVar[str] = "identity/finishing.html"
    title: ClassVar[str] = "Setting up PatchMon"
    token: str
    action: str
    failure: str
    may_skip: bool


@routes.get("/setup")
@open_to_all(f"nobody can sign in before there is an administrator; {_LINK}")
async def show_step(request: web.Request) -> web.Response:
    """Show the step that the address names, or the last one that can be opened; where the link is without one."""
    asked = call(request)
    token = request.query.get("token", "")
    found = await wizard.progress(asked, token)
    if found is None:
        if not await setup.is_needed(asked):
            raise web.HTTPSeeOther("/login")
        wrong = ("This set-up link is not valid any more.",) if token else ()
        return render(request, SetupPage(0, "", complaints=wrong), headers=_HEADERS)
    given = request.query.get("step", "1")
    step = min(int(given) if given in {"1", "2", "3", "4", "5"} else 1, found.steps_open)
    if found.user_id:
        token, step = "", max(step, 2)
    return render(request, await _step(request, found, token, step), headers=_HEADERS)


@routes.post("/setup")
@open_to_all(_LINK, limit="auth")
async def enter_person(request: web.Request) -> web.StreamResponse:
    """Take who the first administrator will be."""
    asked = call(request)
    form = await read_form(request, schemas.FirstAdmin)
    try:
        forms.demand_same(form.password, form.confirm, "confirm")
        await wizard.enter_person(asked, form.token, form.person())
    except AdminExists:
        raise
    except Problem as refused:
        wrong = forms.complaints_of(refused)
        fields = filled(forms.SETUP, form.model_dump(), wrong)
        found = await wizard.progress(asked, form.token)
        page = SetupPage(
            1 if found else 0,
            form.token if found else "",
            _strip(found, form.token, 1, await _numbers(asked)) if found else (),
            fields,
            complained(fields, wrong),
            await _policy(asked),
        )
        return render(request, page, status=status_of(refused), headers=_HEADERS)
    raise _to(form.token, 2)


@routes.post("/setup/factor")
@open_to_all(_LINK, limit="auth")
async def begin_factor(request: web.Request) -> web.StreamResponse:
    """Make the account, sign in and begin with the second factor."""
    asked, found, _ = await _going_on(request)
    answer = _to("", 2)
    if not found.user_id:
        opened = await wizard.create_account(asked, found, cookies.browser(request))
        asked = asked.acting_as(wizard.continuing(asked, opened))
        await cookies.give(request, asked, answer, opened)
    await two_factor.begin(asked)
    raise answer


@routes.post("/setup/factor/verify")
@open_to_all(_LINK, limit="auth")
async def prove_factor(request: web.Request) -> web.StreamResponse:
    """Switch the second factor on when the code is right, and show the backup codes once."""
    asked, found, _ = await _going_on(request)
    form = await read_form(request, schemas.Code)
    try:
        made = await two_factor.enable(asked, form.token)
    except Problem as refused:
        page = await _step(request, found, "", 2, forms.complaints_of(refused))
        return render(request, page, status=status_of(refused), headers=_HEADERS)
    strip = _strip(found, "", 2, await _numbers(asked))
    page = SetupPage(2, "", strip, phase="codes", codes=made, download=code_file(made), next_url=_url("", 3))
    return render(request, page, headers=_HEADERS)


@routes.post("/setup/url")
@open_to_all(_LINK, limit="auth")
async def enter_url(request: web.Request) -> web.StreamResponse:
    """Take under which URL the server is reached."""
    asked, found, token = await _going_on(request)
    form = await read_form(request, schemas.SetupUrl)
    try:
        await wizard.enter_url(asked, found, form.url(), self_signed=form.self_signed)
    except Problem as refused:
        wrong = {"server_host": " ".join(forms.complaints_of(refused).values())}
        page = await _step(request, found, token, 3, wrong, form.values())
        return render(request, page, status=status_of(refused), headers=_HEADERS)
    raise _to(token, 4 if 4 in await _numbers(asked) else 5)  # noqa: PLR2004 (the number of the step)


@routes.post("/setup/newsletter")
@open_to_all(_LINK, limit="auth")
async def enter_newsletter(request: web.Request) -> web.StreamResponse:
    """Take whether the person wants the newsletter."""
    asked, found, token = await _going_on(request)
    form = await read_form(request, schemas.Newsletter)
    await wizard.enter_newsletter(asked, found, wanted=form.wanted)
    raise _to(token, 5)


@routes.post("/setup/finish")
@open_to_all(_LINK, limit="auth")
async def finish(request: web.Request) -> web.StreamResponse:
    """Carry out what was entered; what failed can be tried again or left out.

    Without scripts it is one request; the page's script sends one with ``part`` set to account and one without, to say
    what is being done.
    """
    asked, found, token = await _going_on(request)
    posted = await request.post()
    opened: SignedIn | None = None
    action = _ACTIONS[0]
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            if not found.user_id:
                opened = await wizard.create_account(asked, found, cookies.browser(request))
                asked, token = asked.acting_as(wizard.continuing(asked, opened)), ""
                set_actor(request, asked.actor)
            if posted.get("part") != "account":
                action = _ACTIONS[1]
                if not posted.get("skip"):
                    await wizard.save_url(asked, found)
                await wizard.close(asked, found)
        answer = _done(request, part=str(posted.get("part", "")))
    except AdminExists:
        raise
    except (Problem, DatabaseError, TimeoutError) as error:
        answer = _failed(request, token, action, error)
    if opened is not None:
        await cookies.give(request, asked, answer, opened)
    return answer


def _done(request: web.Request, part: str) -> web.StreamResponse:
    if wants_html(request):
        return web.Response(status=303, headers={"Location": "/", **_HEADERS})
    # The form's token belongs to a session, and there is another one now.
    return json_answer({"csrf": csrf.token(request)} if part else {"location": "/"})


def _failed(request: web.Request, token: str, action: str, error: Exception) -> web.Response:
    log.warning("setup_step_failed", action=action, reason=str(error).strip() or type(error).__name__)
    said = str(error) if isinstance(error, Problem) else "The server could not do this. Its log says why."
    status = status_of(error) if isinstance(error, Problem) else 500
    may_skip = call(request).actor.kind == "person"
    if not wants_html(request):
        return json_answer({"error": said, "may_skip": may_skip, "csrf": csrf.token(request)}, status=status)
    return render(request, FinishingPage(token, action, said, may_skip), status=status, headers=_HEADERS)


async def _going_on(request: web.Request) -> tuple[Call, Progress, str]:
    asked = call(request)
    token = str((await request.post()).get("link", ""))
    found = await wizard.progress(asked, token)
    if found is None:
        raise BadSetupLink if await setup.is_needed(asked) else AdminExists
    return asked, found, "" if found.user_id else token


async def _step(
    request: web.Request,
    found: Progress,
    token: str,
    step: int,
    wrong: dict[str, str] | None = None,
    typed: dict[str, object] | None = None,
) -> SetupPage:
    asked, wrong = call(request), wrong or {}
    numbers = await _numbers(asked)
    step = step if step in numbers else 5
    frame = SetupPage(step, token, _strip(found, token, step, numbers), account_made=bool(found.user_id))
    before = numbers[numbers.index(step) - 1] if step > 1 else 0
    back = _url(token, before) if before and not (found.user_id and before == 1) else ""
    fields: Sequence[Field] = ()
    if step == 1:
        fields = filled(forms.SETUP, asdict(found.draft), wrong)
        return replace(frame, fields=fields, complaints=complained(fields, wrong), rules=await _policy(asked))
    if step == 2:  # noqa: PLR2004 (the number of the step)
        return await _factor_step(asked, found, frame, back, wrong)
    if step == 3:  # noqa: PLR2004 (the number of the step)
        values = typed or schemas.url_values(found.draft.server_url or origin(request).url, found.draft.self_signed)
        fields = filled(forms.SETUP_URL, values, wrong)
    if step == 4:  # noqa: PLR2004 (the number of the step)
        fields = filled(forms.NEWSLETTER, {"newsletter": found.draft.newsletter}, wrong)
    return replace(frame, fields=fields, complaints=complained(fields, wrong), back_url=back)


async def _factor_step(asked: Call, found: Progress, frame: SetupPage, back: str, wrong: dict[str, str]) -> SetupPage:
    following = _url(frame.token, 3)
    if not found.user_id:
        return replace(frame, phase="choose", next_url=following, back_url=back)
    if (await two_factor.status(asked)).enabled:
        return replace(frame, phase="on", next_url=following)
    made = await two_factor.pending_or_new(asked)
    fields = filled(forms.PROOF, {}, wrong)
    return replace(
        frame,
        phase="scan",
        fields=fields,
        complaints=complained(fields, wrong),
        picture=made.picture,
        secret=made.grouped,
        next_url=following,
    )


async def _numbers(asked: Call) -> list[int]:
    offered = bool((await settings.effective(asked)).newsletter_url)
    return [number for number, _ in _TITLES if offered or number != 4]  # noqa: PLR2004 (the number of the step)


async def _policy(asked: Call) -> list[tuple[str, str]]:
    return rules.policy(await settings.effective(asked))


def _strip(found: Progress, token: str, step: int, numbers: list[int]) -> list[Step]:
    reachable = range(2 if found.user_id else 1, found.steps_open + 1)
    return [
        Step(number, title, _url(token, number) if number in reachable else "", number == step, number < step)
        for number, title in _TITLES
        if number in numbers
    ]


def _url(token: str, step: int) -> str:
    return "/setup?" + urlencode({"token": token, "step": step} if token else {"step": step})


def _to(token: str, step: int) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(_url(token, step), headers=_HEADERS)
