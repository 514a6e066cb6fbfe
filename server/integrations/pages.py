"""Settings → Integrations: tokens of programs, shown, made, changed and removed."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web
from markupsafe import Markup

from server.core.call import Call
from server.core.errors import Problem
from server.hosts import service as hosts
from server.integrations import forms, rules, service
from server.integrations.addresses import server_url
from server.integrations.errors import TokenMissing
from server.integrations.models import USAGES, Made, Token
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, fragment, render
from server.web.routing import API_DOCS, Routes, call, gated, open_to_all, path_text

routes: Final = Routes()
ENTRIES: Final = (
    Entry(
        "Settings",
        "Integrations",
        "/settings/integrations",
        "plug-connected",
        40,
        "can_manage_settings",
        "Integrations",
    ),
)

_SHOWN: Final = 3
_HOME: Final = "/settings/integrations"
_CARDS: Final = f"{_HOME}/gethomepage"
_CRUMB: Final = ("Integrations", _HOME)
WORDS: Final = {
    "proxmox-lxc": "Proxmox LXC",
    "direct-host": "Direct host",
    "api": "API",
    "gethomepage": "GetHomepage",
}
_OFFERS: Final = (
    ("proxmox-lxc", "Enrols the containers of a Proxmox host, all at once or from cron."),
    ("direct-host", "Enrols the machine it runs on: one command for images, Ansible or Terraform."),
    ("api", "Lets scripts and Ansible read the fleet, and change what you allow."),
)

Complaints = Sequence[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class Strip:
    """A tab of the page."""

    name: str
    title: str
    url: str
    active: bool
    count: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """A token in the list."""

    token: Token
    usage: str
    state: tuple[str, str]
    may: str
    more: str


@dataclass(frozen=True, slots=True)
class TokensPage(Page):
    """templates/integrations/tokens.html."""

    template: ClassVar[str] = "integrations/tokens.html"
    title: ClassVar[str] = "Integrations"
    tabs: list[Strip]
    rows: list[Row]
    cards: bool
    usage: str
    usages: list[tuple[str, str, int | None]]
    offers: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class FormPage(Page):
    """templates/integrations/form.html; ``token`` is none for a new one."""

    template: ClassVar[str] = "integrations/form.html"
    title: ClassVar[str] = "Integrations"
    heading: str
    subtitle: str
    action: str
    back: str
    token: Token | None
    fields: list[Field]
    complaints: Complaints
    grants: Sequence[tuple[str, str, str]]
    ticked: list[str]
    button: str


@dataclass(frozen=True, slots=True)
class CreatedPage(Page):
    """templates/integrations/created.html; the one page that shows a token's secret."""

    template: ClassVar[str] = "integrations/created.html"
    title: ClassVar[str] = "New token"
    token: Token
    usage: str
    secret: str
    back: str
    grants: list[str]
    snippets: list[tuple[str, str, str]]


@routes.get("/api-docs")
@open_to_all("it only leads to the page that has moved, and that one asks who comes")
async def old_api_docs(_request: web.Request) -> web.Response:
    """Lead to the description of the API, which other programs link to under this address."""
    return web.Response(status=301, headers={"Location": API_DOCS})


@routes.get(_HOME)
@gated("can_manage_settings")
async def show_tokens(request: web.Request) -> web.Response:
    """Show the tokens that enrol hosts and those of the API."""
    usage = request.query.get("usage", "")
    return await _list(request, cards=False, usage=usage if usage in USAGES else "")


@routes.get(_CARDS)
@gated("can_manage_settings")
async def show_cards(request: web.Request) -> web.Response:
    """Show the keys of dashboards."""
    return await _list(request, cards=True)


async def _list(request: web.Request, *, cards: bool, usage: str = "") -> web.Response:
    asked = call(request)
    found = await service.everything(asked)
    own = [one for one in found if (one.usage == "gethomepage") is cards]
    tabs = [
        Strip("tokens", "Auto-Enrollment & API", _HOME, not cards, sum(one.usage != "gethomepage" for one in found)),
        Strip("gethomepage", "GetHomepage", _CARDS, cards, sum(one.usage == "gethomepage" for one in found)),
    ]
    counts = [(name, WORDS[name], sum(one.usage == name for one in own)) for name, _ in _OFFERS]
    page = TokensPage(
        tabs,
        [_row(one, asked) for one in own if usage in {"", one.usage}],
        cards,
        usage,
        [("", "All", len(own)), *counts],
        [(name, WORDS[name], text) for name, text in _OFFERS],
    )
    return render(request, page)


def _row(token: Token, asked: Call) -> Row:
    group = f"into {token.host_groups['name']}" if token.host_groups else "into no group"
    may = f"Enrol: {token.hosts_created_today} of {token.max_hosts_per_day} today"
    if token.usage == "gethomepage":
        may, group = "Read figures", ""
    if token.usage == "api":
        may, group = _granted(token), ""
    usage = WORDS.get(token.usage, token.usage)
    return Row(token, usage, rules.state_of(token, asked.now), may, group)


def _granted(token: Token) -> str:
    held = set(forms.ticked(token.scopes))
    words = [word for scope, word, _ in forms.GRANTS if scope in held]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more or "Nothing that is open yet"


# ------------------------------------------------------------------------------------------------ making


@routes.get(f"{_HOME}/new")
@gated("can_manage_settings")
async def new_form(request: web.Request) -> web.Response:
    """Show the form of a new token."""
    return await _new_form(request, _usage(request), {}, {})


def _usage(request: web.Request) -> str:
    usage = request.query.get("usage", "proxmox-lxc")
    if usage not in USAGES:
        raise TokenMissing
    return usage


async def _new_form(request: web.Request, usage: str, values: dict[str, Any], wrong: dict[str, str]) -> web.Response:
    about = dict(_OFFERS).get(usage, "Shows the fleet's figures on a GetHomepage dashboard.")
    fields = filled(await _fields(call(request), usage), values, wrong)
    page = FormPage(
        heading="New API Key" if usage == "gethomepage" else f"New {WORDS[usage]} token",
        subtitle=about,
        action=f"{_HOME}/new?usage={usage}",
        back=_back_of(usage),
        token=None,
        fields=fields,
        complaints=complained(fields, wrong),
        grants=forms.GRANTS if usage == "api" else (),
        ticked=forms.granted(values) if wrong else ["host:get"],
        button="Create Token",
    )
    return render(request, page, status=400 if wrong else 200, breadcrumbs=(_CRUMB, ("New", "")))


async def _fields(asked: Call, usage: str) -> list[Field]:
    groups = [(str(one["id"]), str(one["name"])) for one in await hosts.list_groups(asked)]
    return forms.fields(usage, groups)


def _back_of(usage: str) -> str:
    return _CARDS if usage == "gethomepage" else _HOME


@routes.post(f"{_HOME}/new")
@gated("can_manage_settings")
async def make(request: web.Request) -> web.Response:
    """Make a token and show its secret, this one time."""
    asked, usage, values = call(request), _usage(request), await form_values(request)
    try:
        made = await service.make(asked, forms.new(usage, values, await service.zone(asked)))
    except Problem as refused:
        return await _new_form(request, usage, values, forms.complaints_of(refused))
    token = made.token
    page = CreatedPage(
        token=token,
        usage=usage,
        secret=made.secret.reveal(),
        back=_back_of(usage),
        grants=[scope.replace(":", ": ") for scope in forms.ticked(token.scopes)],
        snippets=await _snippets(request, made),
    )
    return render(request, page, status=201, breadcrumbs=(_CRUMB, (token.token_name, "")))


async def _snippets(request: web.Request, made: Made) -> list[tuple[str, str, str]]:
    """Return what can be copied: id, heading, text."""
    token, secret, url = made.token, made.secret.reveal(), await server_url(request)
    flags = "-sk" if (await settings.effective(call(request))).ignore_ssl_self_signed else "-s"
    pair = base64.b64encode(f"{token.token_key}:{secret}".encode()).decode()
    values = {"url": url, "key": token.token_key, "secret": secret, "pair": pair, "flags": flags}
    if token.enrols:
        query = f"type={token.usage}&token_key={token.token_key}&token_secret={secret}"
        shell = "bash" if token.usage == "proxmox-lxc" else "sudo sh"
        where = "Run this on the Proxmox host, as root" if shell == "bash" else "Run this on the machine"
        line = f'curl {flags} "{url}/api/v1/auto-enrollment/script?{query}" | {shell}'
        playbook = ("playbook", "Ansible: enrol.yml", _text(request, "enrol.yml.j2", values))
        return [("command", where, line), *([playbook] if token.usage == "direct-host" else [])]
    if token.usage == "gethomepage":
        return [
            ("pair", "The value of the header (Base64)", pair),
            ("config", "For services.yaml of GetHomepage", _text(request, "gethomepage.yaml.j2", values)),
        ]
    actions = (token.scopes or {}).get("host", [])
    reading = [
        ("curl", "With curl", _text(request, "curl_delete_too.sh.j2" if "delete" in actions else "curl.sh.j2", values)),
        ("inventory", "Ansible: patchmon_inventory.yml", _text(request, "inventory.yml.j2", values)),
    ]
    deleting = [("curl", "With curl", _text(request, "curl_delete.sh.j2", values))]
    return reading if "get" in actions else deleting if "delete" in actions else []


def _text(request: web.Request, name: str, values: Mapping[str, str]) -> str:
    # Plain text: the page that shows it escapes it.
    plain = {key: Markup(value) for key, value in values.items()}  # noqa: S704 (no page)
    return fragment(request, f"integrations/{name}", **plain).strip()


# ------------------------------------------------------------------------------------------------ changing


@routes.get(f"{_HOME}/{{token}}")
@gated("can_manage_settings")
async def edit_form(request: web.Request) -> web.Response:
    """Show what can be changed about a token."""
    token = await service.find(call(request), path_text(request, "token"))
    values = {**forms.values_of(token), "actions": forms.ticked(token.scopes)}
    return await _edit_form(request, token, values, {})


async def _edit_form(request: web.Request, token: Token, values: dict[str, Any], wrong: dict[str, str]) -> web.Response:
    fields = filled(await _fields(call(request), token.usage), values, wrong)
    page = FormPage(
        heading=token.token_name,
        subtitle=f"{WORDS.get(token.usage, token.usage)} token {token.token_key}",
        action=f"{_HOME}/{token.id}",
        back=_back_of(token.usage),
        token=token,
        fields=fields,
        complaints=complained(fields, wrong),
        grants=forms.GRANTS if token.usage == "api" else (),
        ticked=forms.granted(values),
        button="Save",
    )
    return render(request, page, status=400 if wrong else 200, breadcrumbs=(_CRUMB, (token.token_name, "")))


@routes.post(f"{_HOME}/{{token}}")
@gated("can_manage_settings")
async def change(request: web.Request) -> web.StreamResponse:
    """Change a token."""
    asked, values = call(request), await form_values(request)
    token = await service.find(asked, path_text(request, "token"))
    try:
        changed = await service.change(asked, token.id, forms.change(token, values, await service.zone(asked)))
    except Problem as refused:
        if status_of(refused) != 400:  # noqa: PLR2004 (the form can mend nothing else)
            raise
        return await _edit_form(request, token, values, forms.complaints_of(refused))
    raise _back(request, changed, f"{changed.token_name} is saved.")


@routes.post(f"{_HOME}/{{token}}/active")
@gated("can_manage_settings")
async def toggle(request: web.Request) -> web.StreamResponse:
    """Switch a token off or on again."""
    asked, values = call(request), await form_values(request)
    wanted = forms.switch(on=values.get("active") == "true")
    token = await service.change(asked, path_text(request, "token"), wanted)
    text = "works again." if token.is_active else "is disabled: programs that use it are refused."
    raise _back(request, token, f"{token.token_name} {text}")


@routes.post(f"{_HOME}/{{token}}/delete")
@gated("can_manage_settings")
async def delete(request: web.Request) -> web.StreamResponse:
    """Remove a token."""
    asked = call(request)
    token = await service.find(asked, path_text(request, "token"))
    await service.remove(asked, token.id)
    raise _back(request, token, f"{token.token_name} is deleted.")


def _back(request: web.Request, token: Token, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_back_of(token.usage))
    flash.say(answer, request, "good", text)
    return answer
