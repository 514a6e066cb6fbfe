"""`patchmon jobs …`: launch, follow and stop jobs, and take their artifacts away."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, Final

from server.client.command import Parsers, add, counted, names, say, table, variables, waits
from server.client.connection import FAILED, OK, OUTDATED, UNREACHABLE, USAGE, Answer, Client, Complaint, path_part
from server.client.printer import Printer

_UPDATES: Final = "package_update"
_SHOWN: Final = 8


def add_commands(subparsers: Parsers) -> None:
    """Add the `jobs` command."""
    jobs = subparsers.add_parser("jobs", help="launch, watch and stop jobs on a running server")
    actions = jobs.add_subparsers(dest="action", required=True)
    _add_launch(actions)
    listing = add(actions, "list", _list, "the last jobs")
    listing.add_argument("--max", type=int, default=20)
    show = add(actions, "show", _show, "one job and its hosts")
    watch = add(actions, "watch", _watch, "follow a job until its end; the exit code is its result", "follow")
    wait = add(actions, "wait", _wait, "wait for a job's end without its output; the exit code is its result")
    stop = add(actions, "stop", _stop, "end a job")
    taken = add(actions, "artifacts", _artifacts, "save what a job left behind, as ansible-runner lays it out")
    for one in (show, watch, wait, stop, taken):
        one.add_argument("job")
    for one in (watch, wait):
        waits(one, optional=False)
        _may_complain(one)
    stop.add_argument("--limit", action="append", default=[], metavar="HOST", help="only on these hosts")
    taken.add_argument("-o", "--output", default="", metavar="FILE", help="default: JOB.tar.gz in this folder")


def _add_launch(actions: Parsers) -> None:
    launch = add(actions, "launch", _launch, "run a playbook on hosts")
    launch.add_argument("playbook")
    launch.add_argument(
        "--limit", action="append", default=[], metavar="HOST", help="host by name or id; commas and repeats"
    )
    launch.add_argument("--group", action="append", default=[], help="host group by name or id, or all")
    launch.add_argument("--check", action="store_true", help="dry run: change nothing")
    launch.add_argument("--diff", action="store_true", help="show what changes in files")
    launch.add_argument(
        "-e", "--extra-vars", action="append", default=[], metavar="NAME=VALUE", help="or one JSON object"
    )
    launch.add_argument("--tags", action="append", default=[], help="only what has one of these tags")
    launch.add_argument("--skip-tags", action="append", default=[], help="nothing that has one of these tags")
    launch.add_argument("-v", "--verbosity", action="count", default=0, help="as of ansible-playbook, up to four")
    launch.add_argument(
        "--executor", choices=("relayed",), default="", help="let a worker run the play, over the agents"
    )
    launch.add_argument("--forks", type=int, help="of a relayed play: hosts at once")
    launch.add_argument("--serial", type=int, help="of a relayed play: hosts in a batch")
    launch.add_argument("--credential", action="append", default=[], metavar="ID", help="a kept credential to use")
    launch.add_argument("--timeout", type=int, default=3600, help="seconds the play may take on a host")
    launch.add_argument("--deadline", type=int, default=86_400, help="seconds to wait for hosts that are offline")
    launch.add_argument("--key", default="", help="idempotency key: the same key launches once")
    launch.add_argument("--title", default="")
    waits(launch)
    _may_complain(launch)


def _may_complain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-if-outdated",
        nargs="?",
        const="any",
        choices=("any", "security"),
        help="wait, and end with exit code 4 when a dry run of patch found packages (or security updates) to install",
    )


async def _launch(client: Client, args: argparse.Namespace) -> int:
    order = {
        "playbook": args.playbook,
        "hosts": names(args.limit),
        "groups": names(args.group),
        "variables": variables(args.extra_vars),
        "check": args.check,
        "diff": args.diff,
        "tags": names(args.tags),
        "skip_tags": names(args.skip_tags),
        "verbosity": args.verbosity,
        "timeout_seconds": args.timeout,
        "deadline_seconds": args.deadline,
        "title": args.title,
        **({"executor": args.executor} if args.executor else {}),
        **({"forks": args.forks} if args.forks else {}),
        **({"serial": args.serial} if args.serial else {}),
        **({"credentials": args.credential} if args.credential else {}),
    }
    job = await client.ask("POST", "/jobs", order, key=args.key)
    if not args.wait and not args.fail_if_outdated:
        say(job if args.json else f"{job['id']}  {job['title']} on {len(job['hosts'])} hosts")
        return OK
    return await _until_end(client, args, job, quiet=False)


async def _watch(client: Client, args: argparse.Namespace) -> int:
    return await _until_end(client, args, await _job(client, args.job), quiet=False)


async def _wait(client: Client, args: argparse.Namespace) -> int:
    return await _until_end(client, args, await _job(client, args.job), quiet=True)


async def _job(client: Client, job: str) -> Answer:
    return await client.ask("GET", f"/jobs/{path_part(job)}")


async def _until_end(client: Client, args: argparse.Namespace, job: Answer, *, quiet: bool) -> int:
    code = await follow(
        client, job, Printer(several=len(job["hosts"]) > 1), seconds=args.wait_seconds, quiet=quiet, as_json=args.json
    )
    if code == OK and args.fail_if_outdated:
        return await _outdated(client, args, await _job(client, job["id"]))
    return code


async def follow(
    client: Client, job: Answer, printer: Printer, *, seconds: float = 0, quiet: bool = False, as_json: bool = False
) -> int:
    """Print a job as it goes on and return its exit code; ``quiet`` prints the end only."""
    try:
        async with asyncio.timeout(seconds or None):
            async for name, data in client.stream(f"/jobs/{path_part(job['id'])}/stream"):
                if quiet and name != "end":
                    continue
                if as_json:
                    say(data if quiet else {"event": name, "data": data})
                else:
                    printer.happening(name, data)
                if name == "end":
                    return int(data["exit_code"] or 0)
    except TimeoutError:
        message = f"the job is still running after {seconds:g} seconds"
        raise Complaint(message, UNREACHABLE) from None
    return UNREACHABLE


async def _outdated(client: Client, args: argparse.Namespace, job: Answer) -> int:
    """Say which packages a dry run would have changed, and fail when there are any of the kind that was asked for."""
    found = 0
    known = False
    for host in job["hosts"]:
        for result in (one for one in host["results"] if one["module"] == _UPDATES):
            known = True
            address = f"/jobs/{path_part(job['id'])}/hosts/{host['id']}/results/{result['digest']}"
            body = await client.ask("GET", address)
            changes = [one for one in body["result"].get("changes", []) if _counts(one, args)]
            found += len(changes)
            if changes and not args.json:
                say(f"{host['name']}: {_told(changes)}")
    if not known:
        raise Complaint("--fail-if-outdated: this job did not look for updates (launch patch with --check)", USAGE)
    if args.json:
        say({"event": "outdated", "data": {"packages": found}})
    return OUTDATED if found else OK


def _counts(change: dict[str, Any], args: argparse.Namespace) -> bool:
    return args.fail_if_outdated == "any" or bool(change.get("security"))


def _told(changes: list[dict[str, Any]]) -> str:
    shown = [f"{one['name']} {one.get('from') or 'new'} -> {one.get('to') or 'gone'}" for one in changes[:_SHOWN]]
    more = [f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    return f"{len(changes)} outdated: {', '.join([*shown, *more])}"


async def _list(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", f"/jobs?limit={args.max}")
    if args.json:
        say(body)
        return OK
    table(
        [
            (job["id"], job["status"], job["created_at"][:19], f"{job['title']} ({counted(job['counts'])})")
            for job in body["jobs"]
        ]
    )
    return OK


async def _show(client: Client, args: argparse.Namespace) -> int:
    job = await _job(client, args.job)
    if args.json:
        say(job)
    else:
        printer = Printer()
        for host in job["hosts"]:
            printer.host(host)
        printer.end(job)
    return OK


async def _stop(client: Client, args: argparse.Namespace) -> int:
    job = await client.ask("POST", f"/jobs/{path_part(args.job)}/stop", {"hosts": names(args.limit) or None})
    say(job if args.json else f"{job['id']}  {job['status']}")
    return OK


async def _artifacts(client: Client, args: argparse.Namespace) -> int:
    if not args.job or "/" in args.job:
        raise Complaint("a job is named by its id", USAGE)
    target = Path(args.output or f"{args.job}.tar.gz")
    size = await client.download(f"/jobs/{path_part(args.job)}/artifacts.tar.gz", target)
    say({"file": str(target), "bytes": size} if args.json else f"{target} ({size} bytes)")
    return OK if size else FAILED
