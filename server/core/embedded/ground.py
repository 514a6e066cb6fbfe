"""What both services stand on: the data directory, the sockets' directory, the user and the programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.core.embedded import account as accounts
from server.core.embedded import places, programs
from server.core.embedded.secret_file import CLUSTER_NAME

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the services live and who runs them; every directory exists and is safe."""

    data_dir: Path
    runtime_dir: Path
    account: accounts.Account
    programs: programs.Programs

    @property
    def cluster_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self.data_dir / CLUSTER_NAME

    def lock(self, name: str) -> Path:
        """Path of the lock that says whether anything of ``name`` still runs."""
        return self.data_dir / f"{name}.lock"


def prepare(data_dir: Path, say: Say) -> Ground:
    """Choose user and programs and make the directories; call it with the data directory's lock held."""
    installed = programs.fetch_programs()
    account = accounts.service_account(data_dir / CLUSTER_NAME)
    places.open_to(account, data_dir)
    usable = programs.for_account(installed, account, data_dir, say)
    return Ground(data_dir, places.make_runtime_dir(data_dir, account), account, usable)
