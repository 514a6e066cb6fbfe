"""The variables of single sign-on: what each is when nobody says anything, that it decides, and what cannot be."""

from dataclasses import replace
from typing import Any

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity.sso import oidc
from server.settings import service as settings
from tests.conftest import Browser

#: name → default, another value, one that cannot be (none: every text can).
KNOWN: dict[str, tuple[Any, str, str]] = {
    "OIDC_ENABLED": (None, "true", "perhaps"),
    "OIDC_ISSUER_URL": (None, "https://login.example/realms/x", "nonsense"),
    "OIDC_CLIENT_ID": (None, "another", ""),
    "OIDC_REDIRECT_URI": (None, "https://p.example/api/v1/auth/oidc/callback", "ftp://x"),
    "OIDC_SCOPES": ("openid email profile groups", "openid email", "email"),
    "OIDC_ENFORCE_HTTPS": ("true", "false", "perhaps"),
    "OIDC_AUTO_CREATE_USERS": ("false", "true", "perhaps"),
    "OIDC_DEFAULT_ROLE": ("user", "readonly", "king"),
    "OIDC_DISABLE_LOCAL_AUTH": ("false", "true", "perhaps"),
    "OIDC_BUTTON_TEXT": ("Login with SSO", "Enter", ""),
    "OIDC_POST_LOGOUT_URI": ("", "https://portal.example/bye?x=1", "nonsense"),
    "OIDC_SESSION_TTL": ("600", "120", "soon"),
    "OIDC_SYNC_ROLES": ("false", "true", "perhaps"),
    "OIDC_SUPERADMIN_GROUP": ("", "a", ""),
    "OIDC_ADMIN_GROUP": ("", "b", ""),
    "OIDC_HOST_MANAGER_GROUP": ("", "c", ""),
    "OIDC_USER_GROUP": ("", "d", ""),
    "OIDC_READONLY_GROUP": ("", "e", ""),
}


@pytest.fixture
def variables() -> dict[str, str]:
    """Nobody says anything."""
    names = (
        "ENABLED",
        "ISSUER_URL",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "REDIRECT_URI",
        "ENFORCE_HTTPS",
        "AUTO_CREATE_USERS",
    )
    return {f"OIDC_{name}": "" for name in names}


async def shown(browser: Browser) -> dict[str, dict[str, Any]]:
    answer = await browser.get("/api/v1/settings/environment")
    return {one["key"]: one for one in (await answer.json())["variables"]}


@pytest.mark.proves(
    "ENV-105f", "ENV-105g", "ENV-105h", "ENV-105i", "ENV-105j", "ENV-105k", "ENV-105l", "ENV-105m", "ENV-105n",
    "ENV-105o", "ENV-105p", "ENV-105q", "ENV-105r", "ENV-105s",
)  # fmt: skip
async def test_what_holds_when_nobody_says_anything(as_admin: Browser) -> None:
    rows = await shown(as_admin)
    for name, (default, _, _) in KNOWN.items():
        row = rows[name]
        assert (row["source"], row["editable"]) == ("default", False), name
        if default is not None:
            assert (row["effective_value"] or "") == default, name
    assert rows["OIDC_ENABLED"]["effective_value"] == "false"
    assert rows["OIDC_CLIENT_SECRET"]["effective_value"] is None


class TestSaid:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        said = {name: value for name, (_, value, _) in KNOWN.items()} | {"OIDC_CLIENT_SECRET": "not for everyone"}
        return replace(env, given=Secret(said))

    @pytest.mark.proves(
        "ENV-105a", "ENV-105b", "ENV-105c", "ENV-105d", "ENV-105e", "ENV-105f", "ENV-105g", "ENV-105h", "ENV-105i",
        "ENV-105j", "ENV-105k", "ENV-105l", "ENV-105m", "ENV-105n", "ENV-105o", "ENV-105p", "ENV-105q", "ENV-105r",
        "ENV-105s",
    )  # fmt: skip
    async def test_each_one_decides_over_what_is_stored(self, as_admin: Browser, call: Call) -> None:
        await settings.change(call, {"oidc_button_text": "Stored", "oidc_admin_group": "stored"})
        rows = await shown(as_admin)
        for name, (_, value, _) in KNOWN.items():
            assert (rows[name]["source"], rows[name]["effective_value"]) == ("env", value), name
        assert rows["OIDC_BUTTON_TEXT"]["conflict"] is True
        secret = rows["OIDC_CLIENT_SECRET"]
        assert (secret["sensitive"], secret["source"]) == (True, "env")
        assert "not for everyone" not in str(rows)


@pytest.mark.parametrize("name", [name for name, (_, _, bad) in KNOWN.items() if bad])
def test_what_cannot_be_stops_the_start(name: str) -> None:
    (said,) = settings.complaints({name: KNOWN[name][2]})
    assert said.startswith(f"config: {name}: must be")


@pytest.mark.proves("ENV-105i")
def test_the_older_name_of_readonly_is_understood() -> None:
    assert settings.complaints({"OIDC_DEFAULT_ROLE": "viewer"}) == []


@pytest.mark.proves("ENV-30", "OIDC-17", "ENV-105l")
async def test_where_one_arrives_after_signing_out(call: Call) -> None:
    def with_(frontend: str = "", **given: str) -> Call:
        env = replace(call.world.env, frontend_url=frontend, given=Secret(given))
        return replace(call, world=replace(call.world, env=env))

    async def target(asked: Call, origin: str = "https://b.example") -> str:
        await settings.anew(asked)
        return await oidc.after_sign_out(asked, origin)

    assert await target(with_()) == "http://localhost:3000/login"
    several = "https://a.example,https://b.example"
    assert await target(with_(CORS_ORIGIN=several)) == "https://b.example/login"
    assert await target(with_(CORS_ORIGIN=several), "https://c.example") == "https://a.example/login"
    assert await target(with_("https://front.example", CORS_ORIGIN=several)) == "https://front.example/login"
    chosen = with_("https://front.example", OIDC_POST_LOGOUT_URI="https://portal.example/bye")
    assert await target(chosen) == "https://portal.example/bye"
