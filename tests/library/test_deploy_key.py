"""Projects over SSH from a real sshd: with a deploy key and the host's key, and refused without them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Final

import pytest

from server.library import git
from server.library.errors import BadProject
from tests.library.test_git import commit, repo_git
from tests.library.test_projects import SITE

SSHD: Final = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
CONFIG: Final = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/sshd.pid
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
"""
pytestmark = pytest.mark.real


@dataclass
class Shelf:
    """A repository behind sshd, and the keys to it."""

    url: str
    port: int
    revision: str
    private_key: str
    known_hosts: str


def key(folder: Path, name: str) -> str:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True)
    return (folder / name).read_text()


@pytest.fixture
async def shelf(tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> AsyncIterator[Shelf]:
    if SSHD is None:
        pytest.skip("no sshd on this machine: apt-get install openssh-server")
    if os.geteuid() != 0:
        pytest.skip("only root's sshd lets root in")
    folder, port = tmp_path / "ssh", unused_tcp_port_factory()
    folder.mkdir()
    key(folder, "host")
    private = key(folder, "user")
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    repository = tmp_path / "repo"
    repository.mkdir()
    repo_git(repository, "init", "-q", "-b", "main")
    revision = commit(repository, site__yml=SITE)
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(SSHD, "-D", "-e", "-f", str(folder / "config"), stderr=log)
        await asyncio.sleep(0.5)
        assert server.returncode is None, (folder / "log").read_text()
        public = (folder / "host.pub").read_text().split()
        # What a person pastes: the host's line as ssh-keyscan prints it.
        known = f"localhost {public[0]} {public[1]}\n"
        yield Shelf(f"ssh://root@localhost:{port}{repository}", port, revision, private, known)
        server.terminate()
        await server.wait()


async def fetched(shelf: Shelf, **secrets: str) -> tuple[git.Fetched, list[str]]:
    said: list[str] = []
    told = {"private_key": shelf.private_key, "known_hosts": shelf.known_hosts, **secrets}
    return await git.fetch_files(git.Source(shelf.url, "main", told, key=True), said.append), said


async def test_a_deploy_key_opens_a_repository_whose_host_is_known(shelf: Shelf) -> None:
    found, said = await fetched(shelf)
    assert (found.revision, sorted(found.files)) == (shelf.revision, ["site.yml"])
    assert not any("PRIVATE" in line for line in said)
    # Windows' line ends, as they come when somebody pastes a key.
    found, _ = await fetched(shelf, private_key=shelf.private_key.replace("\n", "\r\n"))
    assert found.revision == shelf.revision


async def test_without_a_known_host_the_first_one_is_taken(shelf: Shelf) -> None:
    found, said = await fetched(shelf, known_hosts="")
    assert found.revision == shelf.revision
    assert any("Permanently added" in line for line in said), said


async def test_another_key_or_another_host_is_refused_in_words(shelf: Shelf, tmp_path: Path) -> None:
    other = key(tmp_path, "other")
    with pytest.raises(BadProject, match="The key is not accepted there: add its public half"):
        await fetched(shelf, private_key=other)
    kind, data, *_ = (tmp_path / "other.pub").read_text().split()
    with pytest.raises(BadProject, match="host key is not among the known hosts"):
        await fetched(shelf, known_hosts=f"localhost {kind} {data}\n")
    with pytest.raises(BadProject, match="The private key cannot be read"):
        await fetched(shelf, private_key="no key at all")
