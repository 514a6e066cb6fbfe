"""The secrets of an embedded installation: made once, kept in one file that only its owner reads."""

import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from server.core.embedded import places
from server.core.embedded.errors import PlaceRefused, SecretsMissing
from server.core.log import get_log

log = get_log(__name__)

FILE_NAME: Final = "secrets.json"
CLUSTER_NAME: Final = "postgresql"
DATABASE_PASSWORD: Final = "database_password"  # noqa: S105 (the name of the field)
_NAMES: Final = ("master_key", "jwt_secret", "session_secret", DATABASE_PASSWORD)
_SIZE_BYTES: Final = 32
_OTHERS_MAY_READ: Final = 0o077


def load_or_create_secrets(data_dir: Path) -> dict[str, str]:
    """Return ``master_key``, ``jwt_secret``, ``session_secret`` and ``database_password``, each 64 hex digits.

    They are generated when the data directory is new. Beside an existing database missing ones are an error: new
    ones could neither open it nor what is sealed in it.
    """
    try:
        return _loaded_or_created(places.make_data_dir(data_dir))
    except OSError as error:
        raise PlaceRefused(path=error.filename or data_dir, reason=error.strerror or str(error)) from error


def _loaded_or_created(data_dir: Path) -> dict[str, str]:
    path = data_dir / FILE_NAME
    found = read(path) if path.exists() else {}
    missing = [name for name in _NAMES if not found.get(name)]
    if not missing:
        return found
    cluster = data_dir / CLUSTER_NAME
    if cluster.exists():
        raise SecretsMissing(path=path, directory=cluster)
    write(path, found | {name: secrets.token_hex(_SIZE_BYTES) for name in missing}, replace=bool(found))
    # What is in the file counts: another process may have been first.
    return read(path)


def read(path: Path) -> dict[str, str]:
    """Return the secrets in ``path``; a file that others could read is closed to them first."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if os.geteuid() not in {0, status.st_uid}:
            raise PlaceRefused(path=path, reason=f"it belongs to user number {status.st_uid}")
        if stat.S_IMODE(status.st_mode) & _OTHERS_MAY_READ:
            log.warning("secrets_file_was_open_to_others", path=str(path))
            os.fchmod(file.fileno(), 0o600)
        return parse(file.read(), path)


def parse(text: str, path: Path) -> dict[str, str]:
    """Read the JSON object of strings that ``path`` should hold."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PlaceRefused(path=path, reason="it is not JSON; put back the copy of a backup") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise PlaceRefused(path=path, reason="it should be a JSON object of texts")
    return found


def write(path: Path, content: dict[str, str], *, replace: bool) -> None:
    """Write the file whole or not at all, 0600, synced to disk; without ``replace`` the first writer wins."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                log.info("secrets_file_made_by_another_process", path=str(path))
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make what was created or renamed in ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
