"""Guides that hosts are scanned by: what people uploaded, and behind it what lies in the server's folder."""

import re
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.compliance import content, outline
from server.compliance.content import Content
from server.compliance.errors import BadGuide, ContentMissing, GuideMissing, GuideUsed, NeedsOurAgent
from server.compliance.models import DEFAULT_PROFILE, Target
from server.compliance.outline import Form, Profile
from server.compliance.queries import guides as rows
from server.core.call import Call
from server.core.ids import is_uuid
from server.core.loop import in_thread
from server.core.words import counted

_FILE: Final = re.compile(r"ssg-([a-z0-9]+)-ds\.xml")
_NAMED: Final = 3
#: How a system's name begins, and what its guides may be called, the best first.
_OF_SYSTEMS: Final = (
    ("debian", ("debian{major}",)),
    ("ubuntu", ("ubuntu{whole}",)),
    ("rhel", ("rhel{major}",)),
    ("red hat", ("rhel{major}",)),
    ("centos", ("cs{major}", "centos{major}", "rhel{major}")),
    ("rocky", ("rl{major}", "rocky{major}", "rhel{major}")),
    ("alma", ("almalinux{major}", "rhel{major}")),
    ("ol", ("ol{major}",)),
    ("oracle", ("ol{major}",)),
    ("fedora", ("fedora",)),
    ("sles", ("sle{major}", "sles{major}")),
    ("suse linux", ("sle{major}", "sles{major}")),
    ("opensuse", ("opensuse", "sle{major}")),
)


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide or a tailoring file.

    Attributes:
        id: empty for what lies in the server's folder, of which ``path`` says where.
        systems: how guides for what it is for are called: ``debian12``.
    """

    id: str
    form: Form
    name: str
    title: str
    version: str
    benchmark: str
    sha256: str
    size_bytes: int
    rules: int
    systems: tuple[str, ...]
    profiles: tuple[Profile, ...]
    made_by: str = ""
    made_at: datetime | None = None
    path: Path | None = None

    def has(self, profile: str) -> bool:
        """Tell whether it has a profile, named in full."""
        return any(one.id == profile for one in self.profiles)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a system is scanned by: ``name`` is what its agent knows the guide as."""

    name: str
    guide: Guide
    tailoring: Guide | None


def of_row(row: dict[str, Any]) -> Guide:
    """Return what a row of the table says."""
    named = tuple(Profile(one["id"], one["title"], one["extends"]) for one in row["profiles"])
    return Guide(**{**row, "systems": tuple(row["systems"]), "profiles": named})


async def known(call: Call) -> list[Guide]:
    """Return what there is, the newest upload first, and behind all uploads the server's folder."""
    uploaded = [of_row(row) for row in await rows.list_all(call.db)]
    return uploaded + await in_thread(_of_folder, call.world.env.content_dir)


def _of_folder(folder: Path) -> list[Guide]:
    return [_of_file(folder / name) for name in content.look(folder).files]


def _of_file(path: Path) -> Guide:
    told = path.stat()
    system = path.name.removeprefix("ssg-").removesuffix("-ds.xml")
    try:
        found = outline.of_file(path, told.st_size, told.st_mtime_ns)
    except BadGuide as error:
        # It is handed out as it is: scanners may read what we cannot, and say best what is wrong with it.
        return Guide("", "datastream", path.name, str(error), "", "", "", told.st_size, 0, (system,), (), path=path)
    return Guide(
        "", "datastream", path.name, found.title, found.version, found.benchmark, "", told.st_size, 0, (system,),
        found.profiles, path=path,
    )  # fmt: skip


async def content_here(call: Call) -> Content:
    """Return what agents can have, by the names they know; the version is the folder's where it has one."""
    folder = await in_thread(content.look, call.world.env.content_dir)
    uploaded = [of_row(row) for row in await rows.list_all(call.db)]
    more = {f"ssg-{system}-ds.xml" for one in uploaded if one.form == "datastream" for system in one.systems}
    newest = next((one.version for one in uploaded if one.form == "datastream"), None)
    return Content(folder.version or (newest or "unknown" if more else None), tuple(sorted({*folder.files, *more})))


def pick(all_of_them: Sequence[Guide], systems: Sequence[str], profile: str = "") -> Choice | None:
    """Return what a system is scanned by: an upload before the folder, and what a profile was tailored in."""
    for ours in (True, False):
        for system in systems:
            for one in all_of_them:
                if one.form == "datastream" and bool(one.id) is ours and system in one.systems:
                    return Choice(f"ssg-{system}-ds.xml", one, tailoring_of(all_of_them, systems, profile))
    return None


def tailoring_of(all_of_them: Iterable[Guide], systems: Sequence[str], profile: str) -> Guide | None:
    """Return the newest tailoring file for a system that has a profile."""
    return next(
        (
            one
            for one in all_of_them
            if one.form == "tailoring" and one.has(profile) and not set(systems).isdisjoint(one.systems)
        ),
        None,
    )


async def choose(call: Call, names: Sequence[str], profile: str = "") -> Choice:
    """Return what a host is scanned by, of the names that its guide may have; raises ``ContentMissing``."""
    systems = [named[1] for one in names if (named := _FILE.fullmatch(one))]
    found = pick(await known(call), systems, profile)
    if found is None:
        raise ContentMissing
    return found


async def digest(guide: Guide) -> str:
    """Return the SHA-256 of a guide."""
    if guide.path is None:
        return guide.sha256
    told = guide.path.stat()
    return await in_thread(outline.digest_of, guide.path, told.st_size, told.st_mtime_ns)


async def pieces(call: Call, guide: Guide) -> AsyncIterator[bytes]:
    """Return an uploaded file piece by piece."""
    for number in count():
        piece = await rows.find_piece(call.db, guide.id, number)
        if piece is None:
            return
        yield await in_thread(zlib.decompress, piece)


@asynccontextmanager
async def laid_out(call: Call, guide: Guide) -> AsyncIterator[Path]:
    """Have a guide as a file for the length of a block."""
    if guide.path is not None:
        yield guide.path
        return
    with TemporaryDirectory(prefix="patchmon-guide-") as folder:
        path = Path(folder) / "guide.xml"
        with path.open("wb") as file:
            async for piece in pieces(call, guide):
                await in_thread(file.write, piece)
        yield path


async def fetch(call: Call, guide: str) -> Guide:
    """Return an uploaded guide by its id or its SHA-256; raises ``GuideMissing``."""
    for row in await rows.list_all(call.db):
        if guide in {row["id"], row["sha256"]}:
            return of_row(row)
    raise GuideMissing


# ---------------------------------------------------------------- what can be chosen


@dataclass(frozen=True, slots=True)
class Offer:
    """The profiles of one guide, as people choose among them."""

    title: str
    profiles: tuple[Profile, ...]
    tailored: bool = False


def systems_of(os_type: str, os_version: str) -> tuple[str, ...]:
    """Return what guides for a system may be called, the best first; none for systems without one."""
    name, version = os_type.strip().lower(), re.sub(r"[^0-9.].*", "", os_version.strip())
    patterns = next((found for start, found in _OF_SYSTEMS if name.startswith(start)), ())
    major, whole = version.partition(".")[0], "".join(version.split(".")[:2])
    return tuple(one.format(major=major, whole=whole) for one in patterns)


async def offers(call: Call, hosts: Sequence[str] | None = None) -> list[Offer]:
    """Return what these hosts (``None``: all that the asker sees) can be scanned by, guide by guide."""
    all_of_them = await known(call)
    found: dict[tuple[str, str], Offer] = {}
    for row in await rows.list_systems(call.db, call.actor.scope, hosts):
        systems = systems_of(row["os_type"], row["os_version"])
        choice = pick(all_of_them, systems)
        if choice is None or not choice.guide.profiles:
            continue
        found.setdefault(_key(choice.guide), Offer(choice.guide.title, choice.guide.profiles))
        for one in all_of_them:
            if one.form == "tailoring" and not set(systems).isdisjoint(one.systems):
                found.setdefault(_key(one), Offer(f"{one.title} (tailored)", one.profiles, tailored=True))
    return list(found.values())


def _key(guide: Guide) -> tuple[str, str]:
    return guide.id, guide.name


async def refused_by(call: Call, hosts: Sequence[Target], profile: str | None) -> dict[int, NeedsOurAgent]:
    """Return which hosts cannot be scanned by what is asked for, or by their default: tailored, on existing agents."""
    asked = {one.id: profile or one.default_profile or DEFAULT_PROFILE for one in hosts if one.native}
    if not asked:
        return {}
    tailored = {each.id for one in await known(call) if one.form == "tailoring" for each in one.profiles}
    return {host: NeedsOurAgent() for host, name in asked.items() if name in tailored}


# ---------------------------------------------------------------- taking away


async def remove(call: Call, guide: str) -> Guide:
    """Take an uploaded file away; raises ``GuideMissing``, or ``GuideUsed`` while hosts' defaults are its profiles."""
    if not is_uuid(guide):
        raise GuideMissing
    one = await fetch(call, guide)
    others = [other for other in await known(call) if other.id != one.id]
    async with call.transaction() as tx:
        users = await rows.list_users(tx, [each.id for each in one.profiles])
        held = [host["name"] for host in users if _needs(one, others, host)]
        if held:
            named = ", ".join(held[:_NAMED]) + (f" and {len(held) - _NAMED} more" if len(held) > _NAMED else "")
            raise GuideUsed(hosts=f"{counted(len(held), 'host')} ({named})", them="it" if len(held) == 1 else "them")
        if not await rows.delete(tx, one.id):
            raise GuideMissing
        subject = Subject("compliance_guide", one.id, one.title)
        await audit.record(tx, call, "compliance.guide_deleted", subject, {"name": one.name, "sha256": one.sha256})
    return one


def _needs(one: Guide, others: Sequence[Guide], host: dict[str, Any]) -> bool:
    """Tell whether a host would have no such profile without this guide."""
    systems = systems_of(host["os_type"], host["os_version"])
    if systems and set(systems).isdisjoint(one.systems):
        return False
    return not any(
        other.has(host["profile"]) and not set(systems or one.systems).isdisjoint(other.systems) for other in others
    )
