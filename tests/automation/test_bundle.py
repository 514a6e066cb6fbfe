"""What is pushed: deterministic, values as data, secrets apart; checked by the real Ansible."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.protocol.archive import digest
from server.automation import bundle, catalogue
from server.automation.models import Claimed, Field, Json, Playbook
from server.core.ids import HostId, JobHostId, JobId

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)


def claimed(**fields: object) -> Claimed:
    values: dict[str, object] = {
        "id": JobHostId(1), "uuid": "u", "job_id": JobId(1), "job_uuid": "j", "host_id": HostId(1),
        "host_name": "web-01", "changing": False, "runner_counter": 0, "live_counter": 0, "playbook": "ping",
        "playbook_file": "ping.yml",
        "project_digest": "0" * 64, "project_size": 1, "check_mode": True, "variables": {}, "options": {},
        "secrets_sealed": None, "request_id": "r", **fields,
    }  # fmt: skip
    return Claimed(**values)  # type: ignore[arg-type]


class _Loader(yaml.SafeLoader):
    pass


class _Unsafe(str):
    __slots__ = ()


def _unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> _Unsafe:
    return _Unsafe(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _unsafe)


def _only_unsafe(value: object) -> bool:
    if isinstance(value, str):
        return isinstance(value, _Unsafe)
    if isinstance(value, dict):
        return all(_only_unsafe(part) for pair in value.items() for part in pair)
    return all(map(_only_unsafe, value)) if isinstance(value, list) else True


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_text_at_any_depth_is_data_and_reads_back_unchanged(variables: dict[str, Json]) -> None:
    read = yaml.load(bundle.variables_yaml(variables), _Loader)
    assert read == variables
    assert all(_only_unsafe(value) for value in read.values())


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=2))
def test_the_same_job_host_gives_the_same_bytes(variables: dict[str, Json], secrets: dict[str, Json]) -> None:
    turned = dict(reversed(variables.items()))
    one = bundle.spec(claimed(variables=variables), secrets)
    assert one == bundle.spec(claimed(variables=turned), dict(reversed(secrets.items())))
    assert bundle.content(one).digest == digest(one)


def test_secrets_are_apart_and_everything_to_mask_is_listed() -> None:
    spec = orjson.loads(
        bundle.spec(claimed(variables={"a": "b"}), {"password": 'qu"oted', "keys": ["longsecret", "ab"]})
    )
    assert "quoted" not in spec["variables"]
    assert set(spec["secret_values"]) == {'qu"oted', 'qu\\"oted', "longsecret"}


def test_secrets_that_are_numbers_are_masked_too_when_they_say_something() -> None:
    secrets: dict[str, Json] = {"pin": 4711, "deep": {"key": [-20.125, 7]}, "on": True, "few": 100, "none": None}
    spec = orjson.loads(bundle.spec(claimed(), secrets))
    assert set(spec["secret_values"]) == {"4711", "-20.125"}


@pytest.mark.parametrize("name", ["web[1:3]", "a b", "{{ x }}", "ü", "-x", "web:22", "!all", "~.*"])
def test_a_hosts_name_is_never_a_pattern(name: str) -> None:
    spec = orjson.loads(bundle.spec(claimed(host_name=name), {}))
    inventory = yaml.load(spec["inventory"], _Loader)
    assert list(inventory["all"]["hosts"]) == [spec["host"]]
    assert not set(spec["host"]) & set("[]{}:!~ ,&*")
    assert inventory["all"]["hosts"][spec["host"]]["patchmon_host_name"] == name


def test_the_built_in_library_knows_its_playbooks_and_their_variables() -> None:
    library = catalogue.builtin()
    found = {playbook.name: playbook for playbook in library.playbooks}
    assert {"ping", "inventory_facts", "patch", "reboot"} <= set(found)
    assert library.project.digest == digest(library.project.content)
    scope = next(field for field in found["patch"].fields if field.name == "patch_scope")
    assert scope.choices == ("all", "security", "packages")
    assert catalogue.builtin().project.digest == library.project.digest


def test_secret_variables_are_told_from_plain_ones_and_reserved_names_are_refused() -> None:
    playbook = Playbook(
        "p", "p.yml", "P", "", "0" * 64, (Field("pw", "str", secret=True), Field("n", "int")), "uploaded"
    )
    checked = catalogue.check(
        playbook, {"pw": "s3cret", "n": 3, "free": "x", "ansible_connection": "ssh", "no-name": 1}
    )
    assert (checked.secret, checked.plain) == ({"pw": "s3cret"}, {"n": 3, "free": "x"})
    assert set(checked.complaints) == {"ansible_connection", "no-name"}
    builtin = replace(playbook, origin="builtin")
    assert "free" in catalogue.check(builtin, {"free": "x"}).complaints
    assert catalogue.check(playbook, {"n": True}).complaints
    assert catalogue.check(playbook, {"n": "\0"}).complaints


async def test_real_ansible_takes_templates_in_values_keys_and_names_as_text(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    attack = f"{{{{ lookup('pipe', 'touch {touched}') }}}}"
    spec = orjson.loads(
        bundle.spec(claimed(host_name=attack, variables={"v": {"deep": [attack], attack: attack}}), {"s": attack})
    )
    (tmp_path / "variables.yml").write_text(spec["variables"])
    (tmp_path / "secrets.yml").write_text(spec["secrets"])
    (tmp_path / "hosts.yml").write_text(spec["inventory"])
    (tmp_path / "play.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.debug: {msg: '{{ v }} {{ v.deep[0] }} {{ s }} {{ patchmon_host_name }}'}\n"
        "    - ansible.builtin.debug: {msg: '{{ item.key }} {{ item.value }}'}\n      loop: '{{ v | dict2items }}'\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "play.yml",
        "-e", "@variables.yml", "-e", "@secrets.yml", "-e", f"ansible_python_interpreter={sys.executable}",
        cwd=tmp_path, env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert output.decode().count("lookup(") >= 6
    assert not touched.exists()
