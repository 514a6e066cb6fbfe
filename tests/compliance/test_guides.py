"""Own benchmarks: guides and tailoring files that people upload, and everything hostile that looks like one."""

import asyncio
import bz2
import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from server.compliance import uploading
from server.core.call import Call
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import Compliance
from tests.factories.house import House
from tests.factories.openscap import RULE, guide, names_here, needs_oscap
from tests.factories.people import HTML, bearer, sign_in_as
from tests.stand_ins.existing_agent import Enrol

_BASE = "xccdf_org.example_profile_cis"
_OURS = "xccdf_org.example_profile_ours"
_SOURCE = "http://scap.nist.gov/schema/scap/source/1.2"
_XCCDF = "http://checklists.nist.gov/xccdf/1.2"


def datastream(platform: str = "cpe:/o:debian:debian_linux:12", version: str = "1.2.3", head: str = "") -> bytes:
    named = f'<x:platform idref="{platform}"/>' if platform else ""
    return f"""<?xml version="1.0"?>{head}<d:data-stream-collection xmlns:d="{_SOURCE}" xmlns:x="{_XCCDF}">
      <d:component id="c"><x:Benchmark id="xccdf_org.example_benchmark_ours"><x:title>Our own guide</x:title>{named}
        <x:version>{version}</x:version>
        <x:Profile id="{_BASE}"><x:title>Basic &amp; small</x:title></x:Profile>
        <x:Profile id="{_BASE}_pci"><x:title>PCI DSS</x:title></x:Profile>
        <x:Group id="g"><x:Rule id="r1"/><x:Group id="h"><x:Rule id="r2"/></x:Group></x:Group>
      </x:Benchmark></d:component></d:data-stream-collection>""".encode()


def tailoring(extends: str = _BASE, more: str = "") -> bytes:
    return f"""<?xml version="1.0"?><x:Tailoring xmlns:x="{_XCCDF}" id="xccdf_org.example_tailoring_ours">
      <x:benchmark href="ssg-debian12-ds.xml"/><x:version time="2026-01-01T00:00:00">7</x:version>
      <x:Profile id="{_OURS}" extends="{extends}"><x:title>What we hold to</x:title>{more}</x:Profile>
    </x:Tailoring>""".encode()


async def upload(api: Compliance, content: bytes, query: str = "?name=ours.xml", *, status: int = 201) -> Any:
    """Send a file as the body; return the guide, or the sentence of the refusal."""
    url = f"{api.url}/api/v1/compliance/benchmarks{query}"
    kind = {"Content-Type": "application/octet-stream"}
    async with api.session.post(url, data=content, headers={**api.headers, **kind}) as answer:
        found = await answer.json()
        assert answer.status == status, found
    return found if status == 201 else found["error"]


async def known(api: Compliance) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("benchmarks"))["benchmarks"]
    return found


async def on_debian(call: Call, host: str) -> None:
    await call.db.execute("update hosts set os_type = 'Debian', os_version = '12' where uuid = %(host)s", host=host)


async def test_an_uploaded_guide_is_listed_offered_handed_out_and_deleted(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await on_debian(call, host)
    content = datastream()
    made = await upload(api, content, "?name=../etc/my%20guide.xml")
    assert (made["kind"], made["origin"], made["name"]) == ("datastream", "uploaded", "my guide.xml")
    assert (made["title"], made["version"], made["rules"]) == ("Our own guide", "1.2.3", 2)
    assert (made["systems"], made["size_bytes"]) == (["debian12"], len(content))
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert [one["title"] for one in made["profiles"]] == ["Basic & small", "PCI DSS"]
    assert made["uploaded_by"]
    assert await known(api) == [made]
    assert await upload(api, content, status=409) == "This file is there already, as Our own guide"

    profiles = await api.get(f"profiles?host_id={host}")
    assert {
        "id": f"{_BASE}_pci",
        "name": "PCI DSS",
        "type": "openscap",
        "default": False,
        "guide": "Our own guide",
    } in (profiles)
    # Existing agents have it under the name that they ask for, beside ours.
    assert await agent.ask("GET", "/compliance/ssg-version") == (
        200, {"version": "1.2.3", "files": ["ssg-debian12-ds.xml"]},
    )  # fmt: skip
    for path in ("ssg-content/ssg-debian12-ds.xml", f"benchmarks/{made['id']}/file"):
        headers = agent.headers if path.startswith("ssg") else api.headers
        async with api.session.get(f"{api.url}/api/v1/compliance/{path}", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, content)

    newer = await upload(api, bz2.compress(datastream(version="1.2.4")), "?name=ours.xml.bz2")
    assert (newer["name"], newer["version"]) == ("ours.xml", "1.2.4")
    _, chosen = await agent.ask("GET", "/compliance/guide?names=ssg-debian12-ds.xml&profile=level1_server")
    assert (chosen["sha256"], chosen["tailoring"]) == (newer["sha256"], None)
    status, _ = await agent.ask("GET", "/compliance/guide?names=ssg-debian11-ds.xml,nonsense")
    assert status == 404

    await api.ask("POST", f"/hosts/{host}/integrations/compliance/default-profile", {"profile_id": _BASE})
    # The older one has the profile as well.
    await api.ask("DELETE", f"/compliance/benchmarks/{newer['id']}", status=204)
    refused = await api.ask("DELETE", f"/compliance/benchmarks/{made['id']}", status=409)
    assert refused["error"] == "It has the default profile of 1 host (old-01). Give it another one first"
    await api.ask("POST", f"/hosts/{host}/integrations/compliance/default-profile", {"profile_id": None})
    await api.ask("DELETE", f"/compliance/benchmarks/{made['id']}", status=204)
    await api.ask("DELETE", f"/compliance/benchmarks/{made['id']}", status=404)
    assert await known(api) == []
    assert await call.db.value("select count(*) from compliance_guide_pieces") == 0


async def test_a_tailoring_file_goes_with_its_guide_and_only_with_it(api: Compliance, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await on_debian(call, host)
    assert "which no guide here has" in await upload(api, tailoring(), status=400)
    await upload(api, datastream())
    assert "xccdf_org.example_profile_no, which no guide" in (
        await upload(api, tailoring("xccdf_org.example_profile_no"), status=400)
    )
    assert "extends none" in await upload(api, tailoring("").replace(b' extends=""', b""), status=400)
    assert "has not the profiles" in await upload(api, tailoring(), "?system=rhel9", status=400)
    made = await upload(api, tailoring())
    assert (made["kind"], made["systems"], made["version"]) == ("tailoring", ["debian12"], "7")
    assert made["profiles"] == [{"id": _OURS, "title": "What we hold to", "extends": _BASE}]

    _, chosen = await agent.ask("GET", f"/compliance/guide?names=ssg-debian12-ds.xml&profile={_OURS}")
    assert chosen["tailoring"] == made["sha256"]
    url = f"{api.url}/api/v1/compliance/tailoring/{made['sha256']}"
    async with api.session.get(url, headers=agent.headers) as answer:
        assert await answer.read() == tailoring()
    # Existing agents take no such files: it is said, and not offered.
    refused = await api.trigger(host, profile_id=_OURS, status=400)
    assert refused["error"].startswith("This host's agent cannot take tailoring files")
    assert _OURS not in {one["id"] for one in await api.get(f"profiles?host_id={host}")}
    assert _OURS in {one["id"] for one in await api.get("profiles")}
    many = await api.post("trigger/bulk", {"hostIds": [host], "profile_id": _OURS})
    assert "cannot take tailoring files" in many["results"][0]["error"]


def _bomb() -> bytes:
    piece = bz2.compress(b"<" * (64 * 1024 * 1024))
    return piece * 2


def _archive() -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ssg-debian12-ds.xml", datastream())
    return kept.getvalue()


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
HOSTILE: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "nothing": (lambda: b"", 400, "It is no whole XML: no element found, line 1"),
    "no XML": (lambda: b"\x7fELF" + bytes(100), 400, "It is no whole XML"),
    "an entity that reads a file": (
        lambda: datastream(head='<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>').replace(b"Basic", b"&e;"),
        400, "It declares a document type (DOCTYPE)",
    ),
    "an entity that asks a server": (
        lambda: datastream(head='<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'), 400, "(DOCTYPE)",
    ),
    "a billion laughs": (
        lambda: datastream(head=f"<!DOCTYPE a [{_LAUGHS}]>").replace(b"Basic", b"&l9;"), 400, "(DOCTYPE)",
    ),
    "undeclared entities": (lambda: datastream().replace(b"Basic", b"&e;"), 400, "undefined entity"),
    "endless nesting": (
        lambda: datastream().replace(b'<x:Group id="g">', b"<x:Group>" * 100_000), 400, "more than 200 deep",
    ),
    "half of it": (lambda: datastream()[:-200], 400, "It is no whole XML"),
    "another alphabet": (
        lambda: datastream().replace(b'"1.0"?', b'"1.0" encoding="klingon"?'), 400, "alphabet that cannot be read",
    ),
    "letters that are none": (lambda: datastream().replace(b"Basic", b"\xff\xfe\x80"), 400, "not well-formed"),
    "an archive": (_archive, 400, "This is a ZIP archive"),
    "half a packed file": (lambda: gzip.compress(datastream())[:-20], 400, "It is packed, and cannot be unpacked"),
    "a packed bomb": (_bomb, 413, "A datastream may have at most 100 MB"),
    "a large tailoring file": (
        lambda: tailoring(more=f"<!--{'x' * 2_100_000}-->"), 413, "A tailoring file may have at most 2 MB",
    ),
    "a result": (f'<x:TestResult xmlns:x="{_XCCDF}"/>'.encode, 400, "This is the result of a scan"),
    "a benchmark alone": (f'<x:Benchmark xmlns:x="{_XCCDF}"/>'.encode, 400, "without its checks"),
    "another document": (lambda: b"<html/>", 400, "neither a datastream nor a tailoring file: html"),
    "no profile": (lambda: re.sub(rb"<x:Profile.*</x:Profile>", b"", datastream(), flags=re.DOTALL), 400, "no profile"),
    "a name for a shell": (lambda: datastream().replace(_BASE.encode(), b"$(reboot)"), 400, "cannot be used"),
    "no system": (lambda: datastream(""), 400, "It does not say which system it is for"),
    "a strange system": (lambda: datastream("cpe:/o:acme:os:1"), 400, "not known here (cpe:/o:acme:os:1)"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_guide_is_refused_with_the_reason_and_leaves_nothing(
    api: Compliance, call: Call, name: str
) -> None:
    make, status, reason = HOSTILE[name]
    assert reason in await upload(api, make(), status=status)
    assert await known(api) == []
    assert await call.db.value("select count(*) from compliance_guide_pieces") == 0


async def test_more_than_may_be_is_given_up_while_it_arrives(api: Compliance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uploading.MOST, "datastream", 1)
    assert "at most 1 MB" in await upload(api, datastream() + b" " * 1_100_000, status=413)


async def test_a_system_may_be_named_where_the_guide_names_none(api: Compliance) -> None:
    made = await upload(api, datastream(""), "?name=a.xml&system=debian12&system=debian13")
    assert made["systems"] == ["debian12", "debian13"]
    assert "not 'Debian 12'" in await upload(api, datastream("", "9"), "?system=Debian%2012", status=400)


async def test_people_upload_on_a_page_and_see_what_there_is(
    client: Browser, api: Compliance, call: Call, enrol: Enrol
) -> None:
    _, host = await enrol()
    await on_debian(call, host)
    await sign_in_as(client, call, "superadmin")
    page = await (await client.get("/compliance/benchmarks", headers=HTML)).text()
    assert "Nothing was uploaded" in page
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token is not None
    form = FormData({"csrf": token[1], "system": ""})
    form.add_field("file", datastream(), filename="ours.xml", content_type="text/xml")
    page = await (await client.post("/compliance/benchmarks", data=form, headers=HTML)).text()
    for words in (
        "The datastream Our own guide was uploaded: 2 profiles for debian12.",
        "PCI DSS",
        "ours.xml, SHA-256",
        "Version 1.2.3, 2 rules, 0.7 kB. Uploaded ",
    ):
        assert words in page, words
    # The page's script sends large ones as they are.
    headers = {**HTML, "X-CSRF-Token": token[1], "Content-Type": "application/octet-stream"}
    answer = await client.post("/compliance/benchmarks?name=t.xml", data=tailoring(), headers=headers)
    assert "The tailoring file What we hold to was uploaded" in await answer.text()
    answer = await client.post("/compliance/benchmarks", data=b"<html/>", headers=headers)
    assert "neither a datastream nor a tailoring file" in await answer.text()

    page = await (await client.get(f"/compliance/hosts/{host}", headers=HTML)).text()
    assert "cannot take tailoring files" not in page, "its agent is not connected: no scan is offered"
    assert '<optgroup label="Our own guide">' in page
    chosen = {"csrf": token[1], "profile_id": f"{_BASE}_pci"}
    answer = await client.post(f"/compliance/hosts/{host}/default-profile", data=chosen, headers=HTML)
    assert f'value="{_BASE}_pci" selected' in await answer.text()
    guides = await known(api)
    for one, words in ((guides[0], "was deleted"), (guides[1], "It has the default profile of 1 host (old-01)")):
        answer = await client.post(f"/compliance/benchmarks/{one['id']}/delete", data={"csrf": token[1]}, headers=HTML)
        assert words in await answer.text()


@needs_oscap
@pytest.mark.real
@pytest.mark.xdist_group("debian-roots")
async def test_a_host_is_scanned_by_the_uploaded_guide_as_it_was_tailored(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    names = names_here()
    if not names:
        pytest.skip("this system has no security guide by name")
    content = guide(tmp_path / "made", tmp_path / "watched", names[0]).read_bytes()
    (tmp_path / "empty").mkdir()
    running = house.server(unused_tcp_port_factory(), SSG_CONTENT_DIR=str(tmp_path / "empty"))
    await running.start()
    await settings.change(house.call, {"default_compliance_mode": "on-demand"})
    agent = await house.agent("box", running.port)
    await agent.start()
    left_out = f'<x:select idref="{RULE}fixable" selected="false"/>'
    async with ClientSession() as session:
        api = Compliance(session, running.url, await bearer(house.call))
        host = str(await house.call.db.value("select uuid from hosts"))
        async with asyncio.timeout(30):
            while await house.call.db.value("select agent_hello is null from hosts"):
                await asyncio.sleep(0.1)
        system = names[0].removeprefix("ssg-").removesuffix("-ds.xml")
        made = await upload(api, content, f"?name=tiny.xml&system={system}")
        await upload(api, tailoring(f"{_BASE}_level1_server", left_out))
        await api.trigger(host, profile_id=_OURS)
        scan = await api.scanned(1)
        assert (scan["status"], scan["profile_id"]) == ("completed", _OURS), scan
        seen = {one["rule_ref"] for one in (await api.get(f"results/{scan['id']}"))["results"]}
        assert seen == {f"{RULE}passes", f"{RULE}unfixable", f"{RULE}unchecked"}
        kept = agent.folder / "state"
        assert [hashlib.sha256(one.read_bytes()).hexdigest() for one in kept.rglob("ssg-*-ds.xml")] == [made["sha256"]]
        # What its guide does not have is said as the scanner's own failure.
        await api.trigger(host, profile_id="xccdf_org.example_profile_strange")
        scan = await api.scanned(2)
        assert scan["status"] == "failed"
        assert scan["error_message"].startswith("There is no profile xccdf_org.example_profile_strange in ssg-"), scan
