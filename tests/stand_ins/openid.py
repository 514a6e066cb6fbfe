"""The real OpenID provider of the tests: an npm package, installed once from its lock file, run as a process."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession

from tools import vendor

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = Path(__file__).parent / "oidc_provider"
CLIENT: Final = "patchmon"
SECRET: Final = "a secret: with/odd+signs="
#: What its own sign-in page takes from everyone.
ANY_PASSWORD: Final = "whatever"


class CannotInstall(Exception):
    """npm could not bring the package; the text is its end of the story."""


def installed() -> Path:
    """Return the folder with the package in it; a second call costs nothing, and two at once wait for each other."""
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = ROOT / "build" / f"oidc-provider-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", "provider.mjs"):
            shutil.copyfile(SOURCE / name, folder / name)
        if not (folder / ".done").exists():
            _install(folder)
            (folder / ".done").touch()
    return folder


def _install(folder: Path) -> None:
    npm = vendor.npm_command()
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])}
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CannotInstall(result.stderr[-1000:])


@dataclass
class OpenId:
    """The provider, listening; it can be stopped and started again."""

    folder: Path
    settings: dict[str, Any]
    log: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.settings['port']}"

    async def start(self) -> None:
        node = vendor.npm_command()[0]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                node, "provider.mjs", json.dumps(self.settings), cwd=self.folder, stdout=log, stderr=log
            )
        async with ClientSession() as asking, asyncio.timeout(30):
            while True:
                assert self.process.returncode is None, self.log.read_text()
                with contextlib.suppress(ClientError):
                    async with asking.get(f"{self.url}/.well-known/openid-configuration") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def set_people(self, people: dict[str, Any]) -> None:
        """Say who there is, by the name they sign in with."""
        async with ClientSession() as asking, asking.put(f"{self.url}/-/people", json=people) as answer:
            assert answer.status == 204


@asynccontextmanager
async def running(folder: Path, port: int, home: str, people: dict[str, Any], **more: Any) -> AsyncIterator[OpenId]:
    """Run one for the server at ``home``, with a log in ``folder``."""
    settings = {
        "port": port,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{home}/api/v1/auth/oidc/callback"],
        "post_logout_redirect_uris": [f"{home}/login"],
        "people": people,
        **more,
    }
    package = await asyncio.to_thread(installed)
    openid = OpenId(package, settings, folder / "provider.log")
    await openid.start()
    try:
        yield openid
    finally:
        await openid.stop()
