"""The page of the product's name, colour and pictures."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web
from aiohttp.web_request import FileField

from server.core.errors import Invalid
from server.settings import branding, schemas
from server.settings.models import Branding, StoredPicture
from server.web import flash
from server.web.fields import Field, complained
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
_MODULE: Final = "custom_branding"
ENTRIES: Final = (
    Entry(
        "Settings",
        "Branding",
        "/settings/branding",
        "device-desktop",
        order=65,
        permission="can_manage_settings",
        module=_MODULE,
    ),
)
_HERE: Final = "/settings/branding"


@dataclass(frozen=True, slots=True)
class Slot:
    """One picture that can be replaced: what it is for, and what is there now."""

    kind: str
    title: str
    about: str
    url: str
    picture: StoredPicture | None
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class BrandingPage(Page):
    """templates/settings/branding.html."""

    template: ClassVar[str] = "settings/branding.html"
    title: ClassVar[str] = "Branding"
    fields: list[Field]
    complaints: list[tuple[str, str] | str]
    slots: list[Slot]
    accent: str


@routes.get("/settings/branding")
@gated("can_manage_settings", module=_MODULE)
async def show(request: web.Request) -> web.Response:
    """Show name, colour and pictures as they are now."""
    return _page(request, await branding.branding(call(request)))


@routes.post("/settings/branding")
@gated("can_manage_settings", module=_MODULE)
async def change(request: web.Request) -> web.StreamResponse:
    """Store name and colour."""
    asked = call(request)
    form = await read_form(request, schemas.BrandingForm)
    try:
        await branding.change(asked, form.brand_name, form.brand_accent)
    except Invalid as refused:
        typed = {"brand_name": form.brand_name, "brand_accent": form.brand_accent}
        return _page(request, await branding.branding(asked), typed, refused.complaints)
    raise _saved(request, "Saved. Every page has it from now on.")


@routes.post("/settings/branding/{kind}")
@gated("can_manage_settings", module=_MODULE)
async def upload(request: web.Request) -> web.StreamResponse:
    """Put a picture in the place of ours."""
    asked, kind = call(request), path_text(request, "kind")
    sent = (await request.post()).get("picture")
    data, name = (sent.file.read(), sent.filename) if isinstance(sent, FileField) else (b"", "")
    try:
        await branding.upload(asked, kind, name, data)
    except Invalid as refused:
        return _page(request, await branding.branding(asked), wrong=refused.complaints)
    raise _saved(request, "The picture is stored. Every page has it from now on.")


@routes.post("/settings/branding/{kind}/reset")
@gated("can_manage_settings", module=_MODULE)
async def reset(request: web.Request) -> web.StreamResponse:
    """Go back to our picture."""
    await branding.reset(call(request), path_text(request, "kind"))
    raise _saved(request, "The built-in picture is back.")


def _saved(request: web.Request, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_HERE)
    flash.say(answer, request, "good", text)
    return answer


def _page(
    request: web.Request, found: Branding, typed: dict[str, str] | None = None, wrong: dict[str, str] | None = None
) -> web.Response:
    values, complaints = typed or {"brand_name": found.name, "brand_accent": found.accent}, wrong or {}
    fields = [
        Field(
            "brand_name",
            "Name",
            value=values["brand_name"],
            help="Stands in the bar, on the sign-in page and in the titles of the pages.",
            complaint=complaints.get("brand_name", ""),
            placeholder="PatchMon",
            required=False,
        ),
        Field(
            "brand_accent",
            "Accent colour",
            value=values["brand_accent"],
            help="Of buttons and links, such as #3d52d5. The shades for the dark theme follow from it. "
            "Empty: the built-in colour.",
            complaint=complaints.get("brand_accent", ""),
            placeholder="#3d52d5",
            required=False,
        ),
    ]
    page = BrandingPage(
        fields=fields,
        complaints=complained(fields, complaints),
        slots=[_slot(found, complaints, *words) for words in _SLOTS],
        accent=found.accent,
    )
    return render(request, page, status=400 if complaints else 200)


_SLOTS: Final = (
    ("light", "Logo for the light theme", "Stands in the bar and on the sign-in page."),
    ("dark", "Logo for the dark theme", "The same on a dark ground. Without one the other logo is used."),
    ("favicon", "Favicon", "The small picture in the browser's tab; best a square."),
)


def _slot(found: Branding, complaints: dict[str, str], kind: str, title: str, about: str) -> Slot:
    stored = found.picture(kind)
    url = f"/api/v1/settings/logos/{kind}?v={stored.digest[:12] if stored else 'built-in'}"
    return Slot(kind, title, about, url, stored, complaints.get(kind, ""))
