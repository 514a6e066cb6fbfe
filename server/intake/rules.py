"""Pure decisions about reports: what they claim, what of it counts, and whether anything must be looked at."""

from dataclasses import replace

from agent.protocol import hashes as section_hashes
from server.hosts.models import Facts, Interface, Seal
from server.intake.errors import (
    BadInterfaces,
    BadReport,
    ClaimedPackagesEmpty,
    HashMismatch,
    NoKnownSection,
    PackagesNeeded,
    UnclaimedPackages,
    UnclaimedRepositories,
)
from server.intake.models import CLAIMABLE, Claims, Item, Parcel, Sealed


def claims_of(parcel: Parcel) -> Claims:
    """Return what a report delivers; refuses contradictions in the order agents have always met them."""
    if parcel.sections is None:
        if parcel.packages.is_empty:
            raise PackagesNeeded
        return Claims(full=True, sections=frozenset(CLAIMABLE))
    claimed = {name for name in parcel.sections if name in CLAIMABLE}
    if not claimed:
        raise NoKnownSection
    if "packages" in claimed and parcel.packages.is_empty:
        raise ClaimedPackagesEmpty
    if "packages" not in claimed and not parcel.packages.is_empty:
        raise UnclaimedPackages
    if "repos" not in claimed and not parcel.repositories.is_empty:
        raise UnclaimedRepositories
    if not parcel.hostname.strip():
        claimed.discard("hostname")
    return Claims(full=False, sections=frozenset(claimed))


def unchanged(stored: str, section: str, told: str, sealed: Sealed[Item]) -> Seal | None:
    """Return the stored seal when these very bytes were accepted before; ``None`` when they must be looked at.

    Raises ``HashMismatch`` when the bytes are known and the agent's hash is not theirs.
    """
    seal = Seal.decode(stored)
    if seal is None or not seal.computed or seal.raw != sealed.digest:
        return None
    demand(section, told, seal.computed)
    return seal


def demand(section: str, told: str, computed: str) -> None:
    """Refuse a section that is not what the agent's hash was made of; an agent without a hash is believed."""
    if told and told != computed:
        raise HashMismatch(section=section)


def demand_small_sections(parcel: Parcel, claims: Claims) -> tuple[Interface, ...]:
    """Check the interfaces and the name against their hashes; return the interfaces."""
    try:
        reported = parcel.interfaces.open() if claims.has("interfaces") else []
    except BadReport as error:
        raise BadInterfaces from error
    if claims.has("interfaces") and parcel.hashes.interfaces:
        demand("interfaces", parcel.hashes.interfaces, section_hashes.interfaces_hash([one.hashed for one in reported]))
    if claims.has("hostname") and parcel.hashes.hostname:
        demand("hostname", parcel.hashes.hostname, section_hashes.hostname_hash(parcel.hostname))
    return tuple(one.interface for one in reported)


def facts_delivered(facts: Facts, claims: Claims) -> Facts:
    """Return the facts that count: a partial report speaks for the sections it claims and for what it always says."""
    if claims.full:
        return facts
    kept = Facts(
        os_type=facts.os_type,
        os_version=facts.os_version,
        architecture=facts.architecture,
        agent_version=facts.agent_version,
        machine_id=facts.machine_id,
        # A partial report carries zeros for what it does not measure.
        kernel_version=facts.kernel_version,
        installed_kernel_version=facts.installed_kernel_version,
        selinux_status=facts.selinux_status,
        system_uptime=facts.system_uptime,
        boot_time=facts.boot_time,
        load_average=facts.load_average,
        cpu_model=facts.cpu_model,
        cpu_cores=facts.cpu_cores,
        ram_installed=facts.ram_installed,
        swap_size=facts.swap_size or None,
        disk_details=facts.disk_details,
        hardware=facts.hardware,
    )
    if claims.has("hostname"):
        kept = replace(kept, hostname=facts.hostname)
    if claims.has("interfaces"):
        kept = replace(kept, ip=facts.ip, gateway_ip=facts.gateway_ip, dns_servers=facts.dns_servers)
    if claims.has("packages"):
        kept = replace(kept, package_manager=facts.package_manager)
    return kept
