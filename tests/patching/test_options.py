"""How far a run goes and what surrounds it: said in the call, by the policy, or by the host itself."""

import json
from typing import Any

import pytest
import yaml

from server.core.call import Call
from server.patching import schedule
from tests.factories.automation import Fleet
from tests.factories.hosts import Browser
from tests.factories.patching import Patching, change, finish
from tests.factories.people import HTML, bearer, form_token, role_with
from tests.stand_ins.scripted_agent import Held


def said(held: Held) -> dict[str, object]:
    """The variables of a job as the host reads them; texts come marked as data."""

    class Loader(yaml.SafeLoader):
        """Knows the mark."""

    Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))
    return dict(yaml.load(held.spec["variables"], Loader))


async def test_every_option_of_the_call_reaches_the_host_and_stays_on_the_run(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(
        fleet.ids["web-01"], hold_patterns=["linux-*"], allow_patterns=["lib*", "curl"], full_upgrade=True,
        reboot="if_required",
    )  # fmt: skip
    assert said(await agent.job()) == {
        "patch_scope": "all",
        "patch_hold_patterns": ["linux-*"],
        "patch_allow_patterns": ["lib*", "curl"],
        "patch_full_upgrade": True,
        "patch_reboot": "if_required",
    }
    run = await api.run(made["patch_run_id"])
    assert (run["allow_patterns"], run["full_upgrade"], run["reboot"]) == (["lib*", "curl"], True, "if_required")
    assert (run["snapshot"], run["pre_playbook"], run["post_playbook"], run["notes"]) == (False, "", "", [])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"reboot": "sometimes"}, "reboot"),
        ({"allow_patterns": ["a b"]}, "Invalid pattern: a b"),
        ({"security_only": True, "full_upgrade": True}, "full_upgrade and security_only exclude each other"),
        (
            {"patch_type": "patch_package", "package_name": "curl", "full_upgrade": True},
            "full_upgrade is for patch_all",
        ),
        ({"pre_playbook": "no_such_playbook"}, "Playbook no_such_playbook not found"),
        ({"post_playbook": "../../etc/passwd"}, "post_playbook cannot be ../../etc/passwd"),
        ({"pre_playbook": "reboot"}, "pre_playbook cannot be reboot"),
    ],
)
async def test_options_that_make_no_sense_are_refused_by_name(
    api: Patching, fleet: Fleet, call: Call, wrong: dict[str, object], text: str
) -> None:
    await fleet.enrol("web-01")
    body = {"host_id": fleet.ids["web-01"], "patch_type": "patch_all", **wrong}
    assert text in json.dumps(await api.ask("POST", "/patching/trigger", body, status=400))
    assert await call.db.value("select count(*) from patch_runs") == 0


async def test_the_policy_says_what_the_call_does_not_and_its_later_change_counts_for_nothing(
    api: Patching, fleet: Fleet
) -> None:
    agent = await fleet.enrol("web-01")
    host = fleet.ids["web-01"]
    policy = await api.policy(
        "Careful", security_only=True, hold_patterns=["mysql-*"], reboot="always", snapshot=True, pre_playbook="ping"
    )
    assert (policy["security_only"], policy["reboot"], policy["full_upgrade"]) == (True, "always", None)
    await api.assign(policy, "host", host)
    shown = await api.preview(host)
    assert shown["options"]["reboot"] == "always"
    plain = await api.run((await api.trigger(host, submit_for_approval=True))["patch_run_id"])
    assert (plain["security_only"], plain["hold_patterns"], plain["reboot"]) == (True, ["mysql-*"], "always")
    assert (plain["snapshot"], plain["pre_playbook"]) == (True, "ping")
    assert plain["policy_snapshot"]["reboot"] == "always"
    own: Any = {"security_only": False, "reboot": "never", "hold_patterns": [], "pre_playbook": ""}
    other = await api.run((await api.trigger(host, submit_for_approval=True, **own))["patch_run_id"])
    assert (other["security_only"], other["hold_patterns"], other["reboot"]) == (False, [], "never")
    assert (other["snapshot"], other["pre_playbook"]) == (True, "")
    changed = {"name": "Careful", "patch_delay_type": "immediate", "reboot": "never"}
    await api.ask("PUT", f"/patching/policies/{policy['id']}", changed)
    approved = await api.act(plain["id"], "approve")
    real = await api.run(approved["patch_run_id"])
    assert (real["reboot"], real["security_only"], real["hold_patterns"]) == ("always", True, ["mysql-*"])
    await api.delete(real["id"])
    named = await api.run((await api.trigger(host, patch_type="patch_package", package_name="curl"))["patch_run_id"])
    assert named["security_only"] is False
    await agent.connect()
    assert said(await agent.job())["patch_scope"] == "packages"


async def test_a_full_upgrade_under_a_policy_for_security_says_that_it_is_none(api: Patching, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    await api.assign(await api.policy("Security", security_only=True), "host", fleet.ids["web-01"])
    run = await api.run((await api.trigger(fleet.ids["web-01"], full_upgrade=True))["patch_run_id"])
    assert (run["security_only"], run["full_upgrade"]) == (True, False)
    assert run["notes"] == ["No full upgrade: the policy Security is for security updates only."]


async def test_what_holds_for_a_host_holds_whatever_runs_there(api: Patching, fleet: Fleet) -> None:
    first, second = await fleet.online("db-01"), await fleet.online("web-01")
    own = {"reboot_exempt": True, "patch_hold_patterns": ["postgresql-*"]}
    shown = await api.ask("PATCH", f"/hosts/{fleet.ids['db-01']}", own)
    assert shown["host"]["reboot_exempt"] is True
    assert shown["host"]["patch_hold_patterns"] == ["postgresql-*"]
    await api.ask("PATCH", f"/hosts/{fleet.ids['db-01']}", {"patch_hold_patterns": ["a; reboot"]}, status=400)
    made = await api.trigger(*fleet.ids.values(), reboot="always", hold_patterns=["linux-*"])
    told = {one["host_name"]: await api.run(one["patch_run_id"]) for one in made["runs"]}
    assert told["db-01"]["reboot"] == "never"
    assert told["db-01"]["notes"] == ["The host is exempt from restarts: it will not be restarted."]
    assert told["db-01"]["hold_patterns"] == ["linux-*", "postgresql-*"]
    assert (told["web-01"]["reboot"], told["web-01"]["notes"]) == ("always", [])
    assert "patch_reboot" not in said(await first.job())
    assert said(await second.job())["patch_reboot"] == "always"


async def test_a_host_exempted_after_the_run_was_scheduled_is_not_restarted(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.online("db-01")
    host = fleet.ids["db-01"]
    await api.assign(await api.policy("Later", "delayed", delay_minutes=5, reboot="always"), "host", host)
    made = await api.trigger(host)
    await api.ask("PATCH", f"/hosts/{host}", {"reboot_exempt": True, "patch_hold_patterns": ["postgresql-*"]})
    await call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour'")
    assert await schedule.release_due(call) == 1
    variables = said(await agent.job())
    assert "patch_reboot" not in variables
    assert variables["patch_hold_patterns"] == ["postgresql-*"]
    run = await api.run(made["patch_run_id"])
    assert (run["reboot"], len(run["notes"])) == ("never", 1)


async def test_a_dry_run_decides_the_options_of_the_real_run(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], dry_run=True, security_only=True, reboot="if_required", snapshot=True)
    await finish(api, agent, await agent.job(), change("openssl", security=True))
    await api.becomes(made["patch_run_id"], "validated")
    real = await api.run((await api.act(made["patch_run_id"], "approve"))["patch_run_id"])
    assert (real["security_only"], real["reboot"], real["snapshot"]) == (True, "if_required", True)


async def test_only_who_may_launch_a_playbook_puts_it_around_a_run(api: Patching, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await role_with(call, "patchers", "can_view_hosts", "can_manage_patching")
    operator = Patching(api.session, api.url, await bearer(call, "patchers"))
    refused = await operator.trigger(fleet.ids["web-01"], pre_playbook="ping", status=403)
    assert "can_manage_automation" in refused["error"]
    await api.assign(await api.policy("Drained", pre_playbook="ping"), "host", fleet.ids["web-01"])
    run = await operator.run((await operator.trigger(fleet.ids["web-01"]))["patch_run_id"])
    assert run["pre_playbook"] == "ping"


async def test_a_host_page_says_and_changes_what_holds_for_the_host(
    as_admin: Browser, api: Patching, fleet: Fleet
) -> None:
    await fleet.enrol("db-01")
    here = f"/hosts/{fleet.ids['db-01']}"

    async def post(form: dict[str, str]) -> str:
        data = {**form, "csrf": await form_token(as_admin, here)}
        answer = await as_admin.post(f"{here}/edit", data=data, headers=HTML)
        assert answer.status == 200
        return await answer.text()

    assert "Never restart" in await (await as_admin.get(here, headers=HTML)).text()
    assert ">Allow<" in " ".join((await post({"reboot_exempt": "true"})).split()).replace("> ", ">").replace(" <", "<")
    assert "postgresql-*, linux-image-*" in await post({"patch_hold_patterns": "postgresql-*,  linux-image-*"})
    refused = await post({"patch_hold_patterns": "<script>"})
    assert "Saved." not in refused
    shown = await api.ask("GET", f"/hosts/{fleet.ids['db-01']}")
    assert (shown["reboot_exempt"], shown["patch_hold_patterns"]) == (True, ["postgresql-*", "linux-image-*"])
    await post({"patch_hold_patterns": ""})
    assert (await api.ask("GET", f"/hosts/{fleet.ids['db-01']}"))["patch_hold_patterns"] == []
