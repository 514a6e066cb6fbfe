"""Bar 11: the inventory of 10,000 hosts through the plugin, against a script that prints the same variables."""

import asyncio
import base64
import os
import shutil
import time
from pathlib import Path
from typing import Final

import aiohttp
import orjson

from benchmarks.equipment import BIN, ROOT, Bench, Stage
from benchmarks.outcome import Outcome, most, ranged

_HOSTS: Final = 10_000
_SCRIPT: Final = "#!/bin/sh\ncat {file}\n"
_FILL: Final = """
    with groups as (insert into host_groups (name) select 'group-' || n from generate_series(0, 19) n
                    returning id, name),
         made as (insert into hosts (friendly_name, hostname, api_id, api_key, status, ip, os_type, os_version,
                                     architecture, kernel_version, package_manager, agent_version, last_update)
                  select 'web-' || n, 'web-' || n || '.example.com', 'id-' || n, '', 'active',
                         '10.' || n / 65536 || '.' || n / 256 %% 256 || '.' || n %% 256, 'Debian', '12.' || n %% 9,
                         'x86_64', '6.1.0-' || n %% 30 || '-amd64', 'apt', '2.1.0', now()
                    from generate_series(1, %(hosts)s) n
                  returning id),
         joined as (insert into host_group_members (host_id, host_group_id)
                    select m.id, g.id from made m, groups g
                     where g.name in ('group-' || m.id %% 20, 'group-' || m.id %% 7) returning 1),
         tagged as (insert into host_tags (host_id, key, value) select id, 'rack', id %% 100 from made returning 1)
    insert into host_inventory (host_id, packages, updates, security_updates, updated_at)
    select id, 1500, id %% 50, id %% 7, now() from made
"""


async def measure(bench: Bench) -> list[Outcome]:
    names = Outcome(
        "11a", "10,000 hosts listed / by a script, start-up taken off", "×", most(0.4), most(0.2), arm_unit="s"
    )
    whole = Outcome("11b", "ansible-inventory --list / by a script", "×", most(1.0), most(0.2), arm_unit="s")
    floors: list[float] = []
    async with bench.stage() as stage:
        await stage.serve()
        await stage.world.db.execute(_FILL, hosts=_HOSTS)
        mine, its, empty = await _sources(stage)
        listing, everything = ["ansible", "all", "--list-hosts"], ["ansible-inventory", "--list"]
        await _timed(stage, mine, listing)
        for _ in range(bench.rounds):
            floor = await _timed(stage, empty, listing)
            floors.append(floor)
            a = await _timed(stage, mine, listing) - floor
            b = await _timed(stage, its, listing) - floor
            names.arm_a.append(a)
            names.arm_b.append(b)
            names.values.append(a / b)
            a, b = await _timed(stage, mine, everything), await _timed(stage, its, everything)
            whole.arm_a.append(a)
            whole.arm_b.append(b)
            whole.values.append(a / b)
    names.note = f"start-up without any host: {ranged(floors)} s; the script reads a file, the plugin asks the server"
    return [names, whole]


async def _sources(stage: Stage) -> tuple[Path, Path, Path]:
    """Return an inventory of the plugin, one of a script that prints the same, and one that is all but empty."""
    body = {"token_name": "bench", "metadata": {"integration_type": "api"}, "scopes": {"host": ["get"]}}
    token = (await stage.api.ask("POST", "/auto-enrollment/tokens", body))["token"]
    pair = f"{token['token_key']}:{token['token_secret']}"
    headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    async with aiohttp.ClientSession(headers=headers) as web, web.get(f"{stage.url}/api/v1/api/inventory") as answer:
        hosts = orjson.loads(await answer.read())["hosts"]
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in host["variables"]["patchmon_groups"]:
            groups.setdefault(group, []).append(host["name"])
    printed = {"_meta": {"hostvars": {host["name"]: host["variables"] for host in hosts}}}
    printed |= {"all": {"hosts": [host["name"] for host in hosts]}}  # type: ignore[dict-item]
    printed |= {group: {"hosts": members} for group, members in groups.items()}  # type: ignore[dict-item]
    file, script = stage.folder / "printed.json", stage.folder / "inventory.sh"
    file.write_bytes(orjson.dumps(printed))
    script.write_text(_SCRIPT.format(file=file))
    script.chmod(0o700)
    plugin, empty = stage.folder / "fleet.yml", stage.folder / "empty"
    plugin.write_text(
        f"plugin: patchmon.fleet.hosts\napi_url: {stage.url}\n"
        f"api_key: {token['token_key']}\napi_secret: {token['token_secret']}\n"
    )
    empty.write_text("one\n")
    return plugin, script, empty


async def _timed(stage: Stage, source: Path, command: list[str]) -> float:
    """Return the seconds that Ansible takes over a source."""
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(stage.folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        # Each arm its own plugin and no other, which would look at the source first.
        "ANSIBLE_INVENTORY_ENABLED": "script,auto,ini",
    }
    program = shutil.which(command[0], path=str(BIN)) or command[0]
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        "-i",
        str(source),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    took = time.perf_counter() - began
    if process.returncode or (source.name != "empty" and out.count(b"example.com") < _HOSTS):
        raise RuntimeError(errors.decode()[-2000:])
    return took
