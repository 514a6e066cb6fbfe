"""PostgreSQL's client programs: dump a database, play a dump into it, ask it one thing."""

import contextlib
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote, unquote

from server.core.embedded.errors import ServiceFailed
from server.core.embedded.processes import last_words
from server.core.embedded.programs import client

_CHUNK_BYTES: Final = 1024**2
_URL: Final = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^@/?]*)@)?(?P<rest>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL
)
_PASSWORD_FIELD: Final = re.compile(r"(?:^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)+)")
# The first major that knows the setting; dumps of newer programs begin with it.
_TRANSACTION_TIMEOUT_MAJOR: Final = 17
_TRANSACTION_TIMEOUT: Final = b"\nSET transaction_timeout = 0;\n"
_EMPTY: Final = """
do $$
declare found text;
begin
  for found in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
    execute format('drop schema %I cascade', found);
  end loop;
end $$;
create schema public authorization pg_database_owner;
grant usage on schema public to public;
"""


def ask(dsn: str, sql: str) -> str:
    """Return what one query answers: columns parted by ``|``, rows by line ends."""
    with _address(dsn) as address:
        command = [client("psql"), "-XAtq", "-w", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise ServiceFailed(name="psql", reason=_words(done.stderr, done.returncode))
    return done.stdout.decode().strip()


def dump(dsn: str, write: Callable[[bytes], object]) -> None:
    """Hand the whole database, as of one moment, to ``write`` in PostgreSQL's custom dump format."""
    with _address(dsn) as address, tempfile.TemporaryFile() as complaints:
        command = [client("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", "-w", "-d", address]
        with _started(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(_CHUNK_BYTES):
                write(chunk)
            _demand(process, "pg_dump", complaints)


def replay(dsn: str, source: IO[bytes], *, major: int, empty_first: bool) -> None:
    """Play a custom-format dump into the database in one transaction: everything or nothing.

    ``major`` is the PostgreSQL major of the target; ``empty_first`` drops whatever is there, in the same transaction.
    """
    with _address(dsn) as address, tempfile.TemporaryFile() as reading, tempfile.TemporaryFile() as playing:
        reader_command = [client("pg_restore"), "--no-owner", "--no-privileges", "-f", "-"]
        player_command = [client("psql"), "-Xq", "-w", "-v", "ON_ERROR_STOP=1", "-d", address]
        with (
            _started(player_command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=playing) as player,
            _started(reader_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reading) as reader,
        ):
            assert player.stdin is not None
            assert reader.stdin is not None
            feeder = threading.Thread(target=_feed, args=(source, reader.stdin), name="restore-feeder", daemon=True)
            feeder.start()
            # psql ends early only because of an error of its own, which _demand below reports.
            with contextlib.suppress(BrokenPipeError):
                _pump(reader, player.stdin, major=major, preamble=_EMPTY if empty_first else "")
                _demand(reader, "pg_restore", reading)
                # Only a dump that was read to its end is kept; without this line psql rolls back.
                player.stdin.write(b"\ncommit;\n")
            reader.kill()
            feeder.join()
            with contextlib.suppress(BrokenPipeError):
                player.stdin.close()
            _demand(player, "psql", playing)


def _pump(reader: subprocess.Popen[bytes], sink: IO[bytes], *, major: int, preamble: str) -> None:
    assert reader.stdout is not None
    sink.write(b"begin;\nset client_min_messages = warning;\n" + preamble.encode())
    chunk = reader.stdout.read(_CHUNK_BYTES)
    if major < _TRANSACTION_TIMEOUT_MAJOR:
        chunk = chunk.replace(_TRANSACTION_TIMEOUT, b"\n", 1)
    while chunk:
        sink.write(chunk)
        chunk = reader.stdout.read(_CHUNK_BYTES)
    sink.flush()


def _feed(source: IO[bytes], sink: IO[bytes]) -> None:
    # A reader that ended early says why itself; this end only sees the pipe break.
    with contextlib.suppress(BrokenPipeError), sink:
        while chunk := source.read(_CHUNK_BYTES):
            sink.write(chunk)


@contextmanager
def _started(command: list[str], *, stdin: int, stdout: int, stderr: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        # An exception on our side must not leave a program behind.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _demand(process: subprocess.Popen[bytes], name: str, complaints: IO[bytes]) -> None:
    code = process.wait()
    if code != 0:
        complaints.seek(0)
        raise ServiceFailed(name=name, reason=_words(complaints.read(), code))


def _words(raw: bytes, code: int) -> str:
    return last_words(raw.decode("utf-8", "replace").splitlines(), code)


@contextmanager
def _address(dsn: str) -> Iterator[str]:
    """Yield ``dsn`` with its password in a private file instead: every user can read a program's arguments."""
    bare, password = split_password(dsn)
    if password is None:
        yield bare
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="patchmon-") as file:
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield _with_passfile(bare, Path(file.name))


def split_password(dsn: str) -> tuple[str, str | None]:
    """Return a libpq URL or key/value string without its password, and the password."""
    if (url := _URL.fullmatch(dsn)) is None:
        if (field := _PASSWORD_FIELD.search(dsn)) is None:
            return dsn, None
        quoted = field[1]
        plain = quoted[1:-1] if quoted.startswith("'") else quoted
        return (dsn[: field.start()] + " " + dsn[field.end() :]).strip(), re.sub(r"\\(.)", r"\1", plain)
    user, colon, password = (url["user"] or "").partition(":")
    found = unquote(password) if colon else None
    kept = []
    for part in filter(None, (url["query"] or "").split("&")):
        name, _, value = part.partition("=")
        if name == "password":
            found = unquote(value)
        else:
            kept.append(part)
    at = f"{user}@" if user else ""
    query = f"?{'&'.join(kept)}" if kept else ""
    return f"{url['scheme']}{at}{url['rest']}{query}", found


def _with_passfile(bare: str, file: Path) -> str:
    if _URL.fullmatch(bare) is None:
        return f"{bare} passfile='{file}'"
    return f"{bare}{'&' if '?' in bare else '?'}passfile={quote(str(file), safe='')}"
