"""The page of a person's API tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import forms, permissions, service, token_schemas, tokens
from server.identity.models import ApiToken
from server.identity.permissions import Permission
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_CHOSEN: Final = ("chosen", "Only what is ticked below")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token of the list, and in words what it may do."""

    token: ApiToken
    access: str
    ended: bool


@dataclass(frozen=True, slots=True)
class TokensPage(Page):
    """templates/settings/tokens.html; ``created`` is a new token's text, shown this once."""

    template: ClassVar[str] = "settings/tokens.html"
    title: ClassVar[str] = "API tokens"
    tokens: list[TokenRow]
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]
    scopes: list[tuple[str, list[Permission]]]
    ticked: frozenset[str]
    created: str


@routes.get("/settings/tokens")
@gated()
async def show_tokens(request: web.Request) -> web.Response:
    """Show a person's tokens."""
    return render(request, await _page(call(request)))


@routes.post("/settings/tokens")
@gated()
async def create_token(request: web.Request) -> web.Response:
    """Make a token and show it once: not after a redirect, so that it is kept nowhere on the way."""
    asked = call(request)
    values = dict(await request.post())
    ticked = frozenset[str]()
    try:
        form = await read_form(request, token_schemas.TokenForm)
        ticked = frozenset(form.scopes)
        _, secret = await tokens.create(asked, await service.me(asked), form.wanted())
    except Problem as refused:
        page = await _page(asked, values, forms.complaints_of(refused), ticked)
        return render(request, page, status=status_of(refused))
    return render(request, await _page(asked, created=secret), status=201)


@routes.post("/settings/tokens/{token_id}/revoke")
@gated()
async def revoke_token(request: web.Request) -> web.StreamResponse:
    """Make a token worthless."""
    await tokens.revoke(call(request), path_text(request, "token_id"))
    answer = web.HTTPSeeOther("/settings/tokens")
    flash.say(answer, request, "good", "The token is revoked.")
    raise answer


async def _page(
    asked: Call,
    values: Mapping[str, object] | None = None,
    wrong: dict[str, str] | None = None,
    ticked: frozenset[str] = frozenset(),
    created: str = "",
) -> TokensPage:
    choices = (*((key, words) for key, words, _ in tokens.PRESETS), _CHOSEN)
    blank = [replace(one, choices=choices) if one.name == "access" else one for one in forms.TOKEN]
    fields = filled(blank, values or {}, wrong or {})
    return TokensPage(
        tokens=[_row(asked, one) for one in await tokens.mine(asked)],
        fields=fields,
        complaints=complained(fields, wrong or {}),
        scopes=[(tier, held) for tier, _ in permissions.TIERS if (held := _held(asked, tier))],
        ticked=ticked,
        created=created,
    )


def _held(asked: Call, tier: str) -> list[Permission]:
    return [one for one in permissions.PERMISSIONS if one.tier == tier and asked.actor.may(one.key)]


def _row(asked: Call, token: ApiToken) -> TokenRow:
    return TokenRow(token, _words(token), token.expires_at is not None and token.expires_at <= asked.now)


def _words(token: ApiToken) -> str:
    held = None if token.scopes is None else frozenset(token.scopes)
    preset = next((words for _, words, scopes in tokens.PRESETS if scopes == held), "")
    return preset or ", ".join(one.label for one in permissions.PERMISSIONS if one.key in (held or ()))
