"""Pure decisions about hosts: what a check-in must deliver, which state a host is in, which address counts."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from server.hosts.errors import BadArchitecture, BadSystem
from server.hosts.models import PLATFORMS, AgentHost, Hashes, HostHead, Interface, Platform

ARCHITECTURES: Final[dict[Platform, tuple[str, ...]]] = {
    "linux": ("386", "amd64", "arm", "arm64"),
    "freebsd": ("386", "amd64", "arm", "arm64"),
    "windows": ("amd64", "arm64"),
}
#: A host that was silent for longer than this many of its intervals is inactive.
INACTIVE_INTERVALS: Final = 3
#: What a status looks like.
STATUS_COLOURS: Final = {"pending": "neutral", "active": "good", "inactive": "attention", "error": "bad"}
_TAG_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_TAG_VALUE_MOST: Final = 200
#: Smaller fleets do with any pool.
_SMALL_FLEET: Final = 50
#: Links are looked at every half a minute; a second agent that was not seen for so long has gone.
_RIVALS_LAST: Final = timedelta(minutes=10)
_ONE_OF_MANY: Final = re.compile(r"\b(1 (?:day|hour|minute|second))s\b")


def stale_sections(host: AgentHost, told: Hashes) -> tuple[str, ...]:
    """Return the sections the server wants in full, in the order of the contract.

    A section is stale when either side knows no digest of it or the two differ; switched-off integrations never are.
    """
    wanted = ["packages", "repos", "interfaces", "hostname"]
    if host.docker_enabled:
        wanted.append("docker")
    if host.compliance_enabled:
        wanted.append("compliance")
    stored = host.hashes
    return tuple(name for name in wanted if not stored.of(name) or stored.of(name) != told.of(name))


def enabled_sections(host: AgentHost) -> tuple[str, ...]:
    """Return the sections this host has at all."""
    optional = (("docker", host.docker_enabled), ("compliance", host.compliance_enabled))
    return ("packages", "repos", "interfaces", "hostname", *(name for name, on in optional if on))


def reported_ip(primary: str | None, interfaces: Iterable[Interface], told: str) -> str:
    """Return the address a report gives a host: the first inet address of its chosen interface, else what it says."""
    for interface in interfaces:
        if primary and interface.name == primary:
            for address in interface.addresses:
                if address.family == "inet" and address.address:
                    return address.address
    return told


def state_of(
    status: str, last_seen_at: datetime | None, now: datetime, interval_minutes: int, *, online: bool
) -> tuple[str, str]:
    """Return the word for a host's state and its colour (good, attention, bad, neutral)."""
    if online:
        return ("Connected", "good") if status == "active" else ("Connecting", "neutral")
    if status == "pending" or last_seen_at is None:
        return "Pending", "neutral"
    if now - last_seen_at > timedelta(minutes=INACTIVE_INTERVALS * interval_minutes):
        return "Inactive", "bad"
    return "Offline", "attention"


def silence(interval_minutes: int) -> timedelta:
    """Return how long a host may be silent before it is inactive."""
    return timedelta(minutes=INACTIVE_INTERVALS * interval_minutes)


def status_of(stored: str, last_update: datetime | None, inactive_before: datetime, *, failed: bool) -> str:
    """Return a host's status: pending, active, inactive or error; queries say the same as ``STATUS``."""
    if failed:
        return "error"
    if stored == "pending":
        return "pending"
    return "inactive" if last_update is not None and last_update < inactive_before else "active"


def tag_of(text: str) -> tuple[str, str] | None:
    """Return the key and the value of a tag written ``key`` or ``key=value``; ``None`` if it is none."""
    key, _, value = (part.strip() for part in text.partition("="))
    printable = all(letter.isprintable() for letter in value)
    return (key, value) if _TAG_KEY.fullmatch(key) and printable and len(value) <= _TAG_VALUE_MOST else None


def is_online(connected_at: datetime | None, disconnected_at: datetime | None) -> bool:
    """Tell whether the last that was heard of a host's link is that it opened."""
    return connected_at is not None and (disconnected_at is None or connected_at > disconnected_at)


def rivals_now(addresses: Sequence[str], seen_at: datetime | None, now: datetime) -> tuple[str, ...]:
    """Return from where several agents use one host's credentials, each address once; nothing when that is over."""
    over = seen_at is None or now - seen_at > _RIVALS_LAST
    return () if over else tuple(dict.fromkeys(one for one in addresses if one))


def plain_uptime(text: str) -> str:
    """Return the uptime as agents write it, with one of a unit in the singular: ``1 hours`` is ``1 hour``."""
    return _ONE_OF_MANY.sub(r"\1", text)


def executor_word(hello: dict[str, object] | None, agent_version: str) -> str:
    """Return in words how playbooks run on a host."""
    executors = hello.get("executors") if hello else None
    if isinstance(executors, list) and "on_host" in executors:
        return "on the host"
    if isinstance(executors, list) and executors:
        return "through the server (its Python is older than 3.11)"
    return "not by this agent" if agent_version else "not known yet"


def system_of(asked: str, expected_platform: str, os_type: str) -> Platform:
    """Return the operating system an agent file is for: as asked, else as expected, else as reported, else Linux."""
    if asked:
        for platform in PLATFORMS:
            if asked == platform:
                return platform
        raise BadSystem
    for source in (expected_platform, os_type):
        for platform in PLATFORMS:
            if platform in source.lower():
                return platform
    return "linux"


def architecture_of(asked: str, system: Platform) -> str:
    """Return the asked architecture when agents exist for it; amd64 when none was asked."""
    known = ARCHITECTURES[system]
    if asked and asked not in known:
        raise BadArchitecture(system=system, architectures=", ".join(known))
    return asked or "amd64"


def version_key(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """Return a key that orders versions: numbers, pre-releases below their release; build metadata is ignored."""
    plain = version.strip().removeprefix("v").split("+", 1)[0]
    numbers, _, pre = plain.partition("-")
    release = tuple(int(part) if part.isdecimal() else 0 for part in numbers.split("."))
    # Numeric identifiers rank below words, and by value.
    words = (
        tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in pre.split("."))
        if pre
        else ()
    )
    return (*release, 0, 0, 0)[:4], not pre, words


def install_command(
    server_url: str, system: Platform, api_id: str, api_key: str, *, insecure: bool = False, force: bool = False
) -> str:
    """Return the line a person pastes into a shell of the host; ``force`` bypasses what is broken on a Unix host."""
    url = f"{server_url}/api/v1/hosts/install"
    if system == "windows":
        return windows_command(server_url, api_id, api_key, insecure=insecure)
    flags = "-sk" if insecure else "-s"
    headers = f'-H "X-API-ID: {api_id}" -H "X-API-KEY: {api_key}"'
    asked = "&".join([*(["os=freebsd"] if system == "freebsd" else []), *(["force=true"] if force else [])])
    shell = "sh" if system == "freebsd" else "sudo sh"
    return f'curl {flags} "{url}{"?" if asked else ""}{asked}" {headers} | {shell}{" -s -- --force" if force else ""}'


def windows_command(
    server_url: str, api_id: str, api_key: str, *, insecure: bool = False, with_curl: bool = False
) -> str:
    """Return the line for an elevated PowerShell; ``with_curl`` where its own client cannot reach the server."""
    url, file = f"{server_url}/api/v1/hosts/install?os=windows", '"$env:TEMP\\patchmon-install.ps1"'
    if with_curl:
        flags = "-sk" if insecure else "-s"
        fetch = f'curl.exe {flags} -H "X-API-ID: {api_id}" -H "X-API-KEY: {api_key}" -o {file} "{url}"'
        return f"{fetch}; & {file}"
    headers = f'@{{"X-API-ID"="{api_id}"; "X-API-KEY"="{api_key}"}}'
    point = "[Net.ServicePointManager]"
    modern = f"{point}::SecurityProtocol = [Net.SecurityProtocolType]::Tls12; "
    bypass = f"{modern}{point}::ServerCertificateValidationCallback = {{$true}}; " if insecure else ""
    fetched = f'(Invoke-WebRequest -Uri "{url}" -Headers {headers} -UseBasicParsing).Content'
    return f"{bypass}{fetched} | Out-File -Encoding utf8 {file}; & {file}"


def advised_pool(hosts: int) -> int:
    """Return how many database connections a process should have for so many hosts; 0: whatever it has will do."""
    if hosts <= _SMALL_FLEET:
        return 0
    return -(-hosts * 3 // 20) * 10


def shows_docker(host: HostHead) -> bool:
    """Tell whether a host's pages speak of containers: once it reported them, and never on Windows."""
    return host.has_docker and not is_windows(host)


def is_windows(host: HostHead) -> bool:
    """Tell whether a host runs Windows, or is meant to."""
    return "windows" in (host.os_type + host.expected_platform).lower()


def first_mode(default: str, *, asked: bool | None) -> str:
    """Return how compliance begins on a new host: off where that was said, else as the fleet does, and on if asked."""
    if asked is False:
        return "disabled"
    return "on-demand" if asked and default == "disabled" else default
