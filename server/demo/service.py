"""Fills a database with a fleet that does not exist, and takes it out again."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from server.compliance.service import fold
from server.core.call import Call
from server.core.db import Tx
from server.core.words import counted
from server.demo import compliance, docker, history, patching, rules
from server.demo.catalogue import COLOURS, RELEASES, ROLES, SITES, STAGES, THIRD_PARTY, kinds, profile
from server.demo.errors import RealHosts
from server.demo.models import Machine, Made, Release
from server.demo.queries import compliance as scanned
from server.demo.queries import docker as contained
from server.demo.queries import fleet
from server.demo.queries import jobs as past
from server.demo.queries import patching as patched

#: What was done, and how much of it: done, of all.
Progress = Callable[[str, int, int], None]
Rows = list[dict[str, object]]

_BY: Final = "demonstration"
_PROJECT: Final = "The demonstration's jobs ran nothing."
_DIGEST: Final = hashlib.sha256(_PROJECT.encode()).hexdigest()
_HANDFUL: Final = 500
#: Of hosts whose scans are written together: each has some of 400 rules.
_SCANNED: Final = 100
_TABLES: Final = (
    "hosts",
    "host_packages",
    "host_inventory",
    "host_activity",
    "host_group_members",
    "host_repositories",
    "packages",
    "repositories",
    "jobs",
    "job_hosts",
    "job_events",
    "patch_runs",
    "host_patching",
    "docker_hosts",
    "docker_containers",
    "docker_images",
    "docker_host_images",
    "docker_volumes",
    "docker_networks",
    "compliance_latest",
    "compliance_scans",
    "compliance_tallies",
)


async def fill(call: Call, hosts: int, seed: int, tell: Progress) -> Made:
    """Make the fleet; one that is there already is replaced. All of it or nothing is left.

    Raises:
        RealHosts: the database has hosts of somebody's.
    """
    await refuse_real(call)
    await remove(call, tell)
    dice = random.Random(seed)  # noqa: S311 (the same seed must make the same fleet)
    updates = rules.updates(dice)
    machines = rules.machines(dice, hosts, call.now)
    try:
        async with call.transaction() as tx:
            keys = await _lists(tx, updates)
        await _hosts(call, machines, keys, tell)
        await _history(call, dice, machines, tell)
        await _patching(call, dice, machines, tell)
        await _docker(call, dice, machines, tell)
        await _compliance(call, dice, machines, tell)
    except BaseException:
        # In handfuls, because no transaction may last as long as this: what is there is taken out again.
        await asyncio.shield(remove(call, lambda *_: None))
        raise
    for done, table in enumerate(_TABLES, start=1):
        await fleet.refresh_statistics(call.db, table)
        tell("Statistics", done, len(_TABLES))
    return await fleet.count_made(call.db, rules.PREFIX, _BY)


async def refuse_real(call: Call) -> None:
    """Refuse a database that somebody works with."""
    real = await fleet.count_real(call.db, rules.PREFIX)
    if real:
        raise RealHosts(hosts=counted(real, "host"))


async def remove(call: Call, tell: Progress) -> Made:
    """Take the fleet out again; hosts of others, and what they use, stay. Return what was there."""
    made = await fleet.count_made(call.db, rules.PREFIX, _BY)
    async with call.transaction() as tx:
        await past.delete_jobs(tx, _BY)
    done = 0
    while True:
        async with call.transaction() as tx:
            gone = await fleet.delete_host_rows(tx, rules.PREFIX, _HANDFUL)
        if not gone:
            break
        done += gone
        tell("Removed", done, made.hosts)
    async with call.transaction() as tx:
        await contained.delete_images(tx, docker.uuids())
        await scanned.delete_rules(tx, compliance.DIGESTS)
        groups = [str(row["uuid"]) for row in _groups()]
        repositories = [str(row["uuid"]) for row in _repositories()]
        await fleet.delete_lists(tx, groups, repositories, [kind.name for kind in kinds()], _DIGEST)
    return made


class _Keys:
    """The keys of what all hosts share."""

    def __init__(self, groups: dict[str, int], repositories: dict[str, int], kinds_sent: Rows, profiles: Rows) -> None:
        self.groups = groups
        self.repositories = repositories
        self.kinds = kinds_sent
        self.profiles = profiles

    def of_host(self, machine: Machine) -> list[int]:
        """Return the groups of a host."""
        names = (f"role/{machine.role}", f"site/{machine.site}", f"stage/{machine.stage}")
        return [self.groups[rules.named("group", name)] for name in names]

    def repositories_of(self, machine: Machine) -> list[int]:
        """Return the repositories of a host: those of its system, and of other makers where its role has some."""
        names = [_suite_name(machine.release, suite) for suite, _, _ in _release(machine.release).suites]
        names += [name for _, _, name, roles in THIRD_PARTY if machine.role in roles]
        return [self.repositories[rules.named("repository", name)] for name in names]


async def _lists(tx: Tx, updates: Rows) -> _Keys:
    groups = await fleet.insert_groups(tx, _groups())
    repositories = await fleet.insert_repositories(tx, _repositories())
    found = await fleet.insert_kinds(tx, updates)
    profiles: Rows = [
        {"profile": number * rules.TURNS + turn, "places": profile(role, turn)}
        for number, role in enumerate(ROLES)
        for turn in range(rules.TURNS)
    ]
    return _Keys(groups, repositories, [{**one, "id": found[str(one["name"])]} for one in updates], profiles)


async def _hosts(call: Call, machines: Sequence[Machine], keys: _Keys, tell: Progress) -> None:
    for start in range(0, len(machines), _HANDFUL):
        some = machines[start : start + _HANDFUL]
        async with call.transaction() as tx:
            ids = await fleet.insert_hosts(tx, [_sent(one) for one in some])
            at = max(one.reported_at for one in some)
            await fleet.insert_memberships(tx, [(ids[one.uuid], key) for one in some for key in keys.of_host(one)])
            pairs = [(ids[one.uuid], key) for one in some for key in keys.repositories_of(one)]
            await fleet.insert_host_repositories(tx, pairs, at)
            await fleet.insert_packages(tx, [_packed(one, ids, keys) for one in some], keys.kinds, keys.profiles)
            await fleet.insert_inventory(tx, min(ids.values()), max(ids.values()))
            await fleet.insert_reports(tx, [_reporting(one, ids) for one in some], history.DAYS)
        tell("Hosts, packages, reports", start + len(some), len(machines))


async def _history(call: Call, dice: random.Random, machines: Sequence[Machine], tell: Progress) -> None:
    jobs, parts = history.jobs(dice, machines, call.now)
    async with call.transaction() as tx:
        await past.make_partitions(tx, (call.now - timedelta(days=history.DAYS)).date())
        await past.make_partitions(tx, call.now.date())
        await past.insert_project(tx, _DIGEST, _PROJECT)
        await past.insert_jobs(tx, jobs, _DIGEST, _BY)
    for start in range(0, len(parts), 10 * _HANDFUL):
        async with call.transaction() as tx:
            await past.insert_job_hosts(tx, parts[start : start + 10 * _HANDFUL])
    async with call.transaction() as tx:
        await past.insert_events(tx, history.steps(), _BY)
    tell("Jobs and their events", len(jobs), len(jobs))


async def _patching(call: Call, dice: random.Random, machines: Sequence[Machine], tell: Progress) -> None:
    states, runs = patching.past(dice, machines, call.now)
    for start in range(0, len(states), 10 * _HANDFUL):
        async with call.transaction() as tx:
            await patched.insert_states(tx, states[start : start + 10 * _HANDFUL])
    async with call.transaction() as tx:
        await patched.insert_runs(tx, runs)
        await patched.link_last_runs(tx)
        await patched.leave_unfinished(tx, patching.unfinished(dice, machines))
    tell("Patch runs", len(runs), len(runs))


async def _docker(call: Call, dice: random.Random, machines: Sequence[Machine], tell: Progress) -> None:
    having = docker.hosts(machines)
    async with call.transaction() as tx:
        keys = await contained.insert_images(tx, docker.images(call.now))
    for start in range(0, len(having), _HANDFUL):
        some = having[start : start + _HANDFUL]
        async with call.transaction() as tx:
            await contained.insert_hosts(tx, docker.engines(some))
            await contained.insert_containers(tx, docker.containers(dice, some, keys))
            await contained.insert_around(tx, [one.uuid for one in some])
        tell("Containers", start + len(some), len(having))


async def _compliance(call: Call, dice: random.Random, machines: Sequence[Machine], tell: Progress) -> None:
    async with call.transaction() as tx:
        await scanned.insert_rules(tx, compliance.rules(), compliance.DIGESTS, call.now)
    for start in range(0, len(machines), _SCANNED):
        some = machines[start : start + _SCANNED]
        async with call.transaction() as tx:
            await scanned.insert_scans(tx, compliance.scans(dice, some, call.now))
        tell("Compliance scans", start + len(some), len(machines))
    async with call.transaction(long=True) as tx:
        told = compliance.waivers(machines[0].uuid, str(_groups()[0]["uuid"]), call.now)
        await scanned.insert_waivers(tx, told)
    await fold(call)


def _sent(machine: Machine) -> dict[str, object]:
    return {
        **machine.row,
        "uuid": machine.uuid,
        "connected_at": machine.connected_at,
        "disconnected_at": machine.disconnected_at,
        "reported_at": machine.reported_at,
    }


def _packed(machine: Machine, ids: dict[str, int], keys: _Keys) -> dict[str, object]:
    release = _release(machine.release)
    before, _, after = release.revision.partition("{}")
    main = _suite_name(release.name, release.suites[0][0])
    security = _suite_name(release.name, next(suite for suite, _, is_security in release.suites if is_security))
    return {
        "id": ids[machine.uuid],
        "profile": machine.profile,
        "days": machine.patched_days,
        "before": before,
        "after": after,
        "main_id": keys.repositories[rules.named("repository", main)],
        "security_id": keys.repositories[rules.named("repository", security)],
        "main_name": main,
        "security_name": security,
        "reported_at": machine.reported_at,
    }


def _reporting(machine: Machine, ids: dict[str, int]) -> dict[str, object]:
    return {
        "id": ids[machine.uuid],
        "days": machine.patched_days,
        "cycle": machine.cycle_days,
        "reported_at": machine.reported_at,
    }


def _groups() -> Rows:
    wanted = [(f"role/{role.name}", role.title, f"Hosts named {role.name}-…") for role in ROLES]
    wanted += [(f"site/{code}", f"Site {town}", f"Hosts in {town}") for code, town, _ in SITES]
    wanted += [(f"stage/{code}", title, f"{title} hosts of all sites") for code, title, _ in STAGES]
    return [
        {
            "uuid": rules.named("group", key),
            "name": name,
            "description": description,
            "color": COLOURS[place % len(COLOURS)],
        }
        for place, (key, name, description) in enumerate(wanted)
    ]


def _repositories() -> Rows:
    rows = [
        _repository(_suite_name(release.name, suite), release.mirror, suite, components, release.manager)
        for release in RELEASES
        for suite, components, _ in release.suites
    ]
    return rows + [_repository(name, url, suite, "main", "apt") for url, suite, name, _ in THIRD_PARTY]


def _repository(name: str, url: str, suite: str, components: str, manager: str) -> dict[str, object]:
    return {
        "uuid": rules.named("repository", name),
        "url": url,
        "distribution": suite,
        "components": components,
        "name": name,
        "repo_type": {"apt": "deb", "dnf": "rpm"}.get(manager, "zypper"),
        "is_secure": url.startswith("https://"),
    }


def _suite_name(release: str, suite: str) -> str:
    return f"{release} {suite}"


def _release(name: str) -> Release:
    return next(one for one in RELEASES if one.name == name)
