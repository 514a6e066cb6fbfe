"""Bodies of check-ins and reports: strict and quick for the form agents write, patient with every other one."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from server.hosts.models import Address, Disk, Facts, Hashes, Interface
from server.intake.errors import BadReport
from server.intake.models import Parcel, ReportedInterface, Sealed
from server.packages.models import ReportedPackage, ReportedRepository

Value = TypeVar("Value")
_NOTHING: Final = msgspec.Raw(b"")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_NAME_MOST: Final = 200
_NAMES_MOST: Final = 50
_INT32: Final = 2**31 - 1


class HashesBody(msgspec.Struct, frozen=True, rename="camel"):
    """The agent's digests, as it sends them."""

    packages_hash: str = ""
    repos_hash: str = ""
    interfaces_hash: str = ""
    hostname_hash: str = ""
    docker_hash: str = ""
    compliance_hash: str = ""

    def hashes(self) -> Hashes:
        """Return them as the rooms know them."""
        return Hashes(
            self.packages_hash,
            self.repos_hash,
            self.interfaces_hash,
            self.hostname_hash,
            self.docker_hash,
            self.compliance_hash,
        )


class DiskBody(msgspec.Struct, frozen=True):
    """A file system, in the agents' form or the documented one."""

    name: str = ""
    size: str = ""
    mountpoint: str = ""
    device: str = ""
    mountPoint: str = ""  # noqa: N815 (both spellings are on the wire)
    used: str = ""
    available: str = ""

    def disk(self) -> Disk:
        """Return it in one form."""
        return Disk(self.name or self.device, self.size, self.mountpoint or self.mountPoint, self.used, self.available)


class AddressBody(msgspec.Struct, frozen=True):
    """An address of an interface."""

    address: str = ""
    family: str = ""
    netmask: str = ""
    gateway: str = ""


class InterfaceBody(msgspec.Struct, frozen=True, rename="camel"):
    """A network interface, in the agents' form or the documented one (``ip``, ``mac``)."""

    name: str = ""
    type: str = ""
    mac_address: str = ""
    mtu: int = 0
    status: str = ""
    link_speed: int = 0
    duplex: str = ""
    addresses: list[AddressBody] | None = None
    ip: str = ""
    mac: str = ""

    def interface(self) -> Interface:
        """Return it in one form."""
        addresses = [Address(one.address, one.family, one.netmask, one.gateway) for one in self.addresses or ()]
        if not addresses and self.ip:
            addresses = [Address(self.ip, "inet6" if ":" in self.ip else "inet")]
        return Interface(
            name=self.name,
            type=self.type,
            mac_address=self.mac_address or self.mac,
            mtu=self.mtu or None,
            status=self.status,
            link_speed_mbit=self.link_speed or None,
            duplex=self.duplex,
            addresses=tuple(addresses),
        )

    def hashed(self) -> dict[str, object]:
        """Return the part that the section hash is made of, as it came."""
        return {
            "name": self.name,
            "type": self.type,
            "macAddress": self.mac_address,
            "addresses": [msgspec.to_builtins(one) for one in self.addresses or ()],
        }


class Machine(msgspec.Struct, frozen=True, rename="camel"):
    """What agents of this product say of the machine beside what every agent says; memory in GiB."""

    cpu_sockets: int = 0
    cpu_mhz: float = 0.0
    ram_used: float | None = None
    ram_free: float | None = None
    hardware_vendor: str = ""
    hardware_product: str = ""
    hardware_serial: str = ""

    def hardware(self) -> dict[str, str | float] | None:
        """Return what is known of it, as it is stored."""
        told: dict[str, str | float | None] = {
            "cpu_sockets": _int32(self.cpu_sockets),
            "cpu_mhz": _int32(round(self.cpu_mhz)),
            "ram_used": self.ram_used,
            "ram_free": self.ram_free,
            "vendor": self.hardware_vendor[:_NAME_MOST] or None,
            "product": self.hardware_product[:_NAME_MOST] or None,
            "serial": self.hardware_serial[:_NAME_MOST] or None,
        }
        return {name: value for name, value in told.items() if value is not None} or None


class Metrics(Machine, frozen=True, rename="camel"):
    """What a check-in says about the machine."""

    cpu_cores: int = 0
    cpu_model: str = ""
    ram_installed: float = 0.0
    swap_size: float = 0.0
    disk_details: list[DiskBody] | None = None
    system_uptime: str = ""
    boot_time: str = ""
    load_average: list[float] | None = None
    needs_reboot: bool | None = None
    reboot_reason: str = ""
    unfinished_packages: list[str] | None = None


class Beat(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a check-in."""

    hashes: HashesBody = HashesBody()
    metrics: Metrics = Metrics()
    agent_version: str = ""
    agent_execution_ms: int = 0


class Reported(Machine, frozen=True, rename="camel"):
    """What a report says beside its long lists.

    ``execution_time`` is a number from agents and text in the documented form.
    """

    sections: list[str] | None = None
    hashes: HashesBody = HashesBody()
    os_type: str = ""
    os_version: str = ""
    hostname: str = ""
    ip: str = ""
    architecture: str = ""
    agent_version: str = ""
    machine_id: str = ""
    kernel_version: str = ""
    installed_kernel_version: str = ""
    selinux_status: str = ""
    system_uptime: str = ""
    boot_time: str = ""
    load_average: list[float] | None = None
    cpu_model: str = ""
    cpu_cores: int = 0
    ram_installed: float = 0.0
    swap_size: float = 0.0
    disk_details: list[DiskBody] | None = None
    gateway_ip: str = ""
    dns_servers: list[str] | None = None
    execution_time: float | str = 0.0
    needs_reboot: bool = False
    reboot_reason: str = ""
    unfinished_packages: list[str] | None = None
    package_manager: str = ""
    agent_execution_ms: int = 0


class Report(Reported, frozen=True, rename="camel"):
    """The body of a report; its lists stay bytes until somebody must look into them."""

    packages: msgspec.Raw = _NOTHING
    repositories: msgspec.Raw = _NOTHING
    network_interfaces: msgspec.Raw = _NOTHING


class WholeReport(Reported, frozen=True, rename="camel"):
    """The same body with its lists, for who wants to know what may stand in them."""

    packages: list[ReportedPackage] = []
    repositories: list[ReportedRepository] = []
    network_interfaces: list[InterfaceBody] = []


_NO_BEAT: Final = Beat()
_BEAT: Final = msgspec.json.Decoder(Beat)
_REPORT: Final = msgspec.json.Decoder(Report)
_PACKAGES: Final = msgspec.json.Decoder(list[ReportedPackage])
_REPOSITORIES: Final = msgspec.json.Decoder(list[ReportedRepository])
_INTERFACES: Final = msgspec.json.Decoder(list[InterfaceBody])
_FAILURES: Final = (msgspec.DecodeError, UnicodeDecodeError)
_STRUCTS: Final = (
    HashesBody,
    DiskBody,
    AddressBody,
    InterfaceBody,
    Metrics,
    Beat,
    Report,
    ReportedPackage,
    ReportedRepository,
)
#: Names are matched whatever their case, as both sides always did.
_NAMES: Final = {
    name.lower(): name for struct in _STRUCTS for name in struct.__struct_encode_fields__ if name != "mountPoint"
}


def beat(body: bytes) -> Beat | None:
    """Return a check-in; ``None`` for an empty body, the heartbeat of old agents and of the installer."""
    if not body.strip():
        return None
    found = _patiently(_BEAT.decode, body)
    # Nothing understood: perhaps it only spells its names differently.
    return _BEAT.decode(_tidy(body)) if found == _NO_BEAT else found


def check_in(body: bytes) -> tuple[Facts, Hashes, int] | None:
    """Return what a check-in says, the agent's digests and its collection time; ``None`` for a heartbeat."""
    told = beat(body)
    return None if told is None else (facts_of_beat(told), told.hashes.hashes(), _int32(told.agent_execution_ms) or 0)


def report(body: bytes) -> Report:
    """Return a report; its packages and repositories are only checked to be JSON."""
    found = _patiently(_REPORT.decode, body)
    if not bytes(found.packages) and not found.sections:
        # Without its one required part: perhaps it only spells its names differently.
        return _REPORT.decode(_tidy(body))
    return found


def facts_of_beat(told: Beat) -> Facts:
    """Return what a check-in says; everything absent or empty leaves what is stored alone."""
    metrics = told.metrics
    return Facts(
        agent_version=told.agent_version or None,
        cpu_model=metrics.cpu_model or None,
        cpu_cores=_int32(metrics.cpu_cores),
        ram_installed=metrics.ram_installed if metrics.ram_installed > 0 else None,
        swap_size=metrics.swap_size if metrics.swap_size > 0 else None,
        disk_details=_disks(metrics.disk_details),
        system_uptime=metrics.system_uptime or None,
        boot_time=_moment(metrics.boot_time),
        load_average=tuple(metrics.load_average) if metrics.load_average else None,
        needs_reboot=metrics.needs_reboot,
        reboot_reason=metrics.reboot_reason or None,
        unfinished_packages=_names(metrics.unfinished_packages),
        hardware=metrics.hardware(),
    )


def parcel(told: Report) -> Parcel:
    """Return a report as the rooms take it."""
    facts = Facts(
        hostname=told.hostname or None,
        machine_id=told.machine_id or None,
        ip=told.ip or None,
        os_type=told.os_type or None,
        os_version=told.os_version or None,
        architecture=told.architecture or None,
        kernel_version=told.kernel_version or None,
        installed_kernel_version=told.installed_kernel_version or None,
        selinux_status=told.selinux_status or None,
        package_manager=told.package_manager or None,
        agent_version=told.agent_version or None,
        cpu_model=told.cpu_model or None,
        cpu_cores=_int32(told.cpu_cores),
        ram_installed=told.ram_installed if told.ram_installed > 0 else None,
        swap_size=told.swap_size if told.swap_size >= 0 else None,
        disk_details=_disks(told.disk_details),
        gateway_ip=told.gateway_ip or None,
        dns_servers=tuple(told.dns_servers) if told.dns_servers else None,
        system_uptime=told.system_uptime or None,
        boot_time=_moment(told.boot_time),
        load_average=tuple(told.load_average) if told.load_average else None,
        needs_reboot=told.needs_reboot,
        reboot_reason=told.reboot_reason or None,
        unfinished_packages=_names(told.unfinished_packages),
        hardware=told.hardware(),
    )
    return Parcel(
        sections=None if told.sections is None else tuple(told.sections),
        hashes=told.hashes.hashes(),
        facts=facts,
        packages=_list(told.packages, _PACKAGES.decode),
        repositories=_list(told.repositories, _REPOSITORIES.decode),
        interfaces=_list(told.network_interfaces, _interfaces),
        hostname=told.hostname,
        agent_ms=_int32(told.agent_execution_ms) or 0,
    )


def _list(raw: msgspec.Raw, decode: Callable[[bytes], list[Value]]) -> Sealed[Value]:
    found = bytes(raw)
    if found in {b"", b"null"}:
        found = b"[]"
    return Sealed(found, lambda: _patiently(decode, found))


def _interfaces(raw: bytes) -> list[ReportedInterface]:
    return [ReportedInterface(one.interface(), one.hashed()) for one in _INTERFACES.decode(raw)]


def _disks(told: list[DiskBody] | None) -> tuple[Disk, ...] | None:
    return tuple(one.disk() for one in told) if told else None


def _names(told: list[str] | None) -> tuple[str, ...] | None:
    """Return names that fit; an empty list says that there are none, an absent one says nothing."""
    return None if told is None else tuple(one[:_NAME_MOST] for one in told[:_NAMES_MOST])


def _patiently(decode: Callable[[bytes], Value], body: bytes) -> Value:
    try:
        return decode(body)
    except _FAILURES:
        tidied = _tidy(body)
    try:
        return decode(tidied)
    except _FAILURES as error:
        raise BadReport from error


def _tidy(body: bytes) -> bytes:
    """Return the first JSON value of a body in the form the decoders take.

    Broken text becomes U+FFFD, nulls mean absent, names get their usual case, and whatever follows the value is
    ignored.
    """
    try:
        text = body.decode(errors="replace").lstrip("\ufeff \t\r\n")
        value, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
        return msgspec.json.encode(_tidied(value))
    except (ValueError, RecursionError) as error:
        raise BadReport from error


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _tidied(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_named(name): _tidied(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_tidied(inner) for inner in value if inner is not None]
    return value


def _named(name: str) -> str:
    usual = _NAMES.get(name.lower())
    return usual if usual is not None and name != "mountPoint" else _SURROGATES.sub("\ufffd", name)


def _moment(text: str) -> datetime | None:
    """Return a time as agents write it; ``None`` for none, nonsense, or the zero time of an unset clock."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year > 1980 else None  # noqa: PLR2004 (before any such machine)


def _int32(number: int) -> int | None:
    """Return a number that fits a column; ``None`` for zero and nonsense."""
    return number if 0 < number <= _INT32 else None
