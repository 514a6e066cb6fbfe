"""The environment of a play: a short list, whatever the agent's own environment holds."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
#: sockaddr_un holds 108 bytes, the last one being zero.
SOCKET_PATH_BYTES = 107


def agent_environment() -> Mapping[str, str]:
    """Return what the agent itself was started with; only ``base_environment`` may look at it."""
    return os.environ  # noqa: TID251 (read here only to be thrown away)


def base_environment(source: Mapping[str, str]) -> Dict[str, str]:
    """Return what every program may see of the environment the agent has."""
    kept = {name: value for name, value in source.items() if name.lower() in _PROXIES}
    return {
        "PATH": source.get("PATH", "") or _PATH,
        "HOME": source.get("HOME", "") or _home(),
        "TMPDIR": source.get("TMPDIR", "") or "/tmp",  # noqa: S108 (the system's, as the standard names it)
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        **kept,
    }


def play_environment(source: Mapping[str, str], job: str, run: Path, agent: Sequence[str] = ()) -> Dict[str, str]:
    """Return the whole environment of a play; everything else Ansible needs stands in its configuration file."""
    environment = {
        **base_environment(source),
        "PATCHMON_JOB": job,
        "PATCHMON_RESULT_DIR": str(run / "results"),
        "PATCHMON_REBOOT_REQUEST": str(run / "reboot.json"),
        "ANSIBLE_CONFIG": str(run / "ansible.cfg"),
        # Where ansible-runner's callback puts events and its reader looks for them.
        "AWX_ISOLATED_DATA_DIR": str(run / "artifacts" / "1"),
        # Larger results become an empty object there; the spool cuts and says so.
        "MAX_EVENT_RES": str(16 * 1024 * 1024),
    }
    if agent:
        environment["PATCHMON_AGENT"] = json.dumps(agent)
    if len(os.fsencode(live_socket(run))) <= SOCKET_PATH_BYTES:
        environment["PATCHMON_LIVE_SOCKET"] = str(live_socket(run))
    return environment


def live_socket(run: Path) -> Path:
    """Return where modules send the lines they print."""
    return run / "live.sock"


def collections_folder() -> Path:
    """Return the folder that holds ``ansible_collections``: beside this package, or the source tree's."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "ansible_collections").is_dir() else root / "collections"


def callback_folder() -> Path:
    """Return ansible-runner's callback folder without importing ansible-runner."""
    found = importlib.util.find_spec("ansible_runner")
    places: List[str] = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise ModuleNotFoundError("ansible_runner")
    return Path(places[0]) / "display_callback" / "callback"


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
