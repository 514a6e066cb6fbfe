"""Whether something newer exists: a real registry, one in the manner of Docker Hub, and registries out of temper."""

import asyncio
import hashlib
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.core import fetch
from server.core.call import Call
from server.core.env import Env
from server.docker import references, tasks
from tests.conftest import Browser
from tests.docker.fleets import announced, ask, image, reported, snapshot, tell
from tests.factories.people import HTML
from tests.stand_ins import registry as stand_in

NAME: Final = "registry.example.test"
OLD, NEW, MEMBER = (f"sha256:{letter * 64}" for letter in "abc")
NEWS: Final = "container_image_update_available"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of an authority of our own; the folder holds both, and the key."""
    folder = tmp_path_factory.mktemp("registry")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    return folder


@pytest.fixture
def env(env: Env, certificate: Path) -> Env:
    """An operator who trusts that authority, and opened this machine."""
    return replace(env, authorities=certificate / "cert.pem", outbound_allow_private="127.0.0.0/8")


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """The registry's name leads to this machine."""

    async def lookup(host: str, port: int) -> list[str]:
        assert port
        return ["127.0.0.1"] if host == NAME else []

    fetch.set_lookup(lookup)
    yield
    fetch.set_lookup(None)


@pytest.fixture
async def hub(certificate: Path) -> AsyncIterator[stand_in.Registry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with stand_in.running(stand_in.Registry(), context) as running:
        yield running


async def images(client: Browser, call: Call) -> dict[str, dict[str, Any]]:
    told = (await ask(client, call, "/docker/images"))["images"]
    return {f"{one['repository'].rpartition('/')[2]}:{one['tag']}": one for one in told}


async def due(call: Call) -> None:
    """Let the clock have come round."""
    await call.db.execute("update docker_references set due_at = now() - interval '1 minute'")
    await call.db.execute("update docker_registries set paused_until = null")
    await tasks.check_updates(Call(call.world, call.actor))


@pytest.mark.proves("DOCKER-13", "DOCKER-88", "DOCKER-52")
async def test_newer_builds_and_newer_versions_are_found_once(
    client: Browser, as_admin: Browser, call: Call, hub: stand_in.Registry
) -> None:
    at = f"{NAME}:{hub.port}"
    hub.manifests = {
        ("team/app", "1.4"): (NEW, [MEMBER]),
        ("team/same", "latest"): (OLD, []),
        ("team/platform", "latest"): (NEW, [OLD, MEMBER]),
        ("team/web", "1.9-alpine"): (OLD, []),
    }
    hub.tags = {
        "team/app": ["1.4"],
        "team/web": ["1.9-alpine", "1.10-alpine", "1.11", "1.10.1-alpine", "2.0-alpine", "latest", "1.8-alpine"],
    }
    told = snapshot(
        [],
        [
            image(f"{at}/team/app", "1.4", digest=OLD, image_id="1"),
            image(f"{at}/team/same", "latest", digest=f"{at}/team/same@{OLD}", image_id="2"),
            image(f"{at}/team/platform", "latest", digest=OLD, image_id="3"),
            image(f"{at}/team/web", "1.9-alpine", digest=OLD, image_id="4"),
            image(f"{at}/team/gone", "1.0", digest=OLD, image_id="5"),
            image("built-here", "dev", source="local", image_id="6"),
            image("localhost:5000/mine", "1.0", digest=OLD, image_id="7"),
        ],
    )
    agent = await reported(call, client, "web-01", told)
    async with announced(call, NEWS) as heard:
        await due(call)
        await due(call)
    found = await images(client, call)
    newer = {
        name: (one["available_tag"], one["available_digest"]) for name, one in found.items() if one["update_available"]
    }
    assert newer == {"app:1.4": (None, NEW), "web:1.9-alpine": ("2.0-alpine", None)}
    assert sorted((one["image"].rpartition("/")[2], one["available"], one["hosts"]) for one in heard) == [
        ("app:1.4", NEW, 1), ("web:1.9-alpine", "2.0-alpine", 1),
    ], "each once, however often it is looked at"  # fmt: skip
    assert (await ask(client, call, "/docker/dashboard"))["stats"]["updatesAvailable"] == 2
    assert [one["tag"] for one in (await ask(client, call, "/docker/images?updates=true"))["images"]] == [
        "1.4",
        "1.9-alpine",
    ]
    assert "does not have this tag" in found["gone:1.0"]["check_problem"]
    assert "Only the host itself" in found["mine:1.0"]["check_problem"]
    assert found["built-here:dev"]["checked_at"] is None
    assert hub.tokens == 10, "one token per image and visit"
    text = await (await as_admin.get(f"/docker/images/{found['app:1.4']['id']}", headers=HTML)).text()
    assert NEW in text
    assert "Newest build of 1.4" in text
    assert [
        one["available_digest"]
        for one in (await ask(client, call, f"/docker/images/{found['app:1.4']['id']}"))["updates"]
    ] == [NEW]
    again = await ask(client, call, f"/docker/images/{found['app:1.4']['id']}/check", method="POST")
    assert again["message"] == "The registry is asked again"
    # The host pulls it: then nothing is newer, without anybody asking the registry again.
    asked = len(hub.asked)
    told["images"][0] |= {"image_id": "8", "digest": NEW}
    await tell(agent, snapshot([], told["images"]))
    assert not (await images(client, call))["app:1.4"]["update_available"]
    assert len(hub.asked) == asked


@pytest.mark.proves("DOCKER-13")
async def test_a_registry_that_is_away_or_asks_us_to_wait_is_left_alone(
    client: Browser, as_admin: Browser, call: Call, hub: stand_in.Registry
) -> None:
    at = f"{NAME}:{hub.port}"
    hub.manifests = {("team/app", "1"): (NEW, []), ("team/web", "1"): (OLD, [])}
    both = [
        image(f"{at}/team/app", "1", digest=OLD, image_id="1"),
        image(f"{at}/team/web", "1", digest=OLD, image_id="2"),
    ]
    await reported(call, client, "web-01", snapshot([], both))
    await due(call)
    assert (await images(client, call))["app:1"]["update_available"]
    hub.status, hub.retry_after = 429, "3600"
    before = len(hub.asked)
    await due(call)
    await tasks.check_updates(Call(call.world, call.actor))
    assert len(hub.asked) == before + 1, "one question is enough to hear that there are too many"
    (told,) = (await ask(client, call, "/docker/dashboard"))["registries"]
    assert (told["registry"], told["problem"]) == (at, f"{at} asks us to wait: too many requests")
    waits = datetime.fromisoformat(told["paused_until"]) - call.now
    assert timedelta(minutes=59) < waits < timedelta(minutes=62)
    assert (await images(client, call))["app:1"]["update_available"], "what is known stays"
    for path in ("/docker/images", "/docker/cards"):
        assert "asks us to wait" in await (await as_admin.get(path, headers=HTML)).text()
    hub.retry_after = ""
    for status, says in ((429, "asks us to wait"), (503, "answers 503")):
        hub.status = status
        await due(call)
        (told,) = (await ask(client, call, "/docker/dashboard"))["registries"]
        assert says in told["problem"]
    longer = datetime.fromisoformat(told["paused_until"]) - call.now
    assert longer > timedelta(minutes=50), "longer each time"
    hub.status, hub.private = 200, True
    await due(call)
    assert (await ask(client, call, "/docker/dashboard"))["registries"] == []
    assert "wants a sign-in" in (await images(client, call))["app:1"]["check_problem"]


async def test_nobody_is_led_into_the_server_s_own_network(client: Browser, call: Call, hub: stand_in.Registry) -> None:
    await reported(call, client, "web-01", snapshot([], [image(f"{NAME}:{hub.port}/x", "1", digest=OLD)]))
    closed = replace(call.world, env=replace(call.world.env, outbound_allow_private=""))
    await tasks.check_updates(Call(closed, call.actor))
    assert hub.asked == []
    (told,) = (await ask(client, call, "/docker/dashboard"))["registries"]
    assert "is an address of a private network" in told["problem"]


@pytest.mark.proves("DOCKER-13")
@pytest.mark.skipif(shutil.which("docker-registry") is None, reason="needs docker-registry")
async def test_a_real_registry(
    client: Browser, call: Call, certificate: Path, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port = unused_tcp_port_factory()
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "store")}},
        "http": {
            "addr": f"127.0.0.1:{port}",
            "tls": {"certificate": str(certificate / "cert.pem"), "key": str(certificate / "key.pem")},
        },
    }
    (tmp_path / "config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "docker-registry", "serve", str(tmp_path / "config.yml"), stdout=quiet, stderr=quiet
    )
    try:
        context = ssl.create_default_context(cafile=certificate / "cert.pem")
        context.check_hostname = False
        async with aiohttp.ClientSession(
            f"https://127.0.0.1:{port}", connector=aiohttp.TCPConnector(ssl=context)
        ) as push:
            await _there(port)
            first = await _push(push, "team/app", "1.0", b"one")
            told = snapshot([], [image(f"{NAME}:{port}/team/app", "1.0", digest=first, image_id="1")])
            await reported(call, client, "web-01", told)
            await due(call)
            one = (await images(client, call))["app:1.0"]
            assert (one["update_available"], one["check_problem"]) == (False, None)
            second = await _push(push, "team/app", "1.0", b"two")
            await _push(push, "team/app", "1.1", b"three")
            await due(call)
            one = (await images(client, call))["app:1.0"]
            assert (one["available_digest"], one["available_tag"]) == (second, "1.1")
    finally:
        process.terminate()
        await process.wait()


async def _there(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


async def _push(session: aiohttp.ClientSession, name: str, tag: str, content: bytes) -> str:
    """Push an image of one small layer; return its digest."""
    sizes = {}
    for data in (b"{}", content):
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        async with session.post(f"/v2/{name}/blobs/uploads/") as begun:
            place = begun.headers["Location"].partition(f"{session._base_url}/"[:-1])[2] or begun.headers["Location"]
        sign = "&" if "?" in place else "?"
        async with session.put(f"{place}{sign}digest={digest}", data=data) as done:
            assert done.status == 201, await done.text()
        sizes[digest] = len(data)
    (config, config_size), (layer, layer_size) = sizes.items()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config_size,
            "digest": config,
        },
        "layers": [
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer_size, "digest": layer}
        ],
    }
    headers = {"Content-Type": kind}
    async with session.put(f"/v2/{name}/manifests/{tag}", data=json.dumps(manifest).encode(), headers=headers) as put:
        assert put.status == 201, await put.text()
        return put.headers["Docker-Content-Digest"]


@pytest.mark.parametrize(
    ("tag", "tags", "newest"),
    [
        ("1.27", ["1.26", "1.27", "1.28", "1.28.1", "1.30-alpine", "2.0"], "2.0"),
        ("v1.2.3", ["v1.2.10", "1.3.0", "v1.2.4"], "v1.2.10"),
        ("latest", ["1.0", "2.0"], ""),
        ("12", ["13"], ""),
        ("3.9-slim", ["3.10-slim", "3.11", "3.12-bookworm"], "3.10-slim"),
        ("1.0", ["1.0", "0.9"], ""),
        ("2024.01", ["2024.02", "nonsense", "", "2023.12"], "2024.02"),
    ],
)
def test_only_tags_of_the_same_form_are_newer(tag: str, tags: list[str], newest: str) -> None:
    assert references.newest_of(tag, tags) == newest
