"""Hosts, their credentials and groups, and what they say about themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from server.core.call import Actor
from server.core.secretbox import Secret
from server.hosts.patched import NOT_YET, Patched

Platform = Literal["linux", "freebsd", "windows"]
NAME_LENGTH: Final = 100  # of a host or a group
TEXT_LENGTH: Final = 255  # what is said of it in one line
PLATFORMS: Final[tuple[Platform, ...]] = ("linux", "freebsd", "windows")
ComplianceMode = Literal["disabled", "on-demand", "enabled"]
SECTIONS: Final = ("packages", "repos", "interfaces", "hostname", "docker", "compliance")


@dataclass(frozen=True, slots=True)
class AgentHost:
    """A host as it is known after its credentials were checked; ``api_key`` is the stored verifier.

    Attributes:
        packages_seal, repos_seal: see ``Seal``; empty when the next section must be looked at in full.
    """

    id: int
    uuid: str
    friendly_name: str
    hostname: str
    api_id: str
    api_key: str
    status: str
    expected_platform: str
    os_type: str
    auto_update: bool
    primary_interface: str | None
    docker_enabled: bool
    compliance_mode: ComplianceMode
    compliance_openscap_enabled: bool
    compliance_docker_bench_enabled: bool
    packages_hash: str
    repos_hash: str
    interfaces_hash: str
    hostname_hash: str
    docker_hash: str
    compliance_hash: str
    packages_seal: str
    repos_seal: str

    @property
    def compliance_enabled(self) -> bool:
        """Whether compliance runs at all, by itself or on demand."""
        return self.compliance_mode != "disabled"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.friendly_name or self.hostname or self.api_id

    @property
    def hashes(self) -> "Hashes":
        """The stored section hashes."""
        return Hashes(
            self.packages_hash, self.repos_hash, self.interfaces_hash,
            self.hostname_hash, self.docker_hash, self.compliance_hash,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentActor(Actor):
    """The actor of a request that a host made with its own credentials."""

    host: AgentHost | None = None


@dataclass(frozen=True, slots=True)
class Hashes:
    """The digest of each section, empty when unknown; the order is the order of asking."""

    packages: str = ""
    repos: str = ""
    interfaces: str = ""
    hostname: str = ""
    docker: str = ""
    compliance: str = ""

    def of(self, section: str) -> str:
        """Return the digest of one section."""
        return str(getattr(self, section))


@dataclass(frozen=True, slots=True)
class Seal:
    """An accepted section as bytes, with what was computed from it: the same bytes need no second look.

    Attributes:
        raw: digest of the section's bytes as they were sent.
        computed: the section hash the server computed from them.
        processed, updates, security: the counts of the answer (packages only).
    """

    raw: str
    computed: str
    processed: int = 0
    updates: int = 0
    security: int = 0

    def encode(self) -> str:
        """Return the text of the column."""
        return f"{self.raw}:{self.computed}:{self.processed}:{self.updates}:{self.security}"

    @classmethod
    def decode(cls, text: str) -> "Seal | None":
        """Return the stored seal; ``None`` when there is none."""
        if not text:
            return None
        raw, computed, *counts = text.split(":")
        return cls(raw, computed, *map(int, counts))


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system, as text for people."""

    name: str
    size: str
    mountpoint: str
    used: str = ""
    available: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an interface; ``netmask`` is ``/24`` style."""

    address: str
    family: str
    netmask: str = ""
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface; ``link_speed_mbit`` is -1 or ``None`` when unknown."""

    name: str
    type: str = ""
    mac_address: str = ""
    mtu: int | None = None
    status: str = ""
    link_speed_mbit: int | None = None
    duplex: str = ""
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a host says about itself; ``None`` always means: leave what is stored alone."""

    hostname: str | None = None
    machine_id: str | None = None
    ip: str | None = None
    os_type: str | None = None
    os_version: str | None = None
    architecture: str | None = None
    kernel_version: str | None = None
    installed_kernel_version: str | None = None
    selinux_status: str | None = None
    package_manager: str | None = None
    agent_version: str | None = None
    cpu_model: str | None = None
    cpu_cores: int | None = None
    ram_installed: float | None = None
    swap_size: float | None = None
    disk_details: tuple[Disk, ...] | None = None
    gateway_ip: str | None = None
    dns_servers: tuple[str, ...] | None = None
    network_interfaces: tuple[Interface, ...] | None = None
    system_uptime: str | None = None
    boot_time: datetime | None = None
    load_average: tuple[float, ...] | None = None
    needs_reboot: bool | None = None
    reboot_reason: str | None = None
    unfinished_packages: tuple[str, ...] | None = None
    #: Beside what every agent tells: cpu_sockets, cpu_mhz, ram_used and ram_free (GiB), vendor, product, serial.
    hardware: dict[str, str | float] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an accepted report leaves with the host beside its facts; ``None``: leave alone."""

    packages_hash: str | None = None
    repos_hash: str | None = None
    interfaces_hash: str | None = None
    hostname_hash: str | None = None
    packages_seal: str | None = None
    repos_seal: str | None = None
    full_report: bool = False


ActivityKind = Literal["ping", "full", "partial", "error"]


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of a host's history."""

    kind: ActivityKind
    sections_sent: tuple[str, ...] = ()
    sections_unchanged: tuple[str, ...] = ()
    payload_kb: float = 0.0
    server_ms: int = 0
    agent_ms: int = 0
    packages: int | None = None
    updates: int | None = None
    security_updates: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A host was heard of: what it said, and the line for its history."""

    host_id: int
    at: datetime
    activity: Activity
    facts: Facts = Facts()
    accepted: Accepted | None = None


@dataclass(frozen=True, slots=True)
class NewHost:
    """What is decided about a host before it exists; what is ``None`` is as in the fleet."""

    friendly_name: str
    group_ids: tuple[str, ...] = ()
    docker_enabled: bool = False
    compliance_enabled: bool | None = None
    expected_platform: Platform = "linux"
    machine_id: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A host's pair; the key exists in the clear only here and on the host."""

    host_id: int
    uuid: str
    friendly_name: str
    api_id: str
    api_key: Secret[str]
    groups: tuple["Group", ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A host group; ``id`` is its UUID."""

    id: str
    name: str
    description: str = ""
    color: str = "#3B82F6"


@dataclass(frozen=True, slots=True)
class LinkState:
    """Whether a host's agent is connected now, and how far a new host has come."""

    api_id: str
    host_id: str
    status: str
    connected: bool
    secure: bool
    last_disconnected_at: datetime | None
    last_update: datetime | None
    last_full_report_at: datetime | None

    @property
    def stage(self) -> str:
        """What the enrolment page shows."""
        if self.last_full_report_at is not None:
            return "done"
        if self.status == "active":
            return "receiving"
        return "connected" if self.connected else "waiting"


@dataclass(frozen=True, slots=True)
class LinkNote:
    """An agent connected or left."""

    host_id: int
    connected: bool
    at: datetime
    secure: bool = False


@dataclass(frozen=True, slots=True)
class HostHead:
    """The top of every page about one host."""

    key: int
    id: str
    name: str
    hostname: str
    api_id: str
    os: str
    ip: str
    status: str
    state_word: str
    state: str
    online: bool
    secure: bool
    needs_reboot: bool
    reboot_reason: str
    awaiting_report: bool
    last_seen_at: datetime | None
    last_report_at: datetime | None
    groups: list[str]
    notes: str
    agent_version: str
    executor_word: str
    packages_total: int
    repositories_total: int
    updates: int
    security: int
    group_rows: tuple[Group, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    machine_id: str = ""
    primary_interface: str | None = None
    uptime: str = ""
    boot_at: datetime | None = None
    os_type: str = ""
    auto_update: bool = True
    host_down_alerts_enabled: bool | None = None
    expected_platform: str = "linux"
    pending: bool = False
    pending_sent_at: datetime | None = None
    awaiting_run: str = ""
    patched: Patched = NOT_YET
    unfinished: tuple[str, ...] = ()
    reboot_exempt: bool = False
    patch_hold_patterns: Sequence[str] = ()
    has_docker: bool = False
    has_compliance: bool = False
    #: Addresses from which several agents use its credentials now; none when only one does.
    rivals: Sequence[str] = ()

    @property
    def url(self) -> str:
        """Where its pages begin."""
        return f"/hosts/{self.id}"


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the host's pages."""

    name: str
    title: str
    url: str
    active: bool
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person may do with the host.

    Attributes:
        confirm: the question asked before, empty for none.
        disabled: why it cannot be done now, empty when it can.
        more: it stands in the menu of further actions.
    """

    title: str
    method: str
    url: str
    kind: str
    confirm: str
    icon: str
    disabled: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class IntegrationReport:
    """What an agent says about the set-up of one integration; absent parts keep what was known."""

    integration: str
    enabled: bool
    status: str
    message: str
    components: dict[str, str] = field(default_factory=dict)
    scanner_info: dict[str, object] | None = None
    install_events: tuple[dict[str, str], ...] | None = None
