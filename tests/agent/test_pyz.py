"""The built file: small, the same every time, started by every Python from 3.9 on, and able to run a play."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible.parsing.yaml.loader import AnsibleLoader

from agent import __version__
from agent.protocol import archive
from agent.supervise import zygote
from tests.agent.conftest import CLEAN, ROOT, Agent
from tests.agent.test_jobs import offer
from tests.stand_ins.agent_server import AgentServer
from tools.build_agent import documentation

pytestmark = pytest.mark.real
OLDEST = ("3.9", "3.10", "3.11", "3.12", "3.13")


def build(target: Path) -> Path:
    subprocess.run([sys.executable, "tools/build_agent.py", "--output", str(target)], check=True, cwd=ROOT)
    return target


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist") / "patchmon-agent.pyz")


def version_of(python: str) -> tuple[int, ...]:
    """Return what an interpreter says it is; nothing when there is none."""
    ask = [python, "-c", "import sys; print(sys.version_info[0], sys.version_info[1])"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False) if shutil.which(python) else None
    return tuple(map(int, done.stdout.split())) if done and done.returncode == 0 else ()


def interpreters() -> list[str]:
    """Return one interpreter of each version this machine really has."""
    candidates = [sys.executable, *(f"python{version}" for version in OLDEST)]
    candidates += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))]
    found: dict[tuple[int, ...], str] = {}
    for candidate in candidates:
        found.setdefault(version_of(candidate), candidate)
    return [python for version, python in found.items() if version >= (3, 9)]


@pytest.mark.proves("AGENT-PLAT-09")
def test_it_is_small_and_always_the_same(pyz: Path, tmp_path: Path) -> None:
    assert pyz.stat().st_size <= 4 * 1024 * 1024
    assert build(tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()
    names = zipfile.ZipFile(pyz).namelist()
    assert not [
        name for name in names if name.endswith((".so", ".pyc", ".c")) or "/." in name or "tests" in name.split("/")
    ]
    assert os.access(pyz, os.X_OK)


def test_it_knows_what_is_built_in(pyz: Path) -> None:
    told = json.loads(zipfile.ZipFile(pyz).read("build.json"))
    digest = archive.digest(archive.pack(archive.read_folder(ROOT / "playbooks")))
    assert told["builtin_projects"] == [digest]
    assert told["version"] == __version__
    assert told["ansible"].startswith("2.19.")
    assert told["collection"]


@pytest.mark.parametrize("python", interpreters())
def test_every_python_from_the_oldest_on(pyz: Path, tmp_path: Path, python: str) -> None:
    version = subprocess.run([python, str(pyz), "version"], capture_output=True, text=True, check=True, env=CLEAN)
    assert version.stdout == f"PatchMon Agent v{__version__}\n"
    command = [python, str(pyz), "--config", str(tmp_path / "config.yml"), "report", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=CLEAN)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packages"]


def test_an_older_python_is_told_so(pyz: Path) -> None:
    old = next(iter(sorted(Path.home().glob(".pyenv/versions/3.[678].*/bin/python3"))), None)
    if old is None:
        pytest.skip("no Python older than 3.9 on this machine")
    done = subprocess.run([old, str(pyz), "version"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("patchmon-agent needs Python 3.9 or newer; this is Python 3.")


def test_it_unpacks_once_and_privately(pyz: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(pyz), "--config", str(tmp_path / "config.yml"), "diagnostics"]
    subprocess.run(command, capture_output=True, check=True, env=CLEAN)
    folder = tmp_path / "state" / hashlib.sha256(pyz.read_bytes()).hexdigest()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made = folder.stat().st_ino
    subprocess.run(command, capture_output=True, check=True, env=CLEAN)
    assert folder.stat().st_ino == made
    # What somebody else may have written is not run but replaced.
    folder.chmod(0o777)
    (folder / "agent" / "cli.py").write_text("raise SystemExit('planted')")
    done = subprocess.run(command, capture_output=True, check=True, env=CLEAN)
    assert b"planted" not in done.stderr
    assert folder.stat().st_ino != made


def test_nothing_around_it_is_imported(pyz: Path, tmp_path: Path) -> None:
    for name in ("yaml", "agent", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    command = [sys.executable, str(pyz), "--config", str(tmp_path / "config.yml"), "config", "show"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**CLEAN, "PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0
    assert "planted" not in done.stderr


def test_a_damaged_file_says_so(pyz: Path, tmp_path: Path) -> None:
    content = bytearray(pyz.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    damaged = tmp_path / "damaged.pyz"
    damaged.write_bytes(content)
    command = [sys.executable, str(damaged), "--config", str(tmp_path / "config.yml"), "diagnostics"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=CLEAN)
    assert done.returncode == 1
    assert "cannot be unpacked" in done.stderr
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.proves("AGENT-PLAT-10")
async def test_the_service_is_small_and_runs_plays(pyz: Path, agent: Agent, server: AgentServer) -> None:
    agent.command = [sys.executable, str(pyz)]
    agent.configure(server.url, automation="any")
    process = await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/update"), 60)
    job = offer(server)
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job) or server.store.declined.get(job.job), 90)
    assert getattr(end, "status", end) == "succeeded"
    assert "hello from a play" in server.store.text(job.job)
    assert resident_kib(process.pid) <= 35 * 1024
    assert not listening_sockets(process.pid)


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def listening_sockets(pid: int) -> set[str]:
    own = {str(handle.readlink()) for handle in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"} & own


def test_what_the_build_read_ahead_is_what_the_files_say(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as built:
        known = json.loads(built.read("ansible/config/read.json"))
        loaders: dict[str, type[yaml.BaseLoader | yaml.SafeLoader]] = {
            "ansible_builtin_runtime.yml": yaml.BaseLoader,
            "base.yml": yaml.SafeLoader,
        }
        for name, loader in loaders.items():
            content = built.read(f"ansible/config/{name}")
            assert known.pop(f"{loader.__name__} {hashlib.sha256(content).hexdigest()}") == yaml.load(content, loader)
        texts = list(documentation({name: built.read(name) for name in built.namelist() if name.endswith(".py")}))
    read = [text for text in texts if known.pop(f"AnsibleLoader {hashlib.sha256(text.encode()).hexdigest()}", "")]
    assert known == {}
    assert len(read) > 30
    trusted = TrustedAsTemplate()
    for text in (*read, "options: {place: {default: '{{ home }}/x', env: [{name: PLACE}]}}"):
        theirs = yaml.load(trusted.tag(text), AnsibleLoader)
        ours = zygote.as_trusted(json.loads(json.dumps(yaml.safe_load(text))), trusted)
        assert ours == theirs
        assert templates(ours) == templates(theirs)
    assert templates(ours) == ["{{ home }}/x"]


def templates(value: object) -> list[str]:
    """Return the texts that Ansible may evaluate, in order."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for one in inner for text in templates(one)]
    return [value] if isinstance(value, str) and "{" in value and TrustedAsTemplate.is_tagged_on(value) else []
