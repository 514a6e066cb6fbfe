"""The pages of the second step: the code at the sign-in, and a person's authenticator, backup codes and browsers."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import (
    cookies,
    devices,
    entrance,
    factors,
    forms,
    passkeys,
    preferences,
    rules,
    schemas,
    two_factor,
)
from server.identity.errors import WrongCode
from server.identity.models import Passkey, TrustedDevice
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()

_HOME: Final = "/settings/two-factor"


@dataclass(frozen=True, slots=True)
class SecondStepPage(Page):
    """templates/identity/second_step.html; without a ticket only the way back is left."""

    template: ClassVar[str] = "identity/second_step.html"
    title: ClassVar[str] = "Two-Factor Authentication"
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    ticket: str
    return_to: str
    has_passkeys: bool = False


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One trusted browser in the list."""

    id: str
    current: bool
    label: str
    user_agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TwoFactorPage(Page):
    """templates/settings/two_factor.html.

    Attributes:
        phase: off, scan (a secret waits to be proved), codes (backup codes, shown this once), on, elsewhere.
        download: the codes as an address that saves them as a file.
        passkey_step: whether a passkey is asked for after the password.
        is_asked: whether anything is.
        due_at: until when the person has to set something up; ``None`` when they need not.
        step_complaints: why the step of the passkeys did not change.
    """

    template: ClassVar[str] = "settings/two_factor.html"
    title: ClassVar[str] = "Multi-Factor Authentication"
    phase: str
    fields: Sequence[Field] = ()
    complaints: Sequence[tuple[str, str] | str] = ()
    picture: str = ""
    secret: str = ""
    codes: Sequence[str] = ()
    download: str = ""
    codes_left: int = 0
    devices: Sequence[DeviceRow] = ()
    passkeys: Sequence[Passkey] = ()
    passkey_fields: Sequence[Field] = ()
    passkey_step: bool = False
    is_asked: bool = False
    has_password: bool = True
    due_at: datetime | None = None
    overdue: bool = False
    step_complaints: Sequence[tuple[str, str] | str] = ()


@routes.post("/login/code")
@open_to_all("the ticket of the first step is what proves who asks", limit="auth")
async def verify(request: web.Request) -> web.StreamResponse:
    """Finish signing in with a code and go where the person wanted to."""
    asked = call(request)
    form = await read_form(request, schemas.CodeForm)
    return_to = rules.safe_next(form.return_to)
    browser = cookies.browser(request)
    try:
        opened, trust = await entrance.verify(asked, form.ticket, form.token, browser, remember=form.remembers)
    except Problem as refused:
        ticket, said = "", str(refused)
        if isinstance(refused, WrongCode):
            ticket = refused.ticket
            said = f"{refused}. {refused.remaining} {'attempts' if refused.remaining != 1 else 'attempt'} left."
        page = SecondStepPage(await code_fields(asked), (said,), ticket, return_to, has_passkeys=form.has_passkeys)
        return render(request, page, status=status_of(refused))
    answer = web.HTTPSeeOther(await preferences.way_in(asked, opened.user.id, return_to))
    await cookies.give(request, asked, answer, opened)
    if trust is not None:
        cookies.give_trust(request, asked, answer, trust)
    raise answer


@routes.get("/login/code")
@open_to_all("this is how one gets in")
async def no_code(_request: web.Request) -> web.StreamResponse:
    """Lead back to the first step who reloads the second."""
    raise web.HTTPSeeOther("/login")


async def code_fields(asked: Call) -> list[Field]:
    """Return the fields of the second step, with the number of days that the operator chose."""
    days = (await settings.effective(asked)).tfa_remember_days
    return [replace(one, label=one.label.replace("{days}", str(days))) for one in forms.CODE]


@routes.get("/settings/two-factor")
@gated(while_enrolling=True)
async def two_factor_page(request: web.Request) -> web.Response:
    """Show how the asker's second factor stands."""
    return render(request, await current_page(request))


@routes.post("/settings/two-factor/begin")
@gated(while_enrolling=True)
async def begin(request: web.Request) -> web.Response:
    """Show a new secret; nothing is on until a code proves it."""
    made = await two_factor.begin(call(request))
    return render(request, _scan(made), headers={"Referrer-Policy": "no-referrer"})


@routes.post("/settings/two-factor/enable")
@gated(while_enrolling=True)
async def enable(request: web.Request) -> web.Response:
    """Switch the second step on and show the backup codes once: not after a redirect, so that nothing keeps them."""
    asked = call(request)
    form = await read_form(request, schemas.Code)
    try:
        made = await two_factor.enable(asked, form.token)
    except Problem as refused:
        page = _scan(await two_factor.pending(asked), forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    return render(request, codes_page(made))


@routes.post("/settings/two-factor/codes")
@gated(while_enrolling=True)
async def replace_codes(request: web.Request) -> web.Response:
    """Show a new set of backup codes once."""
    return render(request, codes_page(await two_factor.replace_backup_codes(call(request))))


@routes.post("/settings/two-factor/disable")
@gated(while_enrolling=True)
async def disable(request: web.Request) -> web.StreamResponse:
    """Switch the second step off."""
    asked = call(request)
    form = await read_form(request, schemas.OwnPassword)
    try:
        await two_factor.disable(asked, form.password)
    except Problem as refused:
        return render(request, await current_page(request, forms.complaints_of(refused)), status=status_of(refused))
    answer = _back(request, "Two-factor authentication is off.")
    cookies.take_trust(answer)
    raise answer


@routes.post("/settings/two-factor/devices/forget-all")
@gated(while_enrolling=True)
async def forget_all(request: web.Request) -> web.StreamResponse:
    """Trust no browser any longer."""
    await devices.forget_all(call(request))
    answer = _back(request, "No browser is trusted any longer.")
    cookies.take_trust(answer)
    raise answer


@routes.post("/settings/two-factor/devices/{device_id}/forget")
@gated(while_enrolling=True)
async def forget(request: web.Request) -> web.StreamResponse:
    """Trust one browser no longer."""
    here = await devices.forget(call(request), path_text(request, "device_id"), cookies.trust(request))
    answer = _back(request, "That browser is not trusted any longer.")
    if here:
        cookies.take_trust(answer)
    raise answer


async def current_page(
    request: web.Request, wrong: dict[str, str] | None = None, step_wrong: dict[str, str] | None = None
) -> TwoFactorPage:
    """Return the page as things stand, with what was refused: of the authenticator, or of the passkeys' step."""
    asked = call(request)
    found = await two_factor.status(asked)
    off = "off" if found.has_password else "elsewhere"
    fields = filled(forms.DISABLE, {}, wrong or {})
    is_asked = found.enabled or found.passkey_step
    return TwoFactorPage(
        "on" if found.enabled else off,
        fields,
        complained(fields, wrong or {}),
        codes_left=found.backup_codes,
        devices=[_row(one) for one in await devices.mine(asked, cookies.trust(request))] if is_asked else (),
        passkeys=await passkeys.mine(asked),
        passkey_fields=forms.PASSKEY if found.has_password else forms.PASSKEY[:1],
        passkey_step=found.passkey_step,
        is_asked=is_asked,
        has_password=found.has_password,
        due_at=asked.actor.enrol_by,
        overdue=factors.is_overdue(asked, asked.actor),
        step_complaints=complained((), step_wrong or {}),
    )


def _scan(made: two_factor.Pending, wrong: dict[str, str] | None = None) -> TwoFactorPage:
    fields = filled(forms.PROOF, {}, wrong or {})
    return TwoFactorPage("scan", fields, complained(fields, wrong or {}), picture=made.picture, secret=made.grouped)


def codes_page(made: Sequence[str]) -> TwoFactorPage:
    """Return the page that shows backup codes, this once."""
    return TwoFactorPage("codes", codes=made, download=code_file(made))


def code_file(made: Sequence[str]) -> str:
    """Return the backup codes as an address that saves them as a file; they are on no other way."""
    text = "PatchMon backup codes. Each one works once.\n\n" + "\n".join(made) + "\n"
    return "data:text/plain;base64," + base64.b64encode(text.encode()).decode()


def _row(one: TrustedDevice) -> DeviceRow:
    return DeviceRow(
        one.id,
        one.current,
        rules.device(one.user_agent),
        one.user_agent,
        one.address,
        one.created_at,
        one.last_used_at,
        one.expires_at,
    )


def _back(request: web.Request, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_HOME)
    flash.say(answer, request, "good", text)
    return answer
