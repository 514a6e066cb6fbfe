"""Settings → Integrations, as a person without scripts uses it."""

import base64
import re
from html import unescape

import pytest
import yaml

from server.core.call import Call
from tests.conftest import ROOT, Browser
from tests.factories.people import HTML, post_form, sign_in_as
from tests.integrations.conftest import ENROL, Maker, Program

HOME = "/settings/integrations"
CARDS = f"{HOME}/gethomepage"
ROLES = ROOT / "collections/ansible_collections/patchmon/fleet/roles"


async def page_of(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def made(browser: Browser, usage: str, **fields: str) -> tuple[str, Program]:
    """Make a token by its form; return the page that follows, and the token."""
    form = f"{HOME}/new?usage={usage}"
    answer = await post_form(browser, form, form, {"token_name": "by hand", "max_hosts_per_day": "100", **fields})
    text = await answer.text()
    assert answer.status == 201, text
    assert answer.headers["Cache-Control"] == "no-store"
    key, secret = re.search(r"patchmon_ae_[0-9a-f]{32}", text), re.search(r"<code id=\"token-secret\">(\w{64})", text)
    assert key is not None
    assert secret is not None
    return text, Program(browser, "", key[0], secret[1])


@pytest.mark.proves("INTG-UI-01", "INTG-UI-02")
async def test_the_page_and_who_may_see_it(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    text = await page_of(client, HOME)
    for word in ("Auto-Enrollment &amp; API", "GetHomepage", "New Token", "There is no token yet"):
        assert word in text, word
    for usage in ("proxmox-lxc", "direct-host", "api"):
        assert f'href="{HOME}/new?usage={usage}"' in text
    assert 'href="/settings/integrations"' in await page_of(client, "/settings/profile")
    client.session.cookie_jar.clear()
    await sign_in_as(client, call, "host_manager")
    assert 'href="/settings/integrations"' not in await page_of(client, "/settings/profile")
    for path in (HOME, CARDS, f"{HOME}/new"):
        await page_of(client, path, status=403)
    assert (await client.post(f"{HOME}/new", data={"token_name": "x"}, headers=HTML)).status == 403


@pytest.mark.proves("INTG-UI-03", "INTG-UI-05", "INTG-TOK-03")
async def test_a_token_for_a_proxmox_host(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    form = await page_of(client, f"{HOME}/new?usage=proxmox-lxc")
    labels = ("Token Name", "Max Hosts Per Day", "Default Host Group", "Allowed IP Addresses", "Expiration Date")
    for label in (*labels, "Create Token"):
        assert label in form, label
    text, token = await made(
        client, "proxmox-lxc", allowed_ip_ranges="127.0.0.1, 10.0.0.0/8", max_hosts_per_day="7", expires_at="2031-01-01"
    )
    line = (
        f"curl -s &#34;http://127.0.0.1:{client.port}/api/v1/auto-enrollment/script?type=proxmox-lxc"
        f"&amp;token_key={token.key}&amp;token_secret={token.secret}&#34; | bash"
    )
    assert line in text
    row = await call.db.one("select allowed_ip_ranges, max_hosts_per_day, expires_at::text from integration_tokens")
    assert row == {
        "allowed_ip_ranges": ["127.0.0.1", "10.0.0.0/8"],
        "max_hosts_per_day": 7,
        "expires_at": "2031-01-01 00:00:00+00",
    }
    assert (await client.post(ENROL, json={"friendly_name": "a"}, headers=token.headers)).status == 201
    assert token.secret not in await page_of(client, HOME)


async def test_a_token_for_any_machine_comes_with_a_playbook(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    text, token = await made(client, "direct-host")
    assert "type=direct-host" in text
    found = re.search(r'<pre id="playbook".*?<code>(.*?)</code>', text, re.DOTALL)
    assert found is not None
    (play,) = yaml.safe_load(unescape(found[1]))
    (role,) = play["roles"]
    assert role["vars"] == {
        "agent_url": f"http://127.0.0.1:{client.port}",
        "agent_token_key": token.key,
        "agent_token_secret": token.secret,
        "agent_verify_ssl": True,
    }
    specs = yaml.safe_load((ROLES / "agent/meta/argument_specs.yml").read_text())
    assert role["role"] == "patchmon.fleet.agent"
    assert set(role["vars"]) <= set(specs["argument_specs"]["main"]["options"])


@pytest.mark.proves("INTG-UI-04", "INTG-UI-06")
async def test_a_token_for_the_api(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    form = f"{HOME}/new?usage=api"
    answer = await post_form(client, form, form, {"token_name": "inventory"})
    refused = await answer.text()
    assert answer.status == 400
    assert "Tick at least one scope" in refused
    assert 'value="inventory"' in refused
    text, token = await made(client, "api", **{"actions[]": "get"})
    assert "host: get" in text
    assert "host: delete" not in text
    url = f"http://127.0.0.1:{client.port}/api/v1/api/hosts"
    assert f"curl -s -u &#34;{token.key}:{token.secret}&#34; &#34;{url}&#34;" in text
    assert f"api_url: {url}/" in text
    assert (await client.get("/api/v1/api/hosts", headers=token.basic)).status == 200
    assert await call.db.value("select scopes from integration_tokens") == {"host": ["get"]}


async def test_the_form_keeps_every_scope_that_opens_a_door(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    await made(client, "api", **{"actions[]": "relay:post"})
    uuid = await call.db.value("select id from integration_tokens")
    form = await page_of(client, f"{HOME}/{uuid}")
    ticked = [box for box in re.findall(r"<input[^>]*>", form) if "checkbox" in box and "checked" in box]
    assert [box for box in ticked if 'value="relay:post"' in box] == ticked
    assert ticked


@pytest.mark.proves("INTG-UI-08", "INTG-UI-09", "INTG-UI-10", "INTG-GH-05")
async def test_a_key_for_a_dashboard(client: Browser, call: Call) -> None:
    await sign_in_as(client, call, "admin")
    assert "New API Key" in await page_of(client, CARDS)
    form = await page_of(client, f"{HOME}/new?usage=gethomepage")
    for label in ("Token Name", "Allowed IP Addresses", "Expiration Date", "Create Token"):
        assert label in form, label
    assert "Max Hosts Per Day" not in form
    text, token = await made(client, "gethomepage", token_name="Living room")
    pair = base64.b64encode(f"{token.key}:{token.secret}".encode()).decode()
    assert "Copy Config" in text
    found = re.search(r'<pre id="config".*?<code>(.*?)</code>', text, re.DOTALL)
    assert found is not None
    url = f"http://127.0.0.1:{client.port}"
    assert yaml.safe_load(found[1]) == [
        {
            "PatchMon": {
                "href": url,
                "description": "PatchMon Statistics",
                "icon": f"{url}/assets/favicon.svg",
                "widget": {
                    "type": "customapi",
                    "url": f"{url}/api/v1/gethomepage/stats",
                    "headers": {"Authorization": f"Basic {pair}"},
                    "mappings": [
                        {"field": "total_hosts", "label": "Total Hosts"},
                        {"field": "hosts_needing_updates", "label": "Needs Updates"},
                        {"field": "security_updates", "label": "Security Updates"},
                    ],
                },
            }
        }
    ]
    listed = await page_of(client, CARDS)
    for word in ("Living room", "Active", "never expires", "created", "Disable", "Delete"):
        assert word in listed, word
    assert "Living room" not in await page_of(client, HOME)
    stats = "/api/v1/gethomepage/stats"
    assert (await client.get(stats, headers=token.basic)).status == 200
    uuid = await call.db.value("select id from integration_tokens")
    answer = await post_form(client, CARDS, f"{HOME}/{uuid}/active", {"active": "false"})
    assert (answer.status, answer.headers["Location"]) == (303, CARDS)
    assert "Inactive" in await page_of(client, CARDS)
    assert (await client.get(stats, headers=token.basic)).status == 401
    await post_form(client, CARDS, f"{HOME}/{uuid}/active", {"active": "true"})
    assert (await client.get(stats, headers=token.basic)).status == 200
    answer = await post_form(client, CARDS, f"{HOME}/{uuid}/delete")
    assert answer.headers["Location"] == CARDS
    assert (await client.get(stats, headers=token.basic)).status == 401
    assert "No dashboard has a key yet" in await page_of(client, CARDS)


@pytest.mark.proves("INTG-UI-07", "INTG-TOK-06", "INTG-TOK-10")
async def test_the_list_and_changing_a_token(client: Browser, call: Call, make: Maker) -> None:
    user = await sign_in_as(client, call, "admin")
    token = await make("proxmox-lxc", token_name="pve", allowed_ip_ranges=["127.0.0.1"], max_hosts_per_day=9)
    assert (await token.enrol({"friendly_name": "a"})).status == 201
    listed = await page_of(client, HOME)
    for word in (
        "pve",
        "Proxmox LXC",
        "Active",
        "Enrol: 1 of 9 today",
        "127.0.0.1",
        "into no group",
        "just now",
        "Edit",
    ):
        assert word in listed, word
    assert re.search(r"created <time.*? by <span title=\"[^\"]+ Example\">\w+", listed, re.DOTALL)
    assert "There is no token of this kind" in await page_of(client, f"{HOME}?usage=api")
    path = f"{HOME}/{token.id}"
    shown = await page_of(client, path)
    assert 'value="127.0.0.1"' in shown
    assert token.key in shown
    fields = {"token_name": "pve2", "max_hosts_per_day": "1", "allowed_ip_ranges": "nonsense"}
    refused = await post_form(client, path, path, fields)
    assert refused.status == 400
    assert "Not an IP address or a network: nonsense" in await refused.text()
    fields["allowed_ip_ranges"] = ""
    saved = await post_form(client, path, path, fields)
    assert (saved.status, saved.headers["Location"]) == (303, HOME)
    row = await call.db.one("select token_name, max_hosts_per_day, allowed_ip_ranges from integration_tokens")
    assert row == {"token_name": "pve2", "max_hosts_per_day": 1, "allowed_ip_ranges": []}
    assert (await token.enrol({"friendly_name": "b"})).status == 429
    by = await call.db.value(
        "select actor_name from audit_log where action = 'integrations.token_changed' order by id desc limit 1"
    )
    assert by == user.username
    for unknown in ("nonsense", "00000000-0000-4000-8000-000000000000"):
        await page_of(client, f"{HOME}/{unknown}", status=404)
    await page_of(client, f"{HOME}/new?usage=nonsense", status=404)


@pytest.mark.parametrize("action", ["", "/active", "/delete"])
async def test_a_forged_form_changes_nothing(client: Browser, call: Call, make: Maker, action: str) -> None:
    token = await make()
    await sign_in_as(client, call, "admin")
    answer = await client.post(f"{HOME}/{token.id}{action}", data={"token_name": "x", "active": "false"}, headers=HTML)
    assert answer.status == 403
    assert await call.db.value("select is_active from integration_tokens")


async def test_what_people_type_is_shown_as_text(client: Browser, call: Call, make: Maker) -> None:
    await sign_in_as(client, call, "admin")
    name = '<script>alert("x")</script>'
    token = await make("api", token_name=name)
    for path in (HOME, f"{HOME}/{token.id}"):
        text = await page_of(client, path)
        assert name not in text
        assert "&lt;script&gt;" in text
