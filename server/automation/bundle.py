"""What is pushed to a host: the project's bytes, and the spec with values as data and secrets apart. Pure."""

import re
from typing import Any, Final

import orjson
import yaml

from agent.protocol.archive import digest
from agent.protocol.messages import Content
from server.automation.models import ENVIRONMENT, FILES, MASKED, Claimed, Json, Variables

#: Caps of one job on one host: past them the run goes on and says so once.
MAX_EVENTS: Final = 100_000
MAX_BYTES: Final = 64 * 1024**2
#: Below it each project that lends a playbook has a folder of its own: roles, variables and plugins of one are never
#: found by the playbooks of another, nor by the job's own.
AROUND: Final = "around"

_PLAIN_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")
_SHORTEST_MASKED: Final = 3
#: Of numbers more: 100 stands everywhere, a PIN has four digits.
_SHORTEST_NUMBER: Final = 4


class _Unsafe(str):
    """Text that Ansible must not take for a template."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes every value as data: no anchors, no folding, keys in order."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the library's signature)
        """Write repeated values in full; an alias is one more thing a reader must get right."""
        return True


def _write_unsafe(dumper: yaml.SafeDumper, value: _Unsafe) -> yaml.ScalarNode:
    return dumper.represent_scalar("!unsafe", str(value), style='"')


_Dumper.add_representer(_Unsafe, _write_unsafe)


def as_data(value: Json) -> Any:
    """Mark every text at any depth as unsafe, keys included."""
    if isinstance(value, str):
        return _Unsafe(value)
    if isinstance(value, list):
        return [as_data(item) for item in value]
    if isinstance(value, dict):
        return {_Unsafe(key): as_data(item) for key, item in value.items()}
    return value


def variables_yaml(variables: Variables) -> str:
    """Return a variables file: names as they are (they were checked), everything below as data."""
    if not variables:
        return "{}\n"
    body = {name: as_data(value) for name, value in variables.items()}
    return yaml.dump(body, Dumper=_Dumper, allow_unicode=False, width=2**20, default_flow_style=False, sort_keys=True)


def inventory_name(friendly_name: str) -> str:
    """Return the host's name in its inventory; brackets and the like would be read as patterns."""
    return _PLAIN_NAME.sub("_", friendly_name) or "host"


def inventory_yaml(friendly_name: str) -> str:
    """Return the inventory of exactly one host; the supervisor adds connection and interpreter."""
    name = inventory_name(friendly_name)
    body = {"all": {"hosts": {name: {"ansible_connection": "local", "patchmon_host_name": _Unsafe(friendly_name)}}}}
    return yaml.dump(body, Dumper=_Dumper, allow_unicode=False, width=2**20, default_flow_style=False)


def secret_values(value: Json) -> set[str]:
    """Return every text that must be masked on the host, also as it looks inside JSON."""
    if isinstance(value, str):
        if len(value) < _SHORTEST_MASKED:
            return set()
        return {value, orjson.dumps(value).decode()[1:-1]}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {text} if len(text := repr(value)) >= _SHORTEST_NUMBER else set()
    if isinstance(value, list):
        return {text for item in value for text in secret_values(item)}
    if isinstance(value, dict):
        return {text for item in value.values() for text in secret_values(item)}
    return set()


def needs_sealed_parts(secrets: Variables) -> bool:
    """Tell whether more than variables is secret: an older agent would run the play without it."""
    return bool(secrets.get(FILES) or secrets.get(ENVIRONMENT))


def spec(claimed: Claimed, secrets: Variables) -> bytes:
    """Return the spec part: the same job host gives the same bytes, so a broken transfer resumes on any server."""
    options = claimed.options
    variables = {name: value for name, value in secrets.items() if name not in _APART}
    apart = {name: secrets[name] for name in (FILES, ENVIRONMENT) if secrets.get(name)}
    masked = [variables, secrets.get(ENVIRONMENT), secrets.get(MASKED)]
    body = {
        "job": claimed.uuid,
        "playbook": claimed.playbook_file,
        "host": inventory_name(claimed.host_name),
        "inventory": inventory_yaml(claimed.host_name),
        "variables": variables_yaml(claimed.variables),
        "secrets": variables_yaml(variables) if variables else "",
        **{name.removeprefix("patchmon_"): value for name, value in apart.items()},
        "check": claimed.check_mode,
        "diff": bool(options.get("diff", False)),
        "tags": options.get("tags") or [],
        "skip_tags": options.get("skip_tags") or [],
        "verbosity": options.get("verbosity", 0),
        "timeout_seconds": options.get("timeout_seconds", 3600),
        "caps": {"events": MAX_EVENTS, "bytes": MAX_BYTES},
        "secret_values": sorted(secret_values(masked), key=lambda text: (-len(text), text)),
        "request_id": claimed.request_id,
        **({"stages": _stages(claimed)} if claimed.has_stages else {}),
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


#: What of the secrets is no variable.
_APART: Final = frozenset({FILES, ENVIRONMENT, MASKED})
#: Stages of our own; every other playbook around a job's own is somebody's hook.
_OWN_STAGES: Final = frozenset({"snapshot", "after_restart"})


def file_of(name: str) -> str:
    """Return where a playbook that surrounds another one lies in the job's project."""
    return f"{AROUND}/{name}.yml" if "/" in name else f"{name}.yml"


def _stages(claimed: Claimed) -> list[dict[str, str]]:
    """Return the playbooks of the job in their order; each lies in the project under its name."""
    around: dict[str, list[dict[str, str]]] = {}
    for option, word in (("before", "pre_playbook"), ("after", "post_playbook")):
        names = claimed.options.get(option)
        around[option] = [
            {"name": str(name) if name in _OWN_STAGES else word, "playbook": file_of(str(name))}
            for name in (names if isinstance(names, list) else [])
        ]
    return [*around["before"], {"name": "main", "playbook": claimed.playbook_file}, *around["after"]]


def content(data: bytes) -> Content:
    """Name bytes by what they are."""
    return Content(digest(data), len(data))
