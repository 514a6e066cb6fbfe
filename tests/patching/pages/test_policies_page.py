"""The policies in the browser, at both of their addresses, without scripts."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.people import PASSWORD, sign_in
from tests.factories.reader import Reader
from tests.factories.runs import Past
from tests.factories.scopes import group, limited

BESIDE, TWIN = "/patching?tab=policies", "/settings/patch-management"
BASES = {BESIDE: "/patching/policies", TWIN: TWIN}
NIGHTLY = {"name": "Nightly", "patch_delay_type": "fixed_time", "fixed_time_utc": "03:00", "timezone": "Europe/London"}
Put = Callable[..., Awaitable[str]]


def opened(home: str, policy: str) -> str:
    return f"{home}{'&' if '?' in home else '?'}open={policy}"


async def made(reader: Reader, home: str = BESIDE, **fields: str) -> str:
    """Create a policy with the form; return its id."""
    sent: dict[str, Any] = NIGHTLY | fields
    url = await reader.send(opened(home, "").replace("open=", "new=1"), BASES[home], **sent)
    return url.rpartition("=")[2]


async def joined(call: Call, name: str, host: str) -> str:
    """Make a group that holds this host."""
    made = await group(call, name)
    await call.db.execute(
        """
        insert into host_group_members (host_group_id, host_id)
        select g.id, h.id from host_groups g, hosts h where g.uuid = %(made)s and h.uuid = %(host)s
        """,
        made=made,
        host=host,
    )
    return made


@pytest.mark.parametrize("home", [BESIDE, TWIN])
@pytest.mark.proves("PATCH-70", "PATCH-72", "PATCH-74", "PATCH-75", "PATCH-76", "PATCH-77", "PATCH-78", "PATCH-79")
async def test_a_policy_from_its_form_to_its_end(reader: Reader, past: Past, call: Call, home: str) -> None:
    base = BASES[home]
    host = await past.host("web-01")
    await joined(call, "Canary", host)
    await past.host("web-02")
    form = await reader.words(f"{home}{'&' if '?' in home else '?'}new=1")
    for word in ("Name", "Description", "Immediate", "Delayed (run after N minutes)", "Fixed time (e.g. 3:00 AM)",
                 "Timezone", "Create"):  # fmt: skip
        assert word in form, word
    policy = await made(reader, home)
    words = await reader.words(home)
    assert "Nightly Fixed time at 03:00 Europe/London 0 assignment(s)" in words
    here = opened(home, policy)
    assert "Applied to Nobody yet" in await reader.words(here)
    assert await call.db.value("select count(*) from patch_runs") == 0

    await reader.send(here, f"{base}/{policy}/assignments", target="canary")
    await reader.send(here, f"{base}/{policy}/assignments", target="web-02")
    words = await reader.words(here)
    assert "Canary (group)" in words
    assert re.search(r"2 assignment\(s\).*Applied to Canary \(group\) web-02", words)
    await reader.send(here, f"{base}/{policy}/exclusions", target="web-01")
    assert re.search(r"Exclusions web-01", await reader.words(here))
    await reader.send(here, f"{base}/{policy}/exclusions", target="web-02")
    assert "The policy is assigned to this host directly; remove the assignment instead" in await reader.words(here)
    await reader.send(here, f"{base}/{policy}/assignments", target="nobody")
    assert "nobody: Host or group not found." in await reader.words(here)

    text = await reader.page(here)
    removals = re.findall(r'action="([^"]+/delete)"', text)
    assert f"{base}/{policy}/exclusions/{host}/delete" in removals
    for url in removals:
        await reader.send(here, url)
    words = await reader.words(here)
    assert "Nobody yet" in words
    assert "No host is left out" in words

    await reader.send(
        f"{home}{'&' if '?' in home else '?'}edit={policy}", f"{base}/{policy}",
        name="Later", patch_delay_type="delayed", delay_minutes="30", fixed_time_utc="",
    )  # fmt: skip
    assert "Later Delayed by 30 minutes 0 assignment(s)" in await reader.words(home)
    leaving = f"{home}{'&' if '?' in home else '?'}delete={policy}"
    assert "Scheduled runs stay scheduled" in await reader.words(leaving)
    assert await reader.send(leaving, f"{base}/{policy}/delete") == home
    assert "No policy yet" in await reader.words(home)


async def test_a_form_that_is_wrong_comes_back_with_what_was_typed(reader: Reader) -> None:
    new = f"{BESIDE}&new=1"
    for fields, said in (
        ({"name": ""}, "Name is required"),
        ({"patch_delay_type": "delayed", "delay_minutes": "0"}, "delay_minutes must be between 1"),
        ({"patch_delay_type": "delayed", "delay_minutes": "soon"}, "delay_minutes must be between 1"),
        ({"fixed_time_utc": "25:00"}, "fixed_time_utc must be HH:MM"),
        ({"timezone": "Mars/Olympus"}, "timezone must be an IANA name"),
        ({"patch_delay_type": "never"}, "patch_delay_type must be"),
    ):
        text = await reader.send(new, "/patching/policies", status=400, **(NIGHTLY | {"description": "kept"} | fields))
        assert said in text, said
        assert 'value="kept"' in text


async def test_who_is_limited_gives_policies_and_makes_none(
    client: Browser, reader: Reader, past: Past, call: Call
) -> None:
    policy = await made(reader)
    await past.host("web-02")
    north = await joined(call, "North", await past.host("web-01"))
    person = await limited(call, north, role="admin")
    await sign_in(client, person.username, PASSWORD)
    own = Reader(client)
    here = opened(BESIDE, policy)
    text = await own.page(here)
    assert "Create policy" not in text
    assert "edit=" not in text
    assert "web-02" not in text
    await own.send(here, f"/patching/policies/{policy}/assignments", target="web-02")
    assert "web-02: Host or group not found." in await own.words(here)
    await own.send(here, f"/patching/policies/{policy}/assignments", target="web-01")
    assert "Applied to web-01" in await own.words(here)


async def test_the_form_says_how_runs_go_and_keeps_what_it_does_not_change(reader: Reader) -> None:
    said = {"reboot": "if_required", "hold_patterns": "linux-*, mysql*", "security_only": "true", "snapshot": "false"}
    policy = await made(reader, **said)
    words = await reader.words(BESIDE)
    for part in ("Security only: yes", "Held back: linux-*, mysql*", "Restart: if the updates need one"):
        assert part in words, part
    form = await reader.page(f"{BESIDE}&edit={policy}")
    typed = dict(
        re.findall(r'<input class="form-control"\s+id="field-([a-z_]+)"[^>]*?value="([^"]*)"', form, re.DOTALL)
    )
    chosen = re.findall(r'<select[^>]*name="([a-z_]+)"[^>]*>(.*?)</select>', form, re.DOTALL)
    typed |= {name: found[1] for name, body in chosen if (found := re.search(r'value="([^"]*)" selected', body))}
    await reader.send(f"{BESIDE}&edit={policy}", f"/patching/policies/{policy}", **(typed | {"name": "Weekly"}))
    async with reader.browser.get(f"/api/v1/patching/policies/{policy}") as answer:
        kept = await answer.json()
    assert (kept["name"], kept["reboot"], kept["security_only"], kept["snapshot"], kept["full_upgrade"]) == (
        "Weekly", "if_required", True, False, None,
    )  # fmt: skip
    assert kept["hold_patterns"] == ["linux-*", "mysql*"]
    assert kept["fixed_time_utc"] == "03:00"
