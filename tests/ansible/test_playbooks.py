"""The built-in playbooks, run by the real ansible-playbook as an agent runs them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.ansible.conftest import PACKAGE, PlayStarter, Watcher, needs_apt

EVERY = ("ping", "inventory_facts", "patch", "reboot", "repair", "rollback", "snapshot")


def test_ping_answers_and_changes_nothing(play: PlayStarter) -> None:
    run = play("ping")

    assert run.code == 0, run.output
    assert run.last["ping"] == "pong"
    assert not run.last["changed"]


def test_a_launch_variable_that_holds_a_template_stays_text(play: PlayStarter, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    text = f"{{{{ lookup('pipe', 'touch {trap}') }}}}"

    run = play("ping", variables=f'ping_data: !unsafe "{text}"\n')

    assert run.code == 0, run.output
    assert run.last["ping"] == text
    assert not trap.exists()


def test_a_package_name_that_holds_a_template_is_refused_as_a_name(play: PlayStarter, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    text = f"{{{{ lookup('pipe', 'touch {trap}') }}}}"

    run = play("patch", "--check", variables=f'patch_scope: packages\npatch_packages: [!unsafe "{text}"]\n')

    assert run.code == 2
    assert "Not a package name" in run.last["msg"]
    assert not trap.exists()


@pytest.mark.parametrize(
    ("playbook", "variables", "complaint"),
    [
        ("patch", "patch_lock_timeout_seconds: soon\n", "patch_lock_timeout_seconds"),
        ("patch", "patch_scope: everything\n", "patch_scope"),
        ("patch", "patch_packages: {name: curl}\n", "patch_packages"),
        ("reboot", "reboot_when: tomorrow\n", "reboot_when"),
    ],
)
def test_argument_specs_refuse_a_wrong_value_before_anything_runs(
    play: PlayStarter, playbook: str, variables: str, complaint: str
) -> None:
    run = play(playbook, "--check", variables=variables)

    assert run.code == 2
    assert complaint in run.last["msg"] + str(run.last.get("argument_errors"))
    assert len(run.tasks) == 1
    assert not list(run.results_folder.iterdir())


@pytest.mark.parametrize("manager", ["apk", "pkg"])
def test_a_manager_that_is_not_there_is_a_clear_error(play: PlayStarter, watcher: Watcher, manager: str) -> None:
    task = (
        f"- hosts: all\n  gather_facts: false\n  tasks:\n    - patchmon.fleet.package_update: {{manager: {manager}}}\n"
    )

    run = play(task, "--check")

    sentence = f"{manager} is not installed on this host"
    assert run.code == 2
    assert run.last["msg"] == sentence
    assert run.result("package_update")["error"] == sentence
    watcher.wait_for(sentence, 5)


@needs_apt
def test_inventory_goes_to_the_result_file_in_the_words_of_a_report(play: PlayStarter, watcher: Watcher) -> None:
    run = play("inventory_facts")

    assert run.code == 0, run.output
    found = run.result("inventory_facts")
    assert found["packageManager"] == "apt"
    dpkg = next(row for row in found["packages"] if row["name"] == "dpkg")
    assert {"name", "description", "category", "currentVersion", "needsUpdate", "isSecurityUpdate"} <= dpkg.keys()
    assert all({"url", "distribution", "components", "repoType"} <= row.keys() for row in found["repositories"])
    facts = run.last["ansible_facts"]["patchmon"]
    assert facts["packagesInstalled"] == len(found["packages"])
    assert "packages" not in facts, "thousands of packages do not belong into an event"
    watcher.wait_for(f"{len(found['packages'])} packages", 5)


@needs_apt
def test_facts_hold_everything_when_asked_to(play: PlayStarter) -> None:
    run = play("inventory_facts", variables="inventory_facts_return_packages: true\n")

    assert run.last["ansible_facts"]["patchmon"]["packages"] == run.result("inventory_facts")["packages"]


@needs_apt
def test_reboot_without_an_agent_is_a_clear_error(play: PlayStarter) -> None:
    run = play("reboot", variables="reboot_when: always\n")

    assert run.code == 2
    assert "no agent that restarts hosts runs this playbook" in run.last["msg"]


@needs_apt
def test_reboot_asks_the_agent_and_says_why(play: PlayStarter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "reboot.json"
    monkeypatch.setenv("PATCHMON_REBOOT_REQUEST", str(place))

    run = play("reboot", variables="reboot_when: always\nreboot_reason: Move to the new rack\n")

    assert run.code == 0, run.output
    assert json.loads(place.read_text()) == {"reason": "Move to the new rack", "timeout_seconds": 1800}
    assert run.result("reboot")["requested"] is True
    assert run.result("reboot")["reason"] == "Move to the new rack"
    assert run.last["changed"]


@needs_apt
def test_reboot_in_check_mode_only_says_that_it_would(play: PlayStarter) -> None:
    run = play("reboot", "--check", variables="reboot_when: always\n")

    assert run.code == 0, run.output
    assert run.result("reboot")["requested"] is False
    assert run.result("reboot")["would_request"] is True


@needs_apt
def test_packages_that_are_not_installed_are_all_named(play: PlayStarter) -> None:
    run = play(
        "patch",
        "--check",
        variables="patch_scope: packages\npatch_refresh_cache: false\npatch_packages: [dpkg, no-such, nor-this]\n",
    )

    assert run.code == 2
    assert run.last["msg"].startswith("Unknown to apt: no-such, nor-this. Nothing was changed.")
    assert run.last["changes"] == []


def test_names_without_the_scope_for_names_do_not_become_an_update_of_everything(play: PlayStarter) -> None:
    run = play("patch", variables=f"patch_packages: [{PACKAGE}]\n")

    assert run.code == 2
    assert "it must be 'packages'" in run.last["msg"]


@needs_apt
def test_without_socket_and_result_folder_the_modules_are_ordinary_ones(play: PlayStarter, watcher: Watcher) -> None:
    watcher.stop()
    watcher.path.unlink()

    run = play("reboot", "--check")

    assert run.code == 0, run.output


@pytest.mark.parametrize("name", EVERY)
def test_every_variable_of_a_role_has_a_type_a_description_and_the_default_of_its_specification(name: str) -> None:
    role = Path(__file__).resolve().parents[2] / "collections/ansible_collections/patchmon/fleet/roles" / name
    main = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))

    assert main["short_description"]
    assert {option: value["default"] for option, value in main["options"].items()} == defaults
    for option, value in main["options"].items():
        assert option.startswith(f"{name}_")
        assert value["type"]
        assert value["description"]
        assert not re.search(r"\b[A-Z]\(", str(value["description"])), "the launch form shows it as it is"
