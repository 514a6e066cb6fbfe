"""The `patchmon` command: starts and looks after the server, and drives it as an API client."""

import argparse
import asyncio
import getpass
import hashlib
import os
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvloop

from server import __version__
from server.core import env as environment
from server.core import log
from server.core.env import BadEnvironment, Env
from server.core.errors import Invalid, Problem
from server.core.migrate import MigrationFailed

_SECRETS: Final = "secrets.json"
_OK: Final = 0
_FAILED: Final = 1
_USAGE: Final = 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 ok, 1 failed, 2 usage, 3 refused or unreachable, 4 outdated."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    if not given or given[0] not in _COMMANDS:
        from server.client import entry  # noqa: PLC0415 (the server starts faster without it)

        entry.add_commands(parser.subcommands)
    options = parser.parse_args(given)
    if options.command not in {*_COMMANDS, "version"}:
        return entry.run(options)
    if options.command == "version":
        print(f"PatchMon {__version__}")
        return _OK
    return _local(options)


def _local(options: argparse.Namespace) -> int:
    from server.settings.service import complaints  # noqa: PLC0415 (as above)

    try:
        env = environment.read(defaults=_defaults(options.command), also=complaints)
    except BadEnvironment as error:
        for complaint in error.complaints:
            print(complaint, file=sys.stderr)
        return _FAILED
    if getattr(options, "port", None):
        env = replace(env, port=options.port)
    _set_up_log(env, options.command)
    try:
        return _run(_COMMANDS[options.command](env, options))
    except MigrationFailed as error:
        print(f"[fatal] {error}", file=sys.stderr)
        return _FAILED
    except (Problem, ConnectionError, OSError) as error:
        print(f"patchmon: {error}", file=sys.stderr)
        return _FAILED


def _set_up_log(env: Env, command: str) -> None:
    if command not in {"serve", "work"}:
        # A command's own words are what counts; the log only has what went wrong on the way, apart from them.
        log.set_up("error" if command == "quickstart" else env.log_level, colours=sys.stderr.isatty(), zone=env.zone)
        return
    log.set_up(
        env.log_level,
        colours=sys.stdout.isatty(),
        enabled=env.logging,
        shape=env.log_format,
        zone=env.zone,
        stream=sys.stdout,
        followed=True,
    )
    if env.authorities is None and (named := env.given.reveal().get("NODE_EXTRA_CA_CERTS", "").strip()):
        log.get_log(__name__).warning("NODE_EXTRA_CA_CERTS cannot be read and is ignored", file=named)
    if env.derived_key:
        log.get_log(__name__).warning(
            "encryption key derived from DATABASE_URL: set AI_ENCRYPTION_KEY (or SESSION_SECRET); another host, port "
            "or password of the database would make stored secrets unreadable"
        )


def _defaults(command: str) -> dict[str, str]:
    # The quick start of a checkout must not touch what an installed server keeps.
    if command != "quickstart":
        return {}
    checkout = Path(__file__).resolve().parent.parent
    mark = hashlib.sha256(str(checkout).encode()).hexdigest()[:8]
    folder = Path("/var/lib/patchmon") / f"dev-{mark}" if os.geteuid() == 0 else checkout / "data"
    return {"PATCHMON_DATA_DIR": str(folder), "AGENT_BINARIES_DIR": str(checkout / "dist")}


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _secrets_file(env: Env) -> Path | None:
    # With external services the secrets are in the operator's environment, not in a file of ours.
    return env.data_dir / _SECRETS if env.embedded else None


def _run(work: Coroutine[Any, Any, int | None]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work) or _OK


async def _serve(env: Env, _options: argparse.Namespace) -> None:
    from server.serve import serve  # noqa: PLC0415 (each command loads what it needs)

    await serve(env)


async def _work(env: Env, _options: argparse.Namespace) -> None:
    from server.serve import borrowed  # noqa: PLC0415
    from server.worker import work  # noqa: PLC0415

    async with borrowed(env, _say) as ready:
        await work(ready)


async def _quickstart(env: Env, options: argparse.Namespace) -> int:
    from server.quickstart import quickstart  # noqa: PLC0415

    return await quickstart(env, once=options.once)


async def _migrate(env: Env, options: argparse.Namespace) -> int:
    from server.core.db import Database  # noqa: PLC0415
    from server.core.migrate import force, migrate, version  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    async with borrowed(env, _say) as ready:
        db = await Database.open(ready.database_url.reveal(), size=2)
        try:
            if options.action == "force":
                await force(db, options.number)
            if options.action == "up":
                await migrate(db)
            found = await version(db)
            print(f"Version: {found.number} (dirty: {str(found.dirty).lower()})")
        finally:
            await db.close()
    return _OK


async def _backup(env: Env, options: argparse.Namespace) -> None:
    from server.core.backup import backup  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    async with borrowed(env, _say) as ready:
        await backup(ready.database_url.reveal(), _secrets_file(env), options.file)
    print(f"Backed up to {options.file}. It holds every secret: keep it as safe as the server.")


async def _restore(env: Env, options: argparse.Namespace) -> None:
    from server.core.backup import restore  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    async with borrowed(env, _say) as ready:
        await restore(ready.database_url.reveal(), _secrets_file(env), options.file, force=options.force)
    print(f"Restored from {options.file}.")


async def _setup_link(env: Env, options: argparse.Namespace) -> None:
    from server.identity.service import setup_link  # noqa: PLC0415
    from server.serve import serving  # noqa: PLC0415

    async with serving(replace(env, worker_inside=False)) as running:
        print(await setup_link(running.world, options.url) or "An administrator exists already.")


async def _create_token(env: Env, options: argparse.Namespace) -> None:
    from server.app import opened  # noqa: PLC0415
    from server.identity.service import create_token  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    async with borrowed(env, _say) as ready, opened(ready) as (world, _keeper):
        print(await create_token(world, options.username, options.name, options.days, options.access))


async def _demo_fleet(env: Env, options: argparse.Namespace) -> None:
    from server.app import opened  # noqa: PLC0415
    from server.core.call import Call, system  # noqa: PLC0415
    from server.core.migrate import migrate  # noqa: PLC0415
    from server.demo import terminal  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    async with borrowed(env, _say) as ready, opened(ready) as (world, _keeper):
        await migrate(world.db)
        call = Call(world, system("demo-fleet"))
        await (terminal.remove(call) if options.remove else terminal.fill(call, options.hosts, options.seed))


async def _create_admin(env: Env, options: argparse.Namespace) -> int:
    from server.app import opened  # noqa: PLC0415
    from server.core.db import Database  # noqa: PLC0415
    from server.core.migrate import migrate  # noqa: PLC0415
    from server.identity.errors import BadPerson  # noqa: PLC0415
    from server.identity.models import NewPerson, Profile  # noqa: PLC0415
    from server.identity.service import create_admin  # noqa: PLC0415
    from server.serve import borrowed  # noqa: PLC0415

    password, again = _typed_password()
    profile = Profile(options.username, options.email, options.first_name, options.last_name)
    async with borrowed(env, _say) as ready:
        # It may be the first thing that is done with this database.
        db = await Database.open(ready.database_url.reveal(), size=2)
        try:
            await migrate(db)
        finally:
            await db.close()
        async with opened(ready) as (world, _keeper):
            try:
                if password != again:
                    raise BadPerson({"password": "the two are not the same"})
                made = await create_admin(world, NewPerson(profile, password))
            except Invalid as refused:
                for name, complaint in refused.complaints.items():
                    _say(f"{name.replace('_', ' ')}: {complaint}")
                raise
    print(f"{made.username} administers this server from now on.")
    return _OK


def _typed_password() -> tuple[str, str]:
    # Never an argument: every user of the machine can read those.
    if not sys.stdin.isatty():
        line = sys.stdin.readline().rstrip("\r\n")
        return line, line
    return getpass.getpass("Password: "), getpass.getpass("Password again: ")


_COMMANDS: Final = {
    "serve": _serve,
    "work": _work,
    "quickstart": _quickstart,
    "migrate": _migrate,
    "backup": _backup,
    "restore": _restore,
    "setup-link": _setup_link,
    "create-admin": _create_admin,
    "tokens": _create_token,
    "demo-fleet": _demo_fleet,
}


class _Parser(argparse.ArgumentParser):
    subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]"


def _parser() -> _Parser:
    parser = _Parser(prog="patchmon", description="Fleet patching with Ansible playbooks pushed to agents.")
    parser.subcommands = commands = parser.add_subparsers(
        dest="command", required=True, parser_class=argparse.ArgumentParser
    )
    for name, text in (
        ("serve", "run the server"),
        ("quickstart", "run the server, enrol this machine and dry-run a patch on it"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--port", type=int, help="port to listen on (default: PORT or 3000)")
        if name == "quickstart":
            command.add_argument("--once", action="store_true", help="stop afterwards and exit with the job's result")
    commands.add_parser("work", help="run a background worker")
    commands.add_parser("version", help="print the version")
    migrate = commands.add_parser("migrate", help="bring the schema up to date, or look at it")
    migrate.add_argument("action", choices=("up", "version", "force"), nargs="?", default="up")
    migrate.add_argument("number", type=int, nargs="?", default=0, help="for force: the version to record")
    for name, text in (
        ("backup", "write database and secrets into one file"),
        ("restore", "read such a file into an empty database"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("file", type=Path)
        if name == "restore":
            command.add_argument("--force", action="store_true", help="replace what is in the database")
    _add_people(commands)
    demo = commands.add_parser("demo-fleet", help="fill an empty database with hosts that do not exist")
    demo.add_argument("--hosts", type=int, default=1000, help="how many (default: 1000)")
    demo.add_argument("--seed", type=int, default=1, help="the same seed makes the same fleet (default: 1)")
    demo.add_argument("--remove", action="store_true", help="take the fleet out again")
    return parser


def _add_people(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    link = commands.add_parser("setup-link", help="make a new one-time link for the first administrator")
    link.add_argument("--url", default="http://127.0.0.1:3000", help="where the server is reached")
    admin = commands.add_parser(
        "create-admin", help="make an administrator; the password is asked for, or read from standard input"
    )
    admin.add_argument("username")
    admin.add_argument("email")
    admin.add_argument("--first-name", default="")
    admin.add_argument("--last-name", default="")
    tokens = commands.add_parser("tokens", help="API tokens").add_subparsers(dest="action", required=True)
    create = tokens.add_parser("create", help="make an API token for a person and print it once")
    create.add_argument("username")
    create.add_argument("--name", default="command line")
    create.add_argument("--days", type=int, default=90, help="days until it expires")
    create.add_argument(
        "--access", choices=("all", "read", "run"), default="all", help="what it may: all that the person may, or less"
    )


if __name__ == "__main__":
    sys.exit(main())
