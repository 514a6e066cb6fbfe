"""The settings of single sign-on and of Discord."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Invalid, Problem
from server.identity import forms
from server.identity.sso import config, discord, discovery, linked
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_NEEDS: Final = "can_manage_settings"
ENTRIES: Final = (
    Entry(
        "Settings",
        "OIDC / SSO",
        "/settings/oidc-auth",
        "shield-check",
        order=50,
        permission=_NEEDS,
        group="User Management",
    ),
    Entry(
        "Settings",
        "Discord Auth",
        "/settings/discord-auth",
        "brand-discord",
        order=52,
        permission=_NEEDS,
        group="User Management",
    ),
)

Complaints = Sequence[tuple[str, str] | str]
_OIDC: Final = "/settings/oidc-auth"
_DISCORD: Final = "/settings/discord-auth"
_ROLES: Final = (
    ("superadmin", "Super Admin"),
    ("admin", "Admin"),
    ("host_manager", "Host Manager"),
    ("user", "User"),
    ("readonly", "Readonly"),
)
SWITCHES: Final = (
    Field("oidc_enforce_https", "Enforce HTTPS", "boolean", help="Off only for trying things out on one machine."),
    Field(
        "oidc_sync_roles",
        "Sync roles from IdP",
        "boolean",
        help="At every sign-in the groups below decide the role; users and roles cannot be changed here then.",
    ),
    Field(
        "oidc_disable_local_auth",
        "Disable local auth",
        "boolean",
        help="No passwords while the provider can be reached. Make sure first that one person who signs in with it is "
        "an administrator.",
    ),
    Field(
        "oidc_auto_create_users",
        "Auto-create users",
        "boolean",
        help="Whoever the provider lets in gets an account here at the first sign-in.",
    ),
)
CLIENT: Final = (
    Field(
        "oidc_issuer_url",
        "Issuer URL",
        placeholder="https://login.example.com/realms/company",
        help="Entra ID: https://login.microsoftonline.com/<tenant>/v2.0",
    ),
    Field("oidc_client_id", "Client ID", autocomplete="off"),
    Field(
        "oidc_redirect_uri",
        "Redirect URI",
        required=False,
        help="Only when a proxy makes the callback URL above wrong. Registered at the provider exactly like this.",
    ),
    Field(
        "oidc_scopes",
        "Scopes",
        help="Sent as they stand. Entra ID knows no groups scope; with User.Read photos come along: "
        "openid email profile User.Read",
    ),
    Field("oidc_button_text", "Button Text"),
    Field(
        "oidc_post_logout_uri",
        "Where people arrive after signing out",
        required=False,
        help="Empty: the sign-in page of this server.",
    ),
)
MAPPING: Final = (
    Field(
        "oidc_default_role",
        "Default (fallback)",
        "choice",
        choices=[(role, word) for role, word in _ROLES],
        help="For whoever is in none of the groups.",
    ),
    *(Field(f"oidc_{role}_group", word, required=False, autocomplete="off") for role, word in _ROLES),
)
DISCORD: Final = (
    Field("discord_client_id", "Client ID", autocomplete="off"),
    Field("discord_redirect_uri", "Redirect URI", required=False, help="Usually blank."),
    Field("discord_button_text", "Button Text"),
)
_SECRET: Final = Field("secret", "Client Secret", "password", autocomplete="off")


@dataclass(frozen=True, slots=True)
class OidcPage(Page):
    """templates/settings/oidc_auth.html.

    Attributes:
        state: off, on (people can sign in with it) or waiting (the provider was not reached; ``problem`` says why).
        variables: what the environment says, as pairs of name and value; the secret's value is not among it.
        warns_superadmin: groups decide roles, but none makes a superadmin.
    """

    template: ClassVar[str] = "settings/oidc_auth.html"
    title: ClassVar[str] = "OIDC / SSO"
    enabled: bool
    enabled_by: str
    state: str
    problem: str
    switches: list[Field]
    client: list[Field]
    mapping: list[Field]
    complaints: Complaints
    secret: Field
    secret_set: bool
    secret_complaints: Complaints
    callback_url: str
    variables: list[tuple[str, str]]
    warns_superadmin: bool


@dataclass(frozen=True, slots=True)
class DiscordPage(Page):
    """templates/settings/discord_auth.html."""

    template: ClassVar[str] = "settings/discord_auth.html"
    title: ClassVar[str] = "Discord Auth"
    enabled: bool
    fields: list[Field]
    complaints: Complaints
    secret: Field
    secret_set: bool
    secret_complaints: Complaints
    callback_url: str


@routes.get(_OIDC)
@gated("can_manage_settings")
async def oidc(request: web.Request) -> web.Response:
    """Show how single sign-on is set up."""
    await discovery.nudge(call(request))
    return render(request, await _oidc_page(call(request)))


@routes.post(_OIDC)
@gated("can_manage_settings")
async def change_oidc(request: web.Request) -> web.StreamResponse:
    """Store everything but the secret and the switch; the provider is looked up anew."""
    names = [one.name for one in (*SWITCHES, *CLIENT, *MAPPING)]
    typed = await _typed(request, names)
    try:
        await config.change(call(request), typed)
    except Problem as refused:
        page = await _oidc_page(call(request), typed, forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    await discovery.look(call(request))
    raise _back(request, _OIDC, "OIDC settings saved")


@routes.post("/settings/oidc-auth/enabled")
@gated("can_manage_settings")
async def switch_oidc(request: web.Request) -> web.StreamResponse:
    """Switch single sign-on on or off, at once."""
    typed = await _typed(request, ["oidc_enabled"])
    await config.change(call(request), typed)
    await discovery.look(call(request))
    raise _back(request, _OIDC, "OIDC settings saved")


@routes.post("/settings/oidc-auth/secret")
@gated("can_manage_settings")
async def change_oidc_secret(request: web.Request) -> web.StreamResponse:
    """Store the client's secret."""
    asked = call(request)
    try:
        await config.change_secret(asked, config.FOR_OIDC, (await _typed(request, ["secret"]))["secret"])
    except Invalid as refused:
        page = await _oidc_page(asked, secret_wrong=next(iter(refused.complaints.values())))
        return render(request, page, status=status_of(refused))
    await discovery.look(asked)
    raise _back(request, _OIDC, "The client secret is saved.")


@routes.post("/settings/oidc-auth/import")
@gated("can_manage_settings")
async def import_oidc(request: web.Request) -> web.StreamResponse:
    """Copy what the environment says into the database."""
    asked = call(request)
    try:
        await config.import_environment(asked)
    except Problem as refused:
        return render(request, await _oidc_page(asked, wrong={"": str(refused)}), status=status_of(refused))
    raise _back(
        request, _OIDC, "Copied. Remove the OIDC_ variables from the environment and restart; then this page decides."
    )


@routes.get(_DISCORD)
@gated("can_manage_settings")
async def show_discord(request: web.Request) -> web.Response:
    """Show how Discord is set up."""
    return render(request, await _discord_page(call(request)))


@routes.post(_DISCORD)
@gated("can_manage_settings")
async def change_discord(request: web.Request) -> web.StreamResponse:
    """Store everything but the secret and the switch."""
    typed = await _typed(request, [one.name for one in DISCORD])
    try:
        await discord.change(call(request), typed)
    except Problem as refused:
        page = await _discord_page(call(request), typed, forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, _DISCORD, "Discord settings saved")


@routes.post("/settings/discord-auth/enabled")
@gated("can_manage_settings")
async def switch_discord(request: web.Request) -> web.StreamResponse:
    """Switch Discord on or off, at once."""
    await discord.change(call(request), await _typed(request, ["discord_oauth_enabled"]))
    raise _back(request, _DISCORD, "Discord settings saved")


@routes.post("/settings/discord-auth/secret")
@gated("can_manage_settings")
async def change_discord_secret(request: web.Request) -> web.StreamResponse:
    """Store the client's secret."""
    asked = call(request)
    try:
        await config.change_secret(asked, config.FOR_DISCORD, (await _typed(request, ["secret"]))["secret"])
    except Invalid as refused:
        page = await _discord_page(asked, secret_wrong=next(iter(refused.complaints.values())))
        return render(request, page, status=status_of(refused))
    raise _back(request, _DISCORD, "The client secret is saved.")


@routes.post("/settings/users/{user_id}/oidc-subject")
@gated("can_manage_users")
async def link_ahead(request: web.Request) -> web.StreamResponse:
    """Say as whom the provider will know a person."""
    user_id = path_text(request, "user_id")
    typed = await _typed(request, ["oidc_subject"])
    kind, said = "good", "Saved. The provider knows this person by that subject from now on."
    try:
        await linked.link_ahead(call(request), user_id, typed["oidc_subject"])
    except Invalid as refused:
        kind, said = "bad", f"The subject {next(iter(refused.complaints.values()), str(refused))}"
    except Problem as refused:
        kind, said = "bad", str(refused)
    answer = web.HTTPSeeOther(f"/settings/users/{user_id}")
    flash.say(answer, request, kind, said)
    raise answer


async def _oidc_page(
    asked: Call, typed: dict[str, Any] | None = None, wrong: dict[str, str] | None = None, secret_wrong: str = ""
) -> OidcPage:
    effective = await settings.decided(asked)
    decided = effective.settings
    found = await config.load(asked)
    values = {name: getattr(decided, name) for name in config.CHANGEABLE} | (typed or {})
    switches, client, mapping = (_marked(filled(one, values, wrong or {}), effective.sources) for one in _PANELS)
    ready = await discovery.ready(asked)
    return OidcPage(
        enabled=decided.oidc_enabled,
        enabled_by=effective.sources["oidc_enabled"],
        state="on" if ready else "waiting" if decided.oidc_enabled else "off",
        problem=discovery.problem(asked),
        switches=switches,
        client=client,
        mapping=mapping,
        complaints=complained([*switches, *client, *mapping], wrong or {}),
        secret=replace(_SECRET, complaint=secret_wrong),
        secret_set=bool(found.client_secret.reveal()),
        secret_complaints=complained([_SECRET], {"secret": secret_wrong} if secret_wrong else {}),
        callback_url=config.callback_url(decided),
        variables=list(config.preview(asked).items()),
        warns_superadmin=found.sync_roles and not found.groups.get("superadmin"),
    )


async def _discord_page(
    asked: Call, typed: dict[str, Any] | None = None, wrong: dict[str, str] | None = None, secret_wrong: str = ""
) -> DiscordPage:
    decided = await settings.effective(asked)
    values = {name: getattr(decided, name) for name in discord.CHANGEABLE} | (typed or {})
    fields = filled(DISCORD, values, wrong or {})
    return DiscordPage(
        enabled=decided.discord_oauth_enabled,
        fields=fields,
        complaints=complained(fields, wrong or {}),
        secret=replace(_SECRET, complaint=secret_wrong),
        secret_set=bool((await config.secret(asked, config.FOR_DISCORD)).reveal()),
        secret_complaints=complained([_SECRET], {"secret": secret_wrong} if secret_wrong else {}),
        callback_url=discord.callback_url(decided),
    )


_PANELS: Final = (SWITCHES, CLIENT, MAPPING)


def _marked(fields: list[Field], sources: dict[str, Any]) -> list[Field]:
    return [replace(one, decided_by=sources[one.name]) for one in fields]


async def _typed(request: web.Request, names: Sequence[str]) -> dict[str, Any]:
    """Return these fields of a form: an empty one is there, as an empty text; of a ticked box the tick."""
    values = await form_values(request)
    return {name: value[-1] if isinstance(value := values.get(name, ""), list) else value for name in names}


def _back(request: web.Request, target: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(target)
    flash.say(answer, request, "good", text)
    return answer
