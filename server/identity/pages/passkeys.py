"""What the pages do with passkeys beside the ceremonies, which need the browser: naming, removing, asking for one."""

from typing import Final

from aiohttp import web

from server.core.errors import Problem
from server.identity import cookies, forms, passkeys, schemas
from server.identity.pages.two_factor import codes_page, current_page
from server.web import flash
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.render import render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_HOME: Final = "/settings/two-factor"


@routes.post("/settings/two-factor/passkeys/{passkey_id}/rename")
@gated(while_enrolling=True)
async def rename(request: web.Request) -> web.StreamResponse:
    """Give a passkey another name."""
    form = await read_form(request, schemas.PasskeyName)
    try:
        await passkeys.rename(call(request), path_text(request, "passkey_id"), form.name)
    except Problem as refused:
        return await _refused(request, refused)
    raise _back(request, "The passkey has its new name.")


@routes.post("/settings/two-factor/passkeys/{passkey_id}/remove")
@gated(while_enrolling=True)
async def remove(request: web.Request) -> web.StreamResponse:
    """Forget a passkey."""
    try:
        await passkeys.remove(call(request), path_text(request, "passkey_id"))
    except Problem as refused:
        return await _refused(request, refused)
    raise _back(request, "The passkey is removed. It signs you in no longer.")


@routes.post("/settings/two-factor/passkey-step/on")
@gated(while_enrolling=True)
async def ask(request: web.Request) -> web.StreamResponse:
    """Ask for a passkey after the password; new backup codes are shown this once."""
    try:
        made = await passkeys.demand_after_password(call(request))
    except Problem as refused:
        return await _refused(request, refused)
    if made:
        return render(request, codes_page(made))
    raise _back(request, "After your password you are asked for a passkey from now on.")


@routes.post("/settings/two-factor/passkey-step/off")
@gated(while_enrolling=True)
async def stop_asking(request: web.Request) -> web.StreamResponse:
    """Ask for no passkey after the password any more."""
    form = await read_form(request, schemas.OwnPassword)
    try:
        await passkeys.stop_asking(call(request), form.password)
    except Problem as refused:
        return await _refused(request, refused)
    answer = _back(request, "Your password is enough again.")
    cookies.take_trust(answer)
    raise answer


async def _refused(request: web.Request, refused: Problem) -> web.Response:
    said = {"": " ".join(forms.complaints_of(refused).values())}
    return render(request, await current_page(request, step_wrong=said), status=status_of(refused))


def _back(request: web.Request, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_HOME)
    flash.say(answer, request, "good", text)
    return answer
