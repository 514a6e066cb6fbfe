"""How single sign-on is set up: read from the settings and the sealed secrets, and changed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.log import get_log
from server.core.secretbox import BadSeal, Secret
from server.identity import permissions, queries, ranks
from server.identity.errors import BadPerson, PersonsOnly, RoleNotYours
from server.identity.queries import sso as stored
from server.identity.sso import rules
from server.identity.sso.models import MAPPED, Config
from server.settings import service as settings
from server.settings.errors import BadSetting
from server.settings.events import SettingsChanged
from server.settings.models import Effective, Settings

log = get_log(__name__)

CALLBACK: Final = "/api/v1/auth/oidc/callback"
FOR_OIDC: Final = "oidc_client_secret"
FOR_DISCORD: Final = "discord_client_secret"
_GIVEN: Final = "OIDC_CLIENT_SECRET"
_URLS: Final = ("oidc_issuer_url", "oidc_redirect_uri")
_SECRET_MOST: Final = 2000
#: What its page and its door may change; the rest comes from the environment alone.
CHANGEABLE: Final = frozenset(
    f"oidc_{name}"
    for name in (
        "enabled", "issuer_url", "client_id", "redirect_uri", "scopes", "enforce_https", "auto_create_users",
        "default_role", "disable_local_auth", "button_text", "post_logout_uri", "sync_roles", "superadmin_group",
        "admin_group", "host_manager_group", "user_group", "readonly_group",
    )
)  # fmt: skip


async def load(call: Call) -> Config:
    """Return how single sign-on is set up now."""
    effective = await settings.decided(call)
    return made_of(effective, await secret(call, FOR_OIDC))


def made_of(effective: Effective, client_secret: Secret[str]) -> Config:
    """Return the configuration that the settings and a secret make."""
    decided, sources = effective.settings, effective.sources
    return Config(
        enabled=decided.oidc_enabled,
        issuer=decided.oidc_issuer_url,
        client_id=decided.oidc_client_id,
        client_secret=client_secret,
        redirect_uri=decided.oidc_redirect_uri or callback_url(decided),
        scopes=decided.oidc_scopes,
        enforce_https=decided.oidc_enforce_https,
        auto_create=decided.oidc_auto_create_users,
        default_role=decided.oidc_default_role,
        disable_local=decided.oidc_disable_local_auth,
        button_text=decided.oidc_button_text,
        post_logout_uri=decided.oidc_post_logout_uri,
        life_seconds=decided.oidc_session_ttl,
        sync_roles=decided.oidc_sync_roles,
        groups={role: group for role in MAPPED if (group := getattr(decided, f"oidc_{role}_group"))},
        trusted=sources["oidc_issuer_url"] == "env",
        from_environment=sources["oidc_enabled"] == "env",
    )


def callback_url(decided: Settings) -> str:
    """Return where the provider sends people back to, unless somebody chose another place."""
    return decided.server_url + CALLBACK


async def secret(call: Call, name: str) -> Secret[str]:
    """Return a client's secret: the environment's, else the stored one; empty when there is none that can be opened."""
    if name == FOR_OIDC and (given := call.world.env.given.reveal().get(_GIVEN, "").strip()):
        return Secret(given)
    sealed = await stored.find_sealed(call.db, name)
    try:
        return Secret(call.world.box.open(sealed) if sealed else "")
    except BadSeal:
        # Another key than the one it was sealed with: as good as not set, until it is entered again.
        log.warning("client secret cannot be opened with the present key: enter it again", setting=name)
        return Secret("")


async def change(call: Call, changes: Mapping[str, Any]) -> None:
    """Store what is named of it, a secret sealed; raises ``BadSetting`` or ``RoleNotYours``.

    Nobody lets a group give a role that they may not give themselves.
    """
    demand_no_token(call)
    wanted = {name: value for name, value in changes.items() if name in CHANGEABLE}
    if wrong := await complaints(call, wanted):
        raise BadSetting(wrong)
    await _demand_giveable(call, wanted)
    await settings.change(call, wanted)


async def change_secret(call: Call, name: str, value: str) -> None:
    """Store a client's secret, sealed; raises ``BadPerson`` for nothing or too much."""
    demand_no_token(call)
    value = value.strip()
    if not value or len(value) > _SECRET_MOST or not value.isprintable():
        raise BadPerson({name: f"must be one line of at most {_SECRET_MOST} characters"})
    await _store_secret(call, name, value)


async def _store_secret(call: Call, name: str, value: str) -> None:
    async with call.transaction() as tx:
        await stored.save_sealed(tx, name, call.world.box.seal(value), call.now, call.actor.name)
        await audit.record(tx, call, "settings.secret_changed", Subject("setting", name, name))
        tx.after_commit(announce(SettingsChanged((name,))))


def preview(call: Call) -> dict[str, str]:
    """Return what the environment says about single sign-on; of the secret only that it is there."""
    found = {
        name: value.strip()
        for name, value in sorted(call.world.env.given.reveal().items())
        if name.startswith("OIDC_") and value.strip()
    }
    return {name: "set" if name == _GIVEN else value for name, value in found.items()}


async def import_environment(call: Call) -> list[str]:
    """Copy what the environment says into the database, so that it can be removed there; return the names."""
    demand_no_token(call)
    given = call.world.env.given.reveal()
    found = {name.lower(): given[name].strip() for name in preview(call) if name != _GIVEN}
    wanted = {name: value for name, value in found.items() if name in CHANGEABLE}
    await _demand_giveable(call, wanted)
    await settings.change(call, wanted)
    if value := given.get(_GIVEN, "").strip():
        await _store_secret(call, FOR_OIDC, value)
    return sorted(wanted)


async def complaints(call: Call, changes: Mapping[str, Any]) -> dict[str, str]:
    """Return what would travel in the open after these changes, by setting; empty when they can be made."""
    effective = await settings.decided(call)
    now = {name: getattr(effective.settings, name) for name in CHANGEABLE}
    now |= {name: value for name, value in changes.items() if name in CHANGEABLE and effective.sources[name] != "env"}
    if now["oidc_enforce_https"] in (False, "false"):
        return {}
    probe, fine = made_of(effective, Secret("")), "https://localhost"
    # What is no URL at all is complained about with everything else.
    given = {name: str(now[name]) for name in _URLS if str(now[name]).startswith("http://")}
    wrong = {
        "oidc_issuer_url": rules.insecure(_over(probe, given.get("oidc_issuer_url", fine), fine)),
        "oidc_redirect_uri": rules.insecure(_over(probe, fine, given.get("oidc_redirect_uri", fine))),
    }
    return {name: text for name, text in wrong.items() if text}


def _over(config: Config, issuer: str, redirect_uri: str) -> Config:
    return replace(config, issuer=issuer, redirect_uri=redirect_uri, enforce_https=True)


async def _demand_giveable(call: Call, wanted: Mapping[str, Any]) -> None:
    decided = await settings.effective(call)
    roles = {role for role in MAPPED if _differs(decided, wanted, f"oidc_{role}_group")}
    if _differs(decided, wanted, "oidc_default_role"):
        roles.add(str(wanted["oidc_default_role"]))
    for role in roles & set(MAPPED):
        held = permissions.held(role, await queries.find_role(call.db, role)) or frozenset()
        if not ranks.may_give(call.actor, role, held):
            raise RoleNotYours(role=role)


def _differs(decided: Settings, wanted: Mapping[str, Any], name: str) -> bool:
    return name in wanted and str(wanted[name] or "").strip() != getattr(decided, name)


def demand_no_token(call: Call) -> None:
    """Refuse tokens: they change nobody's way in."""
    # A leaked token must not be able to open this server to another provider.
    if call.actor.kind == "token":
        raise PersonsOnly
