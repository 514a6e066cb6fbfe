"""Taking in check-ins and reports: one transaction, each section to the room that owns it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from server.core.bus import announce
from server.core.call import Call
from server.core.db import retried
from server.core.errors import Problem
from server.hosts import service as hosts
from server.hosts.events import HostReported
from server.hosts.models import Accepted, Activity, ActivityKind, AgentHost, CheckIn, Facts, Hashes, Interface, Seal
from server.hosts.service import CheckIns
from server.intake import rules
from server.intake.errors import TooManyPackages
from server.intake.models import MOST_PACKAGES, Claims, Delivery, Parcel, PingAnswer, Receipt
from server.packages import service as packages
from server.packages.models import ReportedRepository
from server.packages.service import Inventory


@asynccontextmanager
async def noting_refusals(call: Call, host: AgentHost, delivery: Delivery) -> AsyncIterator[None]:
    """Leave a line in the host's history for everything that is refused to it."""
    try:
        yield
    except Problem as problem:
        activity = Activity("error", payload_kb=delivery.size_kb, server_ms=_elapsed_ms(delivery), error=str(problem))
        await hosts.note_refusal(call, host, activity)
        raise


async def ping(
    call: Call, check_ins: CheckIns, host: AgentHost, told: tuple[Facts, Hashes, int] | None, delivery: Delivery
) -> PingAnswer:
    """Note that a host is alive, with what it says if anything, and answer which sections it must send in full."""
    wanted = hosts.stale_sections(host, told[1]) if told is not None else None
    unchanged = tuple(name for name in hosts.enabled_sections(host) if wanted is not None and name not in wanted)
    activity = Activity(
        "ping",
        sections_sent=("metrics",) if told is not None else (),
        sections_unchanged=unchanged,
        payload_kb=delivery.size_kb,
        server_ms=_elapsed_ms(delivery),
        agent_ms=told[2] if told is not None else 0,
    )
    facts = told[0] if told is not None else Facts()
    await check_ins.note(CheckIn(host.id, call.now, activity, facts))
    return PingAnswer(host.name, host.docker_enabled, host.compliance_enabled, wanted)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A report after its checks: ``None`` lists need not be stored, seals say what will be known of them afterwards."""

    claims: Claims
    packages: Inventory | None
    repositories: list[ReportedRepository] | None
    packages_seal: Seal | None
    repos_seal: Seal | None
    interfaces: tuple[Interface, ...]

    @property
    def changed(self) -> bool:
        return self.packages is not None or self.repositories is not None


async def accept(call: Call, check_ins: CheckIns, host: AgentHost, parcel: Parcel, delivery: Delivery) -> Receipt:
    """Check a report and store what differs.

    A report whose lists are byte for byte those that were accepted last is stored like a check-in: nothing is
    compared, the
    host's own row is all that changes.
    """
    opened = _open(host, parcel)
    check_in = _check_in(call, host, parcel, opened, delivery)
    if opened.changed:
        return await retried(lambda: _store(call, host, opened, check_in))
    await check_ins.note(check_in)
    return _receipt(opened.packages_seal)


def _open(host: AgentHost, parcel: Parcel) -> _Opened:
    claims = rules.claims_of(parcel)
    known_packages = known_repos = None
    # A full report without repositories says nothing about them; a partial one that claims them clears them.
    with_repos = claims.has("repos") and not (claims.full and parcel.repositories.is_empty)
    if claims.has("packages"):
        known_packages = rules.unchanged(host.packages_seal, "packages", parcel.hashes.packages, parcel.packages)
    if with_repos:
        known_repos = rules.unchanged(host.repos_seal, "repos", parcel.hashes.repos, parcel.repositories)
    repositories, repos_seal = None, known_repos
    if with_repos and known_repos is None:
        repositories, repos_seal = _open_repositories(parcel)
    listed, packages_seal = None, known_packages
    # Other repositories can change where unchanged packages come from.
    if claims.has("packages") and (known_packages is None or repositories is not None):
        listed, packages_seal = _open_packages(parcel)
    interfaces = rules.demand_small_sections(parcel, claims)
    return _Opened(claims, listed, repositories, packages_seal, repos_seal, interfaces)


def _open_packages(parcel: Parcel) -> tuple[Inventory, Seal]:
    listed = parcel.packages.open()
    if len(listed) > MOST_PACKAGES:
        raise TooManyPackages
    inventory = Inventory(listed)
    computed = inventory.section_hash() if parcel.hashes.packages else ""
    rules.demand("packages", parcel.hashes.packages, computed)
    # The counts of the answer are taken over the list as it was received.
    updates = sum(one.needs_update for one in listed)
    security = sum(one.is_security_update for one in listed)
    return inventory, Seal(parcel.packages.digest, computed, len(listed), updates, security)


def _open_repositories(parcel: Parcel) -> tuple[list[ReportedRepository], Seal]:
    listed = parcel.repositories.open()
    computed = packages.repositories_hash(listed) if parcel.hashes.repos else ""
    rules.demand("repos", parcel.hashes.repos, computed)
    return listed, Seal(parcel.repositories.digest, computed)


def _check_in(call: Call, host: AgentHost, parcel: Parcel, opened: _Opened, delivery: Delivery) -> CheckIn:
    claims, told = opened.claims, parcel.hashes
    facts = rules.facts_delivered(parcel.facts, claims)
    if opened.interfaces:
        facts = replace(facts, network_interfaces=opened.interfaces)
    if claims.has("interfaces"):
        facts = replace(facts, ip=hosts.reported_ip(host.primary_interface, opened.interfaces, facts.ip or "") or None)
    kind: ActivityKind = "full" if claims.full else "partial"
    seal = opened.packages_seal
    activity = Activity(
        kind,
        sections_sent=tuple(sorted(claims.sections)),
        sections_unchanged=tuple(name for name in hosts.enabled_sections(host) if name not in claims.sections),
        payload_kb=delivery.size_kb,
        server_ms=_elapsed_ms(delivery),
        agent_ms=parcel.agent_ms,
        packages=seal.processed if seal else None,
        updates=seal.updates if seal else None,
        security_updates=seal.security if seal else None,
    )
    accepted = Accepted(
        packages_hash=(told.packages or None) if claims.has("packages") else None,
        repos_hash=(told.repos or None) if claims.has("repos") else None,
        interfaces_hash=(told.interfaces or None) if claims.has("interfaces") else None,
        hostname_hash=(told.hostname or None) if claims.has("hostname") else None,
        full_report=claims.full,
    )
    return CheckIn(host.id, call.now, activity, facts, accepted)


async def _store(call: Call, host: AgentHost, opened: _Opened, check_in: CheckIn) -> Receipt:
    seal = opened.packages_seal
    async with call.transaction(long=True) as tx:
        counts = await packages.store_inventory(tx, call, host.id, opened.packages, opened.repositories)
        if seal is not None and counts is not None:
            seal = replace(seal, processed=counts.packages)
        await hosts.note_report(tx, replace(check_in, accepted=_sealed(check_in, opened, seal)))
        changed = [name for name in ("packages", "repos") if getattr(opened, _FIELDS[name]) is not None]
        tx.after_commit(announce(HostReported(host.id, tuple(changed))))
    return _receipt(seal)


_FIELDS = {"packages": "packages", "repos": "repositories"}


def _sealed(check_in: CheckIn, opened: _Opened, seal: Seal | None) -> Accepted | None:
    if check_in.accepted is None:
        return None
    packages_seal = None if seal is None or opened.packages is None else seal.encode()
    if packages_seal is None and opened.repositories is not None:
        # The packages were resolved with other repositories: the next list of them must be looked at again.
        packages_seal = ""
    repos_seal = None if opened.repositories is None or opened.repos_seal is None else opened.repos_seal.encode()
    return replace(check_in.accepted, packages_seal=packages_seal, repos_seal=repos_seal)


def _receipt(seal: Seal | None) -> Receipt:
    return Receipt(seal.processed, seal.updates, seal.security) if seal is not None else Receipt(0, 0, 0)


def _elapsed_ms(delivery: Delivery) -> int:
    return round((time.monotonic() - delivery.began_seconds) * 1000)
