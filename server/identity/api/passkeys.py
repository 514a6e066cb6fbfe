"""Passkeys as JSON: what the browser's part of a ceremony talks to."""

from typing import Final

from aiohttp import web

from server.core.call import Call
from server.identity import cookies, passkey_entrance, passkeys, preferences, rules, schemas
from server.identity.ceremonies import Begun
from server.identity.models import Passkey, SignedIn, Trust
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()


@routes.post("/api/v1/auth/passkey/options")
@open_to_all("this is how one gets in", limit="auth")
async def begin_entrance(request: web.Request) -> web.Response:
    """Begin a sign-in by passkey, alone or (with a ticket) after the password."""
    body = await read_json(request, schemas.PasskeyEntrance)
    return json_answer(_begun(await passkey_entrance.begin(call(request), _here(request), body.ticket)))


@routes.post("/api/v1/auth/passkey/verify")
@open_to_all("the passkey is what proves who asks", limit="auth")
async def enter(request: web.Request) -> web.Response:
    """Sign in with a passkey; ``location`` says where the page goes on."""
    asked = call(request)
    body = await read_json(request, schemas.PasskeyEntrance)
    browser = cookies.browser(request)
    trust: Trust | None = None
    if body.ticket:
        opened, trust = await passkey_entrance.step(
            asked, _here(request), body.ceremony, body.credential, body.ticket, browser, remember=body.remember_me
        )
    else:
        opened = await passkey_entrance.enter(asked, _here(request), body.ceremony, body.credential, browser)
    said = schemas.signed_in(opened, "Login successful", cookies.remaining_seconds(asked, opened))
    answer = json_answer({**said, "location": await _location(asked, opened, body.return_to)})
    await cookies.give(request, asked, answer, opened)
    if trust is not None:
        cookies.give_trust(request, asked, answer, trust)
    return answer


@routes.get("/api/v1/auth/passkeys")
@gated(while_enrolling=True)
async def list_passkeys(request: web.Request) -> web.Response:
    """Answer the asker's passkeys."""
    return json_answer({"passkeys": [_passkey(one) for one in await passkeys.mine(call(request))]})


@routes.post("/api/v1/auth/passkeys/options")
@gated(limit="auth", while_enrolling=True)
async def begin_registration(request: web.Request) -> web.Response:
    """Begin adding a passkey."""
    body = await read_json(request, schemas.OwnPassword)
    return json_answer(_begun(await passkeys.begin(call(request), _here(request), body.password)))


@routes.post("/api/v1/auth/passkeys")
@gated(while_enrolling=True)
async def add(request: web.Request) -> web.Response:
    """Keep the passkey that the browser made."""
    body = await read_json(request, schemas.NewPasskey)
    made = await passkeys.add(call(request), _here(request), body.ceremony, body.name, body.credential, body.transports)
    return json_answer({"passkey": _passkey(made)}, status=201)


@routes.patch("/api/v1/auth/passkeys/{passkey_id}")
@gated(while_enrolling=True)
async def rename(request: web.Request) -> web.Response:
    """Give a passkey another name."""
    body = await read_json(request, schemas.PasskeyName)
    await passkeys.rename(call(request), path_text(request, "passkey_id"), body.name)
    return json_answer({"message": "Passkey renamed successfully"})


@routes.delete("/api/v1/auth/passkeys/{passkey_id}")
@gated(while_enrolling=True)
async def remove(request: web.Request) -> web.Response:
    """Forget a passkey."""
    await passkeys.remove(call(request), path_text(request, "passkey_id"))
    return json_answer({"message": "Passkey removed successfully"})


async def _location(asked: Call, opened: SignedIn, return_to: str) -> str:
    return await preferences.way_in(asked, opened.user.id, rules.safe_next(return_to))


def _here(request: web.Request) -> str:
    return origin(request).url


def _begun(begun: Begun) -> dict[str, object]:
    return {"ceremony": begun.id, "options": begun.options}


def _passkey(one: Passkey) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "is_synced": one.is_synced,
        "created_at": one.created_at,
        "last_used_at": one.last_used_at,
    }
