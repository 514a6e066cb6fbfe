"""The second step of signing in, and a person's second factor and trusted browsers, as JSON."""

from typing import Final

from aiohttp import web

from server.identity import cookies, devices, entrance, schemas, two_factor
from server.identity.errors import WrongCode
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()


@routes.post("/api/v1/auth/verify-tfa")
@open_to_all("the ticket of the first step is what proves who asks", limit="auth")
async def verify(request: web.Request) -> web.Response:
    """Finish signing in with a code; a wrong one says how many attempts are left."""
    asked = call(request)
    body = await read_json(request, schemas.Code)
    browser = cookies.browser(request)
    try:
        opened, trust = await entrance.verify(asked, body.ticket, body.token, browser, remember=body.remember_me)
    except WrongCode as refused:
        return json_answer({"error": str(refused), "remainingAttempts": refused.remaining}, status=401)
    said = schemas.signed_in(opened, "Login successful", cookies.remaining_seconds(asked, opened))
    if trust is not None:
        said["tfa_bypass_until"] = trust.expires_at
    answer = json_answer(said)
    await cookies.give(request, asked, answer, opened)
    if trust is not None:
        cookies.give_trust(request, asked, answer, trust)
    return answer


@routes.get("/api/v1/tfa/setup")
@gated(while_enrolling=True)
async def begin(request: web.Request) -> web.Response:
    """Make a new secret; nothing is on until a code proves it."""
    made = await two_factor.begin(call(request))
    return json_answer({"secret": made.secret, "qrCode": made.picture, "manualEntryKey": made.secret})


@routes.post("/api/v1/tfa/verify-setup")
@gated(while_enrolling=True)
async def enable(request: web.Request) -> web.Response:
    """Switch the second step on; the backup codes are told this once."""
    body = await read_json(request, schemas.Code)
    made = await two_factor.enable(call(request), body.token)
    return json_answer({"message": "Two-factor authentication has been enabled successfully", "backupCodes": made})


@routes.post("/api/v1/tfa/disable")
@gated(while_enrolling=True)
async def disable(request: web.Request) -> web.Response:
    """Switch the second step off."""
    body = await read_json(request, schemas.OwnPassword)
    await two_factor.disable(call(request), body.password)
    answer = json_answer({"message": "Two-factor authentication has been disabled successfully"})
    cookies.take_trust(answer)
    return answer


@routes.get("/api/v1/tfa/status")
@gated(while_enrolling=True)
async def status(request: web.Request) -> web.Response:
    """Answer how the asker's second factor stands."""
    found = await two_factor.status(call(request))
    return json_answer({"enabled": found.enabled, "hasBackupCodes": found.backup_codes > 0})


@routes.post("/api/v1/tfa/regenerate-backup-codes")
@gated(while_enrolling=True)
async def replace_backup_codes(request: web.Request) -> web.Response:
    """Make a new set of backup codes; the old set is worth nothing from here on."""
    made = await two_factor.replace_backup_codes(call(request))
    return json_answer({"message": "Backup codes have been regenerated successfully", "backupCodes": made})


@routes.get("/api/v1/auth/trusted-devices")
@gated(while_enrolling=True)
async def trusted_devices(request: web.Request) -> web.Response:
    """Answer the browsers the asker trusts."""
    found = await devices.mine(call(request), cookies.trust(request))
    return json_answer({"trusted_devices": [schemas.device(one) for one in found]})


@routes.delete("/api/v1/auth/trusted-devices")
@gated(while_enrolling=True)
async def forget_all(request: web.Request) -> web.Response:
    """Trust no browser any longer."""
    await devices.forget_all(call(request))
    answer = json_answer({"message": "All trusted devices revoked successfully"})
    cookies.take_trust(answer)
    return answer


@routes.delete("/api/v1/auth/trusted-devices/{device_id}")
@gated(while_enrolling=True)
async def forget(request: web.Request) -> web.Response:
    """Trust one browser no longer."""
    here = await devices.forget(call(request), path_text(request, "device_id"), cookies.trust(request))
    answer = json_answer({"message": "Trusted device revoked successfully"})
    if here:
        cookies.take_trust(answer)
    return answer
