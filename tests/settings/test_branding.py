"""The product under the operator's own name, pictures and colour; every file that is more than a picture is refused."""

import base64
import io
import struct
import zlib
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from server.core.call import Call
from server.core.drawings import BadDrawing, cleaned
from server.core.images import BadPicture, checked
from server.settings import colours, service
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, post_form

LOGOS = "/api/v1/settings/logos"
PAGE = "/settings/branding"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect width="40" height="20" fill="#0a0"/></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 32), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#3d52d5").save(out, kind, **more)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 60000 by 60000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


async def upload(browser: Browser, content: bytes, kind: str = "light", name: str = "logo.png") -> Any:
    body = {"logoType": kind, "fileName": name, "fileContent": base64.b64encode(content).decode()}
    return await browser.post(f"{LOGOS}/upload", json=body, headers={"Sec-Fetch-Site": "same-origin"})


class TestPictures:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "ICO"])
    def test_every_kind_is_written_anew(self, kind: str) -> None:
        found = checked(picture(kind, (64, 64)))
        assert (found.width, found.height) == (64, 64)
        assert found.content_type == ("image/jpeg" if kind == "JPEG" else "image/png")
        assert Image.open(io.BytesIO(found.content)).size == (64, 64)

    def test_what_cameras_add_is_gone(self) -> None:
        exif = Image.Exif()
        exif[0x010E] = "taken at home"
        assert b"taken at home" in picture("JPEG", exif=exif)
        assert b"taken at home" not in checked(picture("JPEG", exif=exif)).content

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"", "empty"),
            (b"hello", "no PNG"),
            (b"MZ\x90\x00" + bytes(100), "no PNG"),
            (b"%PDF-1.7", "no PNG"),
            (b"<html><svg></svg></html>", "no PNG"),
            (picture()[:-20], "cut off"),
            (picture("JPEG")[:-20], "cut off"),
            (picture("WEBP")[:-4], "cut off"),
            (picture() + b"PK\x03\x04archive", "something else follows"),
            (picture() + b"<script>alert(1)</script>", "something else follows"),
            (picture("GIF") + b"<?php system('id'); ?>", "something else follows"),
            (b"\x89PNG\r\n\x1a\n" + picture("JPEG"), "cut off"),
            (picture()[:40] + bytes(20) + picture()[60:], "damaged"),
            (picture(size=(8, 8)), "8 by 8 pixels"),
            (picture(size=(5000, 20)), "5000 by 20 pixels"),
            (bomb(), "too many pixels"),
            (picture() + bytes(6 * 1024**2), "larger than 5 MB"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_no_plain_picture_is_refused_with_the_reason(self, data: bytes, word: str) -> None:
        with pytest.raises(BadPicture, match=word):
            checked(data)

    @settings(deadline=None)
    @given(st.binary(max_size=400), st.integers(0, 200))
    def test_no_bytes_end_in_anything_but_a_picture_or_a_refusal(self, noise: bytes, at: int) -> None:
        good = picture()
        for data in (noise, good[:at] + noise, good[:at] + noise + good[at:], b"<svg>" + noise):
            try:
                found = checked(data)
            except BadPicture:
                continue
            assert found.content_type in {"image/png", "image/jpeg", "image/svg+xml"}


class TestDrawings:
    def test_shapes_stay(self) -> None:
        found = cleaned(SVG)
        assert (found.width, found.height) == (40, 20)
        assert b'fill="#0a0"' in found.content
        assert found.content.startswith(b"<svg")

    def test_what_drawing_programs_keep_for_themselves_goes(self) -> None:
        text = SVG.replace(
            b"<rect",
            b'<i:view xmlns:i="http://inkscape" zoom="1"/><metadata>me</metadata><rect i:x="1" xmlns:i="http://i"',
        )
        found = cleaned(text).content
        assert b"inkscape" not in found
        assert b"metadata" not in found
        assert b"<rect" in found

    @pytest.mark.parametrize(
        ("inside", "word"),
        [
            ("<script>alert(1)</script>", "element <script>"),
            ('<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>', "element <script>"),
            ("<foreignObject><p>x</p></foreignObject>", "element <foreignObject>"),
            ('<image href="http://evil.example/x.png"/>', "element <image>"),
            ('<rect onload="alert(1)"/>', "event handler"),
            ('<rect ONCLICK="alert(1)"/>', "event handler"),
            ('<use href="http://evil.example/x.svg#a"/>', "outside itself"),
            ('<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="javascript:alert(1)"/>', "outside itself"),
            ('<rect style="fill:url(http://evil.example)"/>', "outside itself"),
            ("<rect fill=\"url('data:image/svg+xml;x')\"/>", "outside itself"),
            ("<style>@import 'http://evil.example';</style>", "outside itself"),
            ("<style>rect{fill:\\75rl(http://evil.example)} /* url */</style>", "outside itself"),
            ('<animate attributeName="href" to="javascript:alert(1)"/>', "element <animate>"),
            ("<a href='#x'><rect/></a>", "element <a>"),
            ("<g>" * 60 + "</g>" * 60, "too complex"),
            ("<g/>" * 6000, "too complex"),
        ],
    )
    def test_what_acts_is_refused(self, inside: str, word: str) -> None:
        with pytest.raises(BadDrawing, match=word):
            cleaned(f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode())

    @pytest.mark.parametrize(
        "text",
        [
            b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
            b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"/>',
            b"<svg><rect>",
            b"<svg></svg>",
        ],
    )
    def test_entities_and_damage_are_refused(self, text: bytes) -> None:
        with pytest.raises(BadDrawing):
            cleaned(text)


class TestColours:
    @settings(deadline=None)
    @given(st.integers(0, 0xFFFFFF))
    def test_every_shade_that_is_taken_or_suggested_can_be_read(self, number: int) -> None:
        colour = f"#{number:06x}"
        try:
            taken = colours.taken(colour)
        except ValueError as error:
            taken = colours.taken(str(error).rsplit(" ", 1)[1])
        assert colours.contrast(taken, "#ffffff") >= 4.5
        dark = colours.sheet(taken).split("--accent: light-dark(")[1].split(", ")[1].split(")")[0]
        assert colours.contrast(dark, "#1c2027") >= 4.5

    @pytest.mark.parametrize(("given", "kept"), [("#3D52D5", "#3d52d5"), ("a00", "#aa0000")])
    def test_spellings(self, given: str, kept: str) -> None:
        assert colours.taken(given) == kept

    @pytest.mark.parametrize("given", ["red", "#12345", "#3d52d5;}*{", "url(x)"])
    def test_what_is_no_colour(self, given: str) -> None:
        with pytest.raises(ValueError, match="must be a colour"):
            colours.taken(given)


@pytest.mark.proves("SET-16", "OPS-72")
async def test_a_logo_is_uploaded_seen_by_everyone_and_reset(as_admin: Browser, client: Browser, call: Call) -> None:
    ours = await client.get(f"{LOGOS}/light")
    assert (ours.status, ours.content_type) == (200, "image/svg+xml")
    answer = await upload(as_admin, picture())
    told = await answer.json()
    assert (answer.status, told["fileName"], told["path"]) == (200, "logo.png", f"{LOGOS}/light")
    assert told["sizeFormatted"].endswith("KB")
    seen = await client.get(f"{LOGOS}/light")
    content = await seen.read()
    assert (seen.status, seen.content_type, len(content)) == (200, "image/png", told["size"])
    assert seen.headers["Content-Security-Policy"].endswith("sandbox")
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert seen.headers["Cache-Control"] == "public, max-age=3600, must-revalidate"
    again = await client.get(f"{LOGOS}/light", headers={"If-None-Match": seen.headers["ETag"]})
    assert again.status == 304
    public = await (await as_admin.get("/api/v1/settings/public")).json()
    assert (public["logo_light"], public["logo_dark"]) == (f"{LOGOS}/light", None)
    sign_in = await (await client.get("/login", headers=HTML)).text()
    assert f'src="{LOGOS}/light?v=' in sign_in
    reset = await as_admin.post(f"{LOGOS}/reset", json={"logoType": "light"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert (await reset.json())["logoType"] == "light"
    assert (await client.get(f"{LOGOS}/light")).content_type == "image/svg+xml"
    actions = await call.db.column("select action from audit_log where action like 'branding.%%' order by id")
    assert actions == ["branding.uploaded", "branding.reset"]


async def test_a_refused_upload_says_why_and_stores_nothing(as_admin: Browser, call: Call) -> None:
    script = SVG.replace(b"<rect", b"<script>alert(1)</script><rect")
    answer = await upload(as_admin, script, name="x.svg")
    assert answer.status == 400
    assert "<script>" in (await answer.json())["complaints"]["light"]
    assert (await upload(as_admin, picture(), kind="banner")).status == 404
    body = {"logoType": "light", "fileContent": "%%%"}
    answer = await as_admin.post(f"{LOGOS}/upload", json=body, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status, (await answer.json())["code"]) == (400, "bad_upload")
    assert (await as_admin.get(f"{LOGOS}/banner")).status == 404
    assert await call.db.value("select count(*) from branding_pictures") == 0


@pytest.mark.proves("SET-16")
async def test_what_is_too_large_is_refused_before_it_is_read(as_admin: Browser) -> None:
    huge = {"logoType": "light", "fileContent": "A" * 8 * 1024**2}
    answer = await as_admin.post(f"{LOGOS}/upload", json=huge, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 413


async def test_a_logo_of_four_megabytes_is_taken(as_admin: Browser) -> None:
    noise = Image.effect_noise((2000, 2000), 90)
    out = io.BytesIO()
    noise.save(out, "PNG")
    assert 3.5 * 1024**2 < len(out.getvalue()) < 5 * 1024**2
    assert (await upload(as_admin, out.getvalue())).status == 200


@pytest.mark.parametrize("role", ["host_manager", "user", "readonly"])
async def test_it_is_for_who_manages_the_settings(client: Browser, call: Call, role: str) -> None:
    headers = await bearer(call, role)
    body = {"logoType": "light", "fileContent": base64.b64encode(picture()).decode()}
    assert (await client.post(f"{LOGOS}/upload", json=body, headers=headers)).status == 403
    assert (await client.post(f"{LOGOS}/reset", json=body, headers=headers)).status == 403
    assert (await client.get(PAGE, headers={**headers, **HTML})).status == 403
    assert (await client.get(f"{LOGOS}/light")).status == 200


@pytest.mark.proves("SET-03")
async def test_the_module_closes_changing_but_not_seeing(as_admin: Browser, client: Browser, call: Call) -> None:
    await upload(as_admin, picture())
    settings_page = "/settings/environment"
    assert 'href="/settings/branding"' in await (await as_admin.get(settings_page, headers=HTML)).text()
    await service.change(call, {"disabled_modules": ["custom_branding"]})
    assert 'href="/settings/branding"' not in await (await as_admin.get(settings_page, headers=HTML)).text()
    assert (await upload(as_admin, picture())).status == 403
    assert (await as_admin.get(PAGE, headers=HTML)).status == 403
    assert (await client.get(f"{LOGOS}/light")).content_type == "image/png"


class TestPage:
    async def test_name_and_colour_are_on_every_page(self, as_admin: Browser, client: Browser) -> None:
        saved = await post_form(as_admin, PAGE, PAGE, {"brand_name": "Harbour", "brand_accent": "#0a6b52"})
        assert saved.status == 303
        for browser, path in ((as_admin, PAGE), (client, "/login")):
            text = await (await browser.get(path, headers=HTML)).text()
            assert "Harbour</span>" in text
            assert "· Harbour</title>" in text
            assert 'href="/branding.css?v=0a6b52"' in text
        sheet = await client.get("/branding.css")
        assert sheet.content_type == "text/css"
        assert "--accent: light-dark(#0a6b52, " in await sheet.text()
        back = await post_form(as_admin, PAGE, PAGE, {"brand_name": "", "brand_accent": ""})
        assert back.status == 303
        assert "PatchMon</span>" in await (await client.get("/login", headers=HTML)).text()

    async def test_a_colour_nobody_can_read_is_refused_with_one_they_can(self, as_admin: Browser) -> None:
        refused = await post_form(as_admin, PAGE, PAGE, {"brand_name": "Harbour", "brand_accent": "#ffcc00"})
        text = await refused.text()
        assert refused.status == 400
        assert "too light to be read" in text
        assert 'value="#ffcc00"' in text
        assert 'value="Harbour"' in text

    async def test_the_form_uploads_and_resets(self, as_admin: Browser) -> None:
        stored = await send(as_admin, "favicon", picture("PNG", (32, 32)), "f.png")
        assert stored.status == 303
        text = await (await as_admin.get(PAGE, headers=HTML)).text()
        assert f'rel="icon" href="{LOGOS}/favicon?v=' in text
        assert "f.png" in text
        refused = await send(as_admin, "dark", b"no picture", "x.png")
        assert refused.status == 400
        assert "This is no PNG" in await refused.text()
        assert (await post_form(as_admin, PAGE, f"{PAGE}/favicon/reset", {})).status == 303
        assert 'href="/static/icons/favicon.svg"' in await (await as_admin.get(PAGE, headers=HTML)).text()


async def send(browser: Browser, kind: str, content: bytes, name: str) -> ClientResponse:
    text = await (await browser.get(PAGE, headers=HTML)).text()
    token = text.split('name="csrf" value="')[1].split('"')[0]
    form = FormData({"csrf": token})
    form.add_field("picture", content, filename=name, content_type="image/png")
    return await browser.post(f"{PAGE}/{kind}", data=form, allow_redirects=False, headers=HTML)
