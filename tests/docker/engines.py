"""Engines for the agent: Podman's own service with what can be created here, and a recorded one that runs things."""

import asyncio
import contextlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

VERSION: Final = {
    "Platform": {"Name": "Docker Engine - Community"},
    "Version": "27.3.1",
    "ApiVersion": "1.47",
    "Os": "linux",
    "Arch": "amd64",
    "KernelVersion": "6.1.0-26-amd64",
    "Components": [{"Name": "Engine", "Version": "27.3.1"}, {"Name": "containerd", "Version": "1.7.22"}],
}
NGINX: Final = "sha256:" + "1" * 64
WEB, JOB, STUCK = "a" * 64, "b" * 64, "c" * 64


@dataclass
class Recorded:
    """An engine as Docker 27 answers; ``events`` go to whoever follows it, ``refusals`` are by target."""

    path: Path
    answers: dict[str, Any] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    followers: list[web.StreamResponse] = field(default_factory=list)
    asleep: bool = False

    async def happens(self, action: str, container: str = WEB, **facts: str) -> None:
        """Let something happen to a container."""
        event = {
            "status": action,
            "id": container,
            "from": "nginx:1.27",
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container, "Attributes": {"image": "nginx:1.27", "name": "shop-web-1", **facts}},
            "scope": "local",
            "time": 1767323045,
            "timeNano": 1767323045123456789,
        }
        for follower in self.followers:
            # Who stopped following leaves a line that nobody hears.
            with contextlib.suppress(ConnectionError):
                await follower.write(json.dumps(event).encode() + b"\n")

    async def following(self, seconds: float = 10) -> None:
        """Wait until somebody follows the events."""
        async with asyncio.timeout(seconds):
            while not self.followers:
                await asyncio.sleep(0.02)


def usual() -> dict[str, Any]:
    """What the recorded engine has: a running, an exited and a paused container of one stack."""
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}

    def listed(number: str, name: str, state: str, status: str) -> dict[str, Any]:
        return {
            "Id": number,
            "Names": [f"/{name}"],
            "Image": "nginx:1.27",
            "ImageID": NGINX,
            "Command": "nginx -g 'x'",
            "Created": 1767323000,
            "Labels": labels,
            "State": state,
            "Status": status,
            "Ports": [
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"PrivatePort": 443, "Type": "tcp"},
            ],
            "HostConfig": {"NetworkMode": "shop_default"},
            "Mounts": [],
            "NetworkSettings": {"Networks": {}},
        }

    def looked(state: dict[str, Any]) -> dict[str, Any]:
        return {
            "State": state,
            "RestartCount": 2,
            "Image": NGINX,
            "Config": {
                "Image": "nginx:1.27",
                "Cmd": ["nginx", "-g", "daemon off;"],
                "Entrypoint": ["/docker-entrypoint.sh"],
            },
            "HostConfig": {"NetworkMode": "shop_default", "RestartPolicy": {"Name": "unless-stopped"}},
            "Mounts": [
                {"Type": "volume", "Name": "shop_data", "Source": "/var/lib/x", "Destination": "/data", "RW": True}
            ],
            "NetworkSettings": {"Networks": {"shop_default": {"NetworkID": "d" * 64, "IPAddress": "172.18.0.2"}}},
        }

    return {
        "/_ping": "OK",
        "/version": VERSION,
        "/info": {"MemTotal": 8_000_000_000, "NCPU": 4},
        "/containers/json": [
            listed(WEB, "shop-web-1", "running", "Up 3 hours"),
            listed(JOB, "shop-job-1", "exited", "Exited (137) 2 minutes ago"),
            listed(STUCK, "shop-stuck-1", "paused", "Up 3 hours (Paused)"),
        ],
        f"/containers/{WEB}/json": looked({"Status": "running", "StartedAt": "2026-01-02T03:04:05.123456789Z"}),
        f"/containers/{JOB}/json": looked({"Status": "exited", "ExitCode": 137, "StartedAt": "2026-01-02T03:04:05Z"}),
        f"/containers/{STUCK}/json": looked({"Status": "paused", "StartedAt": "0001-01-01T00:00:00Z"}),
        "/images/json": [
            {
                "Id": NGINX,
                "RepoTags": ["nginx:1.27", "nginx:latest"],
                "RepoDigests": [f"nginx@{NGINX}"],
                "Size": 192_000_000,
                "Created": 1767000000,
                "Labels": None,
            },
            {"Id": "sha256:" + "2" * 64, "RepoTags": None, "RepoDigests": None, "Size": 5, "Created": 1767000000},
            {"Id": "sha256:" + "3" * 64, "RepoTags": ["own:dev"], "RepoDigests": [], "Size": 5, "Created": 1767000000},
        ],
        f"/images/{NGINX}/json": {"Architecture": "amd64", "Os": "linux"},
        f"/images/{NGINX}/history": [{"CreatedBy": "COPY . /", "Size": 12, "Created": 1767000000}],
        "/volumes": {
            "Volumes": [
                {
                    "Name": "shop_data",
                    "Driver": "local",
                    "Mountpoint": "/var/lib/x",
                    "Scope": "local",
                    "Labels": {"a": "b"},
                    "CreatedAt": "2026-01-02T03:04:05Z",
                    "UsageData": {"Size": 4096, "RefCount": 3},
                }
            ]
        },
        "/networks": [
            {
                "Name": name,
                "Id": number * 64,
                "Driver": driver,
                "Scope": scope,
                "Internal": False,
                "Labels": {},
                "Created": "2026-01-02T03:04:05.5Z",
                "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
            }
            for name, number, driver, scope in (
                ("shop_default", "d", "bridge", "local"),
                ("host", "e", "host", "local"),
                ("mesh", "f", "overlay", "swarm"),
                ("lan", "9", "macvlan", "local"),
            )
        ],
    }


@asynccontextmanager
async def recorded(path: Path) -> AsyncIterator[Recorded]:
    """Serve on a UNIX socket until the block ends."""
    engine = Recorded(path, usual())

    async def answer(request: web.Request) -> web.StreamResponse:
        if engine.asleep:
            return web.json_response({"message": "dockerd is starting"}, status=503)
        if request.path == "/events":
            response = web.StreamResponse()
            await response.prepare(request)
            engine.followers.append(response)
            while response in engine.followers:
                await asyncio.sleep(0.02)
            return response
        if request.method == "DELETE":
            target = request.path.partition("/")[2].partition("/")[2]
            if target in engine.refusals:
                return web.json_response({"message": engine.refusals[target]}, status=409)
            engine.deleted.append(request.path)
            return web.Response(status=204)
        found = engine.answers.get(request.path)
        return (
            web.json_response({"message": "no such thing"}, status=404) if found is None else web.json_response(found)
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield engine
    finally:
        engine.followers.clear()
        await runner.cleanup()


@dataclass
class Podman:
    """Podman's service over storage of its own."""

    path: Path
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        async with self.session.post(f"http://d/v1.40{path}", json=body, **options) as answer:
            text = await answer.text()
            assert answer.status < 300, f"{answer.status} {path}: {text}"
            return json.loads(text) if text.startswith("{") else text

    async def fill(self) -> None:
        """Import an image and create two containers, a volume and a network."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            content = tarfile.TarInfo("hello")
            content.size = 2
            archive.addfile(content, io.BytesIO(b"hi"))
        url = "http://d/v4.0.0/libpod/images/import?reference=localhost/hello:1.0"
        async with self.session.post(
            url, data=buffer.getvalue(), headers={"Content-Type": "application/x-tar"}
        ) as answer:
            assert answer.status == 200, await answer.text()
        await self.post("/volumes/create", {"Name": "left-over"})
        await self.post("/networks/create", {"Name": "app", "Driver": "bridge"})
        for name in ("web", "db"):
            body = {
                "Image": "localhost/hello:1.0",
                "Cmd": ["/hello", name],
                "Labels": {"com.docker.compose.project": "shop"},
                "ExposedPorts": {"80/tcp": {}},
                "HostConfig": {
                    "RestartPolicy": {"Name": "always"},
                    "Binds": [f"{name}-data:/data"],
                    "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
                },
            }
            await self.post(f"/containers/create?name={name}", body)


def can_podman() -> str:
    """Return why Podman's service cannot be used here; empty when it can."""
    if shutil.which("podman") is None:
        return "needs podman"
    return "" if os.geteuid() == 0 else "Podman keeps its storage only for root here"


@asynccontextmanager
async def podman(folder: Path) -> AsyncIterator[Podman]:
    """Run Podman's service over a folder until the block ends."""
    path = folder / "podman.sock"
    quiet = asyncio.subprocess.DEVNULL
    # It refuses a folder for what runs whose name has more than fifty letters.
    short = Path(tempfile.mkdtemp(prefix="podman-"))
    storage = ("--root", str(folder / "root"), "--runroot", str(short), "--storage-driver", "vfs")
    process = await asyncio.create_subprocess_exec(
        "podman",
        *storage,
        "--network-config-dir",
        str(folder / "nets"),
        "--cgroup-manager",
        "cgroupfs",
        "system",
        "service",
        "--time",
        "0",
        f"unix://{path}",
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        async with asyncio.timeout(30):
            while not path.is_socket():
                assert process.returncode is None, "podman ended"
                await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            yield Podman(path, session)
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(short, ignore_errors=True)
