"""The product under the operator's own name, pictures and colour."""

import base64
import binascii
import hashlib
from typing import Final
from weakref import WeakKeyDictionary

from server.audit import service as audit
from server.audit.models import Subject
from server.core import images
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.db import Database, DatabaseError, Tx, is_away
from server.core.images import BadPicture, Picture
from server.core.loop import in_thread
from server.settings import colours, queries, service
from server.settings.errors import BadUpload, NoSuchPicture
from server.settings.events import SettingsChanged
from server.settings.models import Branding, StoredPicture
from server.web.brand import Brand

KINDS: Final = ("light", "dark", "favicon")
#: Base64 takes four characters for three bytes; the rest is for the name and the shape around it.
UPLOAD_BYTES: Final = images.PICTURE_BYTES * 4 // 3 + 64 * 1024
_RELOOK_SECONDS: Final = 60.0
_NAME_MOST: Final = 120
_EVENT: Final = "brand_picture"

_kept: WeakKeyDictionary[Database, Brand] = WeakKeyDictionary()


def brand(world: World) -> Brand:
    """Return the brand as it was last read in this process; ours before it was."""
    return _kept.get(world.db, Brand())


async def branding(call: Call) -> Branding:
    """Return what is decided about the brand, with the stored pictures but without their content."""
    settings = await service.anew(call)
    return Branding(settings.brand_name, settings.brand_accent, await queries.fetch_pictures(call.db))


async def look(call: Call) -> Brand:
    """Read the brand anew for every page of this process."""
    found = await branding(call)
    urls = {one.kind: f"/api/v1/settings/logos/{one.kind}?v={one.digest[:12]}" for one in found.pictures}
    # One logo serves both themes until there are two.
    _kept[call.db] = Brand(
        name=found.name,
        logo_light=urls.get("light") or urls.get("dark", ""),
        logo_dark=urls.get("dark") or urls.get("light", ""),
        favicon=urls.get("favicon") or Brand().favicon,
        sheet=f"/branding.css?v={found.accent.removeprefix('#')}" if found.accent else "",
    )
    return _kept[call.db]


async def keep_fresh(world: World) -> None:
    """Read the brand anew whenever a setting changed, here or in another process; runs until cancelled."""
    async with world.bus.following(SettingsChanged.name) as bell:
        while True:
            try:
                await look(Call(world, system("branding")))
            except DatabaseError as error:
                # The pages keep the brand they had.
                if not is_away(error):
                    raise
            await bell.ring(within=_RELOOK_SECONDS)


async def picture(call: Call, kind: str) -> StoredPicture | None:
    """Return a picture with its content, or ``None`` for ours; raises ``NoSuchPicture`` for an unknown kind."""
    _demand_kind(kind)
    return await queries.fetch_picture(call.db, kind)


async def upload(call: Call, kind: str, file_name: str, data: bytes) -> Picture:
    """Check a picture and put it in the place of ours; raises ``BadUpload`` with the reason."""
    _demand_kind(kind)
    try:
        checked = await in_thread(images.checked, data)
    except BadPicture as error:
        raise BadUpload({kind: str(error)}, reason=str(error)) from error
    name = "".join(letter for letter in file_name if letter.isprintable())[-_NAME_MOST:]
    digest = hashlib.sha256(checked.content).hexdigest()
    async with call.transaction() as tx:
        await queries.store_picture(tx, kind, name, checked, digest, call.now, call.actor.name)
        await _changed(tx, call, "branding.uploaded", kind, {"file_name": name, "bytes": len(checked.content)})
    return checked


async def reset(call: Call, kind: str) -> None:
    """Go back to our picture."""
    _demand_kind(kind)
    async with call.transaction() as tx:
        if await queries.forget_picture(tx, kind):
            await _changed(tx, call, "branding.reset", kind, {})


async def change(call: Call, name: str, accent: str) -> None:
    """Store name and colour; empty ones bring ours back. Raises ``BadSetting``."""
    wanted = {"brand_name": name.strip() or Brand().name, "brand_accent": accent.strip()}
    await service.change(call, wanted)
    await look(call)


def decoded(text: str) -> bytes:
    """Return what base64 or a data URL holds; raises ``BadUpload``."""
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        reason = "The file's content is no base64."
        raise BadUpload({"fileContent": reason}, reason=reason) from error


def sheet(accent: str) -> str:
    """Return the style sheet of a colour; an empty one for ours."""
    return colours.sheet(accent) if accent else ""


async def _changed(tx: Tx, call: Call, action: str, kind: str, detail: dict[str, object]) -> None:
    await audit.record(tx, call, action, Subject("branding", kind, kind), detail)
    tx.after_commit(_Look())
    tx.after_commit(announce(SettingsChanged((f"{_EVENT}_{kind}",))))


def _demand_kind(kind: str) -> None:
    if kind not in KINDS:
        raise NoSuchPicture


class _Look:
    """The effect that shows a change in this process at once."""

    async def __call__(self, world: World) -> None:
        await look(Call(world, system("branding")))
