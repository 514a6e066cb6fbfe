"""The folder of one play on a worker: on memory where there is some, private, gone at the end; it may hold secrets."""

import base64
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml

from agent.protocol import archive
from server.automation import bundle, catalogue
from server.automation.models import ENVIRONMENT, FILES, MASKED, Claimed, Variables
from server.core import programs

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a private folder in it)
_START: Final = (
    "import json,sys; sys.path[:]=json.loads(sys.argv.pop(1)); "
    "from server.automation.executors.relayed import main; sys.exit(main(sys.argv[1]))"
)


def make() -> Path:
    """Make the folder; whoever makes it removes it with ``remove``."""
    return Path(tempfile.mkdtemp(prefix="patchmon-run-", dir=_MEMORY if _MEMORY.is_dir() else None))


def remove(run: Path) -> None:
    """Delete the folder; what cannot be deleted is an error, because it may hold secrets."""
    shutil.rmtree(run)


def names(claimed: Sequence[Claimed]) -> dict[str, Claimed]:
    """Return the hosts by their names in the inventory, each name once."""
    found: dict[str, Claimed] = {}
    for one in claimed:
        name = bundle.inventory_name(one.host_name)
        found[name if name not in found else f"{name}-{one.uuid[:8]}"] = one
    return found


def lay_out(
    run: Path, project: bytes, hosts: Mapping[str, Claimed], uuids: Mapping[int, str], secrets: Variables
) -> None:
    """Write project, inventory, values and configuration; ``uuids`` are those of the hosts."""
    archive.unpack(project, run / "project")
    for name, text in _mapping(secrets.get(FILES)).items():
        _replace(run / "project" / name, str(text))
    first = next(iter(hosts.values()))
    plain = {name: value for name, value in secrets.items() if name not in {FILES, ENVIRONMENT, MASKED}}
    inventory = {
        "all": {
            "vars": {"ansible_connection": "patchmon.fleet.agent"},
            "hosts": {name: {"ansible_patchmon_host": uuids[one.host_id]} for name, one in hosts.items()},
        }
    }
    (run / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    (run / "variables.yml").write_text(bundle.variables_yaml(first.variables), encoding="utf-8")
    if plain:
        (run / "secrets.yml").write_text(bundle.variables_yaml(plain), encoding="utf-8")
    (run / "ansible.cfg").write_text(_configuration(run), encoding="utf-8")


def plan(run: Path, claimed: Claimed, batch: Sequence[str], secrets: Variables) -> None:
    """Write what the program that plays is to do for these hosts."""
    (run / "limit").write_text("\n".join(batch), encoding="utf-8")
    masked = [{k: v for k, v in secrets.items() if k not in {FILES, ENVIRONMENT, MASKED}}]
    masked += [secrets.get(ENVIRONMENT), secrets.get(MASKED)]  # type: ignore[list-item]
    body = {
        "arguments": _arguments(run, claimed),
        "grace_seconds": claimed.number("grace_seconds", 30),
        "secret_values": sorted({text for one in masked for text in bundle.secret_values(one)}),
    }
    (run / "plan.json").write_text(json.dumps(body), encoding="utf-8")


def command(run: Path) -> list[str]:
    """Return how the program that plays is started."""
    return [sys.executable, "-c", _START, json.dumps([str(Path(p).absolute()) for p in sys.path if p]), str(run)]


def environment(run: Path, ticket: str, secrets: Variables) -> dict[str, str]:
    """Return everything the program sees."""
    given = {str(name): str(value) for name, value in _mapping(secrets.get(ENVIRONMENT)).items()}
    return {
        **given,
        "ANSIBLE_CONFIG": str(run / "ansible.cfg"),
        "LC_ALL": "C.UTF-8",
        "PATCHMON_URL": f"unix://{run / 'door.sock'}",
        "PATCHMON_TOKEN": ticket,
        "PATCHMON_PERSIST": "0",
        "MAX_EVENT_RES": str(16 * 1024 * 1024),
    }


def _arguments(run: Path, claimed: Claimed) -> list[str]:
    options: dict[str, Any] = dict(claimed.options)
    words = ["--inventory", str(run / "inventory.yml"), "--limit", f"@{run / 'limit'}"]
    for name in ("variables", "secrets"):
        if (run / f"{name}.yml").exists():
            words += ["--extra-vars", f"@{run / name}.yml"]
    words += ["--check"] if claimed.check_mode else []
    words += ["--diff"] if options.get("diff") else []
    words += [f"--tags={','.join(options['tags'])}"] if options.get("tags") else []
    words += [f"--skip-tags={','.join(options['skip_tags'])}"] if options.get("skip_tags") else []
    words += [f"-{'v' * claimed.number('verbosity', 0)}"] if claimed.number("verbosity", 0) else []
    words += ["--forks", str(claimed.number("forks", 0) or 5)]
    return [*words, "--", claimed.playbook_file]


def _configuration(run: Path) -> str:
    found = find_spec("ansible_runner")
    callbacks = Path(str((found.submodule_search_locations or [""])[0] if found else "")) / "display_callback/callback"
    return f"""\
[defaults]
home = {run}/ansible
local_tmp = {run}/tmp
collections_path = {catalogue.root("collections")}
collections_scan_sys_path = false
interpreter_python = auto_silent
stdout_callback = awx_display
callback_plugins = {callbacks}
force_color = true
nocows = true
retry_files_enabled = false
deprecation_warnings = false
inject_facts_as_vars = true

[inventory]
enable_plugins = ansible.builtin.yaml
any_unparsed_is_failed = true
"""  # noqa: S108 (folders of ours, below a private one)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _replace(path: Path, encoded: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64decode(encoded))


hand_over = programs.hand_over
