"""A controller as people have it: ansible-core alone in an environment of its own, with our collections installed."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "collections" / "ansible_collections" / "patchmon"
CORE = "ansible-core==2.19.*"


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    code: int
    out: str
    errors: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.out + self.errors
        return orjson.loads(self.out)


@dataclass
class Controller:
    """ansible-core's programs with built and installed collections, in a folder of its own."""

    bin: Path
    collections: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def run(self, program: str, *words: str, **more: str) -> Answer:
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_NOCOLOR": "true",
            **self.environment,
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            str(self.bin / program),
            *words,
            env=environment,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(200):
            out, errors = await process.communicate()
        # Ansible folds what it says to the width of a terminal that is not there.
        return Answer(process.returncode or 0, out.decode(), errors.decode())

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


def core(cache: Path) -> Path:
    """Return the programs of an environment that holds ansible-core and nothing of ours; made once."""
    if not (cache / ".complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache)], check=True)
        pip = [str(cache / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", CORE]
        subprocess.run(pip, check=True)
        (cache / ".complete").touch()
    return cache / "bin"


def built(programs: Path, folder: Path) -> Path:
    """Build both collections, install what was built, and return where."""
    installed = folder / "installed"
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"}
    galaxy = str(programs / "ansible-galaxy")
    for name in ("fleet", "dynamic_inventory"):
        build = [galaxy, "collection", "build", str(COLLECTIONS / name), "--output-path", str(folder)]
        subprocess.run(build, check=True, env=environment, capture_output=True)
        (file,) = folder.glob(f"patchmon-{name}-*.tar.gz")
        install = [galaxy, "collection", "install", "--offline", str(file), "-p", str(installed)]
        subprocess.run(install, check=True, env=environment, capture_output=True)
    return installed
