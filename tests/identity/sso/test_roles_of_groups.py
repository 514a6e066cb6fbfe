"""Groups at the provider decide about roles."""

import pytest

from server.core.call import Call
from server.identity.sso import rules
from tests.conftest import Browser
from tests.factories.people import HTML, person, sign_in_as
from tests.identity.sso.conftest import NewBrowser, enter, me
from tests.stand_ins.identity_provider import Provider

GROUPS = {
    "OIDC_SUPERADMIN_GROUP": "PatchMon Superadmins",
    "OIDC_ADMIN_GROUP": "PatchMon Admins",
    "OIDC_HOST_MANAGER_GROUP": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "OIDC_READONLY_GROUP": "PatchMon Readers",
    "OIDC_USER_GROUP": "PatchMon Users",
}


async def role_after(make: NewBrowser) -> str:
    browser = await make()
    landed = await enter(browser)
    assert landed.location == "/?oidc=success", landed.location
    return str((await me(browser) or {})["role"])


class TestSynced:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {**GROUPS, "OIDC_SYNC_ROLES": "true"}

    @pytest.mark.proves("OIDC-21", "OIDC-23", "OIDC-24", "ENTRA-03")
    @pytest.mark.parametrize(
        ("claims", "wanted"),
        [
            ({"groups": ["patchmon admins"]}, "admin"),
            ({"groups": ["PATCHMON USERS", "patchmon readers"]}, "readonly"),
            ({"groups": ["patchmon users"]}, "user"),
            ({"groups": ["PatchMon Users", "PatchMon Superadmins", "PatchMon Admins"]}, "superadmin"),
            ({"groups": ["0F8FAD5B-D9CB-469F-A165-70867728950E"]}, "host_manager"),
            ({"groups": ["PatchMon Admins and more", "PatchMon"]}, "user"),
            ({"ak_groups": ["PatchMon Admins"]}, "admin"),
            ({"groups": "PatchMon Readers"}, "readonly"),
            ({"groups": []}, "user"),
            ({"groups": [1, None, {"name": "PatchMon Admins"}]}, "user"),
            ({}, "user"),
        ],
    )
    @pytest.mark.usefixtures("root")
    async def test_the_first_group_that_counts_gives_the_role(
        self, new_browser: NewBrowser, provider: Provider, claims: dict[str, object], wanted: str
    ) -> None:
        provider.person |= claims
        assert await role_after(new_browser) == wanted
        assert await role_after(new_browser) == wanted

    @pytest.mark.proves("OIDC-24", "OIDC-25")
    @pytest.mark.usefixtures("root")
    async def test_a_role_follows_the_groups_and_ends_the_other_sessions(
        self, client: Browser, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        provider.person |= {"groups": ["PatchMon Admins"]}
        await enter(client)
        assert (await me(client) or {})["role"] == "admin"
        provider.person |= {"groups": ["PatchMon Readers"]}
        assert await role_after(new_browser) == "readonly"
        assert await me(client) is None
        rows = await call.db.all("select detail from audit_log where action = 'identity.user_changed'")
        assert [row["detail"]["role"] for row in rows] == [{"before": "admin", "after": "readonly"}]

    @pytest.mark.proves("OIDC-25")
    async def test_the_last_administrator_stays_one(
        self, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        provider.person |= {"groups": []}
        # Nobody administers this server: the first one does, whatever the groups say, and keeps it.
        assert await role_after(new_browser) == "superadmin"
        assert await role_after(new_browser) == "superadmin"
        await person(call, "superadmin", username="second")
        assert await role_after(new_browser) == "user"

    @pytest.mark.proves("OIDC-21", "ENTRA-05", "OPS-36", "IDAUD-03", "OIDC-05")
    @pytest.mark.usefixtures("root")
    async def test_the_log_says_what_was_found(
        self, new_browser: NewBrowser, provider: Provider, capsys: pytest.CaptureFixture[str]
    ) -> None:
        provider.person |= {"groups": ["PatchMon Admins", "x"]}
        await role_after(new_browser)
        provider.person.pop("groups")
        await role_after(new_browser)
        # Too many groups for a token: Entra says where to ask for them, and nobody asks.
        provider.person |= {
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": f"{provider.url}/userinfo"}},
        }
        asked = len([path for path, _ in provider.seen if path == "/userinfo"])
        assert await role_after(new_browser) == "user"
        assert len([path for path, _ in provider.seen if path == "/userinfo"]) == asked
        log = "".join(capsys.readouterr())
        for line in (
            "OIDC groups found: ['PatchMon Admins', 'x']",
            "No groups found in OIDC token",
            "oidc no groups in token",
            "OIDC groups are too many",
        ):
            assert line in log

    @pytest.mark.proves("USER-14", "ROLE-10")
    async def test_people_and_roles_are_not_managed_here(self, as_admin: Browser, call: Call) -> None:
        known = await person(call, username="countess")
        same = {"Sec-Fetch-Site": "same-origin"}
        new = {"username": "new", "email": "new@example.com", "password": "Correct-Horse-7", "role": "user"}
        for answer in (
            await as_admin.post("/api/v1/auth/admin/users", json=new, headers=same),
            await as_admin.put(f"/api/v1/auth/admin/users/{known.id}", json={"role": "admin"}, headers=same),
            await as_admin.put("/api/v1/permissions/roles/crew", json={"can_view_hosts": True}, headers=same),
        ):
            body = await answer.json()
            assert (answer.status, body["code"]) == (403, "managed_by_oidc"), body
        # What an emergency needs still goes.
        off = await as_admin.put(f"/api/v1/auth/admin/users/{known.id}", json={"is_active": False}, headers=same)
        assert off.status == 200
        gone = await as_admin.delete(f"/api/v1/auth/admin/users/{known.id}", headers=same)
        assert gone.status == 200

        users = await (await as_admin.get("/settings/users", headers=HTML)).text()
        assert "OIDC Authentication Enabled" in users
        assert "Add User" not in users
        roles = await (await as_admin.get("/settings/roles?new=1", headers=HTML)).text()
        assert "Add Role" not in roles
        for name in GROUPS:
            assert name in roles


class TestSyncedWithoutSuperadmins:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {**GROUPS, "OIDC_SUPERADMIN_GROUP": "", "OIDC_SYNC_ROLES": "true", "OIDC_DEFAULT_ROLE": "readonly"}

    @pytest.mark.proves("OIDC-11", "OIDC-25", "OIDC-27")
    async def test_those_who_are_superadmin_stay_it(
        self, as_admin: Browser, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        await person(call, "superadmin", username="other")
        known = await person(call, "superadmin", username="countess")
        provider.person |= {"email": known.email, "groups": ["PatchMon Readers"]}
        assert await role_after(new_browser) == "superadmin"
        assert await role_after(new_browser) == "superadmin"
        provider.person = {"sub": "x", "email": "x@example.com"}
        assert await role_after(new_browser) == "readonly"
        page = await (await as_admin.get("/settings/oidc-auth", headers=HTML)).text()
        assert "no group makes a Super Admin" in page


class TestNotSynced:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return GROUPS

    @pytest.mark.proves("OIDC-24")
    @pytest.mark.usefixtures("root")
    async def test_groups_count_once_when_the_account_is_made(
        self, new_browser: NewBrowser, provider: Provider, call: Call
    ) -> None:
        provider.person |= {"groups": ["PatchMon Admins"]}
        assert await role_after(new_browser) == "admin"
        provider.person |= {"groups": ["PatchMon Readers"]}
        assert await role_after(new_browser) == "admin"
        known = await person(call, "host_manager", username="countess")
        provider.person = {"sub": "c", "email": known.email, "email_verified": True, "groups": ["PatchMon Admins"]}
        assert await role_after(new_browser) == "host_manager"
        browser = await new_browser()
        await sign_in_as(browser, call, "superadmin")
        page = await (await browser.get("/settings/users", headers=HTML)).text()
        assert "Add User" in page
        assert "OIDC Authentication Enabled" not in page


@pytest.mark.proves("OIDC-23")
def test_an_empty_mapping_matches_no_empty_group() -> None:
    assert rules.mapped_role(["", "  "], {"superadmin": "", "admin": "  "}) is None
    assert rules.mapped_role(["a"], {}) is None
