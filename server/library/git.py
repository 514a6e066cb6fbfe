"""Fetching one branch of a git repository with the git program, as little of it as possible, and nothing it could run.

Of an address only what ``rules`` accepted comes here; it is looked up once, and that is where git connects to. Helpers,
hooks, submodules, redirects, prompts and the machine's own configuration are switched off. Secrets travel in the
environment and in files of the folder, never in arguments.
"""

import base64
import ipaddress
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.core import fetch, programs
from server.core.loop import in_thread
from server.library import rules
from server.library.errors import BadProject
from server.library.tools import Say, collected

_SECONDS: Final = 300.0
#: What ssh says before git says that it could not read; a broken key is told before the refusal that follows from it.
_SSH_SAYS: Final = (
    ("error in libcrypto", "The private key cannot be read: paste it whole, with its first and its last line"),
    ("invalid format", "The private key cannot be read: paste it whole, with its first and its last line"),
    ("Permission denied", "The key is not accepted there: add its public half to the repository's deploy keys"),
    (
        "Host key verification failed",
        "The server's host key is not among the known hosts of the credential: check it, then put its line there",
    ),
    ("Connection refused", "Nobody answers at the repository's address"),
)
_OPTIONS: Final = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.symlinks=true", "http.followRedirects=false",
    "protocol.allow=never", "transfer.fsckObjects=true", "submodule.recurse=false", "credential.helper=",
    "http.lowSpeedLimit=1000", "http.lowSpeedTime=60", "advice.detachedHead=false", "safe.directory=*", "gc.auto=0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Where to fetch from, and with what: ``username`` and ``token``, or ``private_key`` and ``known_hosts``."""

    url: str
    branch: str
    secrets: Mapping[str, str]
    key: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """A commit and its files."""

    revision: str
    files: dict[str, bytes]


async def fetch_files(source: Source, say: Say) -> Fetched:
    """Return the files of the newest commit of a branch; raises ``BadProject`` with a sentence."""
    if programs.missing("git"):
        raise BadProject("git is not installed on this server")
    address = await _address(source.url)
    with (
        tempfile.TemporaryDirectory(prefix="patchmon-git-") as name,
        tempfile.TemporaryDirectory(prefix="patchmon-git-", dir=_memory()) as keys,
    ):
        folder = Path(name)
        environment = _environment(source, address, Path(keys))
        programs.hand_over(folder)
        programs.hand_over(Path(keys))
        say(f"Fetching {source.branch or 'the default branch'} of {source.url}")
        command = [
            "git", *_options(source.url), "clone", "--depth=1", "--single-branch", "--no-tags", "--template=",
            "--config=core.hooksPath=/dev/null", *(("--branch", source.branch) if source.branch else ()),
            "--", source.url, "checkout",
        ]  # fmt: skip
        done = await programs.run(command, cwd=folder, environment=environment, seconds=_SECONDS)
        say(_without(done.output, source.secrets, name).strip())
        if done.late:
            raise BadProject(f"The repository did not arrive within {_SECONDS:g} s")
        if done.code != 0:
            raise BadProject(_reason(_without(done.output, source.secrets, name)))
        asked = ["git", "-c", "safe.directory=*", "-C", "checkout", "log", "-1", "--format=%H"]
        head = await programs.run(asked, cwd=folder, environment=environment, seconds=30)
        files = await in_thread(collected, folder / "checkout")
    return Fetched(head.output.strip()[:40], files)


def _memory() -> str | None:
    """Return where temporary files touch no disk: a key may be among them."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (a folder of our own is made in it)


def _options(url: str) -> list[str]:
    options = [*_OPTIONS, f"protocol.{rules.scheme_of(url)}.allow=always"]
    return [word for option in options for word in ("-c", option)]


async def _address(url: str) -> str:
    """Look the host up, once; refuse where clouds hand out credentials."""
    host, port = rules.host_of(url)
    if rules.scheme_of(url) == "file":
        return ""
    try:
        found = await in_thread(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        fetch.demand(host, addresses, private=True, allowed=())
    except OSError as error:
        raise BadProject(f"{host} has no address") from error
    except (fetch.FetchRefused, fetch.FetchFailed) as error:
        raise BadProject(str(error)) from error
    return addresses[0]


def _environment(source: Source, address: str, folder: Path) -> dict[str, str]:
    host, port = rules.host_of(source.url)
    configured: dict[str, str] = {}
    given = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    if rules.scheme_of(source.url) == "file":
        # Whoever owns it: the operator opened this server's disk. Options on the command line do not reach that far.
        trusting = folder / "config"
        trusting.write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
        given["GIT_CONFIG_GLOBAL"] = str(trusting)
    if rules.scheme_of(source.url) == "ssh":
        given["GIT_SSH_COMMAND"] = _ssh(source, host, address, folder)
        given["GIT_SSH_VARIANT"] = "ssh"
    elif address:
        pinned = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address  # noqa: PLR2004 (IPv6)
        configured["http.curloptResolve"] = f"{host}:{port}:{pinned}"
        if source.secrets.get("token"):
            pair = f"{source.secrets.get('username') or 'git'}:{source.secrets['token']}"
            configured["http.extraHeader"] = f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
    given["GIT_CONFIG_COUNT"] = str(len(configured))
    for number, (name, value) in enumerate(configured.items()):
        given |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return given


def _ssh(source: Source, host: str, address: str, folder: Path) -> str:
    """Return how ssh is called: with this key only, and with known host keys where there are some."""
    known = folder / "known_hosts"
    known.write_text(source.secrets.get("known_hosts", ""), encoding="utf-8")
    strict = "yes" if source.secrets.get("known_hosts", "").strip() else "accept-new"
    options = ["-F", "/dev/null"]
    for option in (
        "BatchMode=yes",
        f"StrictHostKeyChecking={strict}",
        f"UserKnownHostsFile={known}",
        "GlobalKnownHostsFile=/dev/null",
        f"HostName={address}",
        f"HostKeyAlias={host}",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
        "ConnectTimeout=20",
        "IdentityAgent=none",
    ):
        options += ["-o", option]
    if source.key:
        place = folder / "key"
        place.touch(mode=0o600)
        place.write_text(source.secrets["private_key"].replace("\r\n", "\n").rstrip("\n") + "\n", encoding="utf-8")
        options += ["-i", str(place), "-o", "IdentitiesOnly=yes"]
    return " ".join(["ssh", *options])


def _without(text: str, secrets: Mapping[str, str], folder: str) -> str:
    for name in ("token", "private_key"):
        if len(secret := secrets.get(name, "")) > 3:  # noqa: PLR2004 (shorter ones would blacken every word)
            text = text.replace(secret, "********")
    return text.replace(f"{folder}/", "")


def _reason(output: str) -> str:
    for words, meaning in _SSH_SAYS:
        if words in output:
            return meaning
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:"))] or lines[-1:]
    return " ".join(line.removeprefix("fatal: ") for line in told)[:500] or "git could not fetch the repository"
