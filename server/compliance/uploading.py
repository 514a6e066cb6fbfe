"""Taking guides and tailoring files in: received without being held, unpacked within limits, read, and kept."""

import bz2
import gzip
import hashlib
import lzma
import re
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.compliance import guides, outline
from server.compliance.errors import BadGuide, GuideKnown, GuideTooLarge
from server.compliance.guides import Guide
from server.compliance.outline import Form, Outline
from server.compliance.queries import guides as rows
from server.core.call import Call
from server.core.db import Tx
from server.core.loop import in_thread

MEGABYTE: Final = 1024 * 1024
#: In megabytes, as they are read, not as they are packed.
MOST: Final[dict[Form, int]] = {"datastream": 100, "tailoring": 2}
_WORDS: Final[dict[Form, str]] = {"datastream": "A datastream", "tailoring": "A tailoring file"}
_SYSTEM: Final = re.compile(r"[a-z]{2,20}[0-9]{0,6}")
_NAME_MOST: Final = 120
_PACKED: Final[dict[bytes, Callable[..., Any]]] = {b"BZh": bz2.open, b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open}
_ZIP: Final = b"PK\x03\x04"


@asynccontextmanager
async def received(parts: AsyncIterator[bytes]) -> AsyncIterator[Path]:
    """Have what arrives as a file for the length of a block; raises ``GuideTooLarge`` as soon as it is."""
    with TemporaryDirectory(prefix="patchmon-guide-") as folder:
        path, got = Path(folder) / "received", 0
        with path.open("wb") as file:
            async for part in parts:
                got += len(part)
                if got > MOST["datastream"] * MEGABYTE:
                    raise _too_large("datastream")
                await in_thread(file.write, part)
        yield path


def _too_large(form: Form) -> GuideTooLarge:
    return GuideTooLarge(what=_WORDS[form], most=MOST[form])


async def take(call: Call, path: Path, name: str, systems: Sequence[str] = ()) -> Guide:
    """Keep a file that was received; ``systems`` says what it is for where it does not say so itself.

    Raises ``BadGuide``, ``GuideTooLarge`` or ``GuideKnown``.
    """
    plain, digest, size = await in_thread(_unpacked, path)
    found = await in_thread(outline.read, plain)
    if size > MOST[found.form] * MEGABYTE:
        raise _too_large(found.form)
    known = await guides.known(call)
    if same := next((one for one in known if one.sha256 == digest), None):
        raise GuideKnown(title=same.title)
    row: dict[str, Any] = {
        "form": found.form, "name": _named(name, found.form), "title": found.title, "version": found.version,
        "benchmark": found.benchmark, "sha256": digest, "size_bytes": size, "rules": found.rules,
        "systems": _systems(found, known, systems), "profiles": [asdict(one) for one in found.profiles],
        "made_by": call.actor.name,
    }  # fmt: skip
    async with call.transaction(long=True) as tx:
        made = await rows.insert(tx, row, call.now)
        if made is None:
            raise GuideKnown(title=found.title)
        await _keep(tx, made, plain)
        subject = Subject("compliance_guide", made, found.title)
        told = {"name": row["name"], "sha256": digest, "systems": row["systems"]}
        await audit.record(tx, call, "compliance.guide_uploaded", subject, told)
    return await guides.fetch(call, made)


def _named(name: str, form: Form) -> str:
    last = PurePosixPath(name.replace("\\", "/")).name
    for ending in (".bz2", ".gz", ".xz"):
        last = last.removesuffix(ending)
    plain = re.sub(r"[^A-Za-z0-9._ -]", "", last).strip(". ")[:_NAME_MOST]
    return plain or f"{form}.xml"


def _unpacked(path: Path) -> tuple[Path, str, int]:
    """Return the plain file, its SHA-256 and its size; a packed one grows no further than it may."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP):
        raise BadGuide(reason="This is a ZIP archive. Take the file out of it and upload that")
    opener = next((found for mark, found in _PACKED.items() if start.startswith(mark)), None)
    if opener is None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return path, digest, path.stat().st_size
    plain = path.with_name("plain")
    try:
        with opener(path, "rb") as packed, plain.open("wb") as file:
            return plain, *_copied(packed, file)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise BadGuide(reason="It is packed, and cannot be unpacked: it is damaged, or not whole") from error


def _copied(packed: Any, file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := packed.read(MEGABYTE):
        size += len(piece)
        if size > MOST["datastream"] * MEGABYTE:
            raise _too_large("datastream")
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest(), size


async def _keep(tx: Tx, guide: str, plain: Path) -> None:
    with plain.open("rb") as file:
        number = 0
        while piece := await in_thread(file.read, MEGABYTE):
            await rows.insert_piece(tx, guide, number, await in_thread(zlib.compress, piece))
            number += 1


# ---------------------------------------------------------------- what it is for


def _systems(found: Outline, known: Sequence[Guide], asked: Sequence[str]) -> list[str]:
    if wrong := next((one for one in asked if not _SYSTEM.fullmatch(one)), None):
        raise BadGuide(reason=f"A system is named as guides for it are, like debian12 or rhel9, not {wrong[:40]!r}")
    if found.form == "tailoring":
        return _tailored(found, known, asked)
    if asked or found.systems:
        return list(asked or found.systems)
    named = ", ".join(found.platforms[:3])
    said = f"The systems it names are not known here ({named})" if named else "It does not say which system it is for"
    raise BadGuide(reason=f"{said}. Name the system, like debian12")


def _tailored(found: Outline, known: Sequence[Guide], asked: Sequence[str]) -> list[str]:
    """Return the systems of the guides whose profiles it changes."""
    if bare := next((one.id for one in found.profiles if not one.extends), None):
        raise BadGuide(reason=f"Its profile {bare} extends none of a guide's")
    based = {one.extends for one in found.profiles}
    bases = [one for one in known if one.form == "datastream" and all(one.has(each) for each in based)]
    named = PurePosixPath(found.base).name
    chosen = [one for one in bases if named in {one.name, one.benchmark}] or bases
    systems = list(dict.fromkeys(system for one in chosen for system in one.systems))
    if not systems:
        missing = next((each for each in sorted(based) if not any(one.has(each) for one in known)), min(based))
        raise BadGuide(reason=f"It changes the profile {missing}, which no guide here has. Upload its guide first")
    if asked and (strange := set(asked) - set(systems)):
        raise BadGuide(reason=f"The guide for {min(strange)} has not the profiles that it changes")
    return list(asked or systems)
