"""`patchmon jobs …`: jobs from the command line, through the API of a running server."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from server.automation.terminal import Printer
from server.core import env

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

_CONNECT_SECONDS: Final = 10.0
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_REFUSED: Final = 400
_BROKEN: Final = 500

Answer = dict[str, Any]


class Complaint(Exception):
    """What a person needs to read, and the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def add_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `jobs` command."""
    jobs = subparsers.add_parser("jobs", help="launch, watch and stop jobs on a running server")
    actions = jobs.add_subparsers(dest="action", required=True)
    launch = actions.add_parser("launch", help="run a playbook on hosts")
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
    launch.add_argument("--timeout", type=int, default=3600, help="seconds the play may take on a host")
    launch.add_argument("--deadline", type=int, default=86_400, help="seconds to wait for hosts that are offline")
    launch.add_argument("--key", default="", help="idempotency key: the same key launches once")
    launch.add_argument("--title", default="")
    _waiting(launch)
    listing = actions.add_parser("list", help="the last jobs")
    listing.add_argument("--max", type=int, default=20)
    show = actions.add_parser("show", help="one job and its hosts")
    watch = actions.add_parser("watch", help="follow a job until its end; the exit code is its result")
    stop = actions.add_parser("stop", help="end a job")
    for one in (show, watch, stop):
        one.add_argument("job")
    stop.add_argument("--limit", action="append", default=[], metavar="HOST", help="only on these hosts")
    watch.add_argument("--wait-seconds", type=float, default=0, help="give up after this long (exit code 3)")
    for one in (launch, listing, show, watch, stop):
        one.add_argument("--json", action="store_true", help="print JSON instead of text")


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="follow the job; the exit code is its result")
    parser.add_argument("--wait-seconds", type=float, default=0, help="give up waiting after this long (exit code 3)")


def run(args: argparse.Namespace) -> int:
    """Run one command; 0 ok, 1 failed, 2 usage, 3 unreachable or timed out."""
    url, token = env.client()
    if not token.reveal():
        print("patchmon: set PATCHMON_TOKEN (make one with: patchmon tokens create USERNAME)", file=sys.stderr)
        return USAGE
    try:
        return asyncio.run(_run(args, url.rstrip("/"), token.reveal()))
    except Complaint as complaint:
        print(f"patchmon: {complaint}", file=sys.stderr)
        return complaint.code
    except KeyboardInterrupt:
        return FAILED


async def _run(args: argparse.Namespace, url: str, token: str) -> int:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout) as session:
        return await _COMMANDS[args.action](Client(session, url), args)


@dataclass(frozen=True, slots=True)
class Client:
    """The server's API."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask once; refusals become complaints."""
        try:
            async with self.session.request(method, f"{self.url}/api/v1{path}", json=body) as answer:
                text = await answer.text()
                if answer.status >= _REFUSED:
                    raise Complaint(_refusal(answer.status, text), FAILED if answer.status >= _BROKEN else USAGE)
                found: Answer = json.loads(text)
                return found
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise Complaint(f"cannot reach {self.url}: {error}", UNREACHABLE) from error

    async def stream(self, job: str) -> AsyncIterator[tuple[str, Answer]]:
        """Follow a job until its end, through reconnects and restarts of the server."""
        after = failures = 0
        while True:
            try:
                headers = {"Last-Event-ID": str(after)} if after else {}
                async with self.session.get(f"{self.url}/api/v1/jobs/{job}/stream", headers=headers) as answer:
                    if _REFUSED <= answer.status < _BROKEN:
                        raise Complaint(_refusal(answer.status, await answer.text()), USAGE)
                    answer.raise_for_status()
                    async for name, number, data in _frames(answer.content):
                        after, failures = number or after, 0
                        yield name, data
                        if name == "end":
                            return
            except (aiohttp.ClientError, TimeoutError) as error:
                if failures >= len(_PAUSES) * 2:
                    raise Complaint(f"cannot reach {self.url}: {error}", UNREACHABLE) from error
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, int, Answer]]:
    fields: dict[str, str] = {}
    buffer = b""
    async for piece in content.iter_any():
        *lines, buffer = (buffer + piece).split(b"\n")
        for raw in lines:
            line = raw.decode().rstrip("\r")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields and "event" in fields:
                yield fields["event"], int(fields.get("id", "0")), json.loads(fields["data"])
            fields = {}


def _refusal(status: int, text: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return f"the server answered {status}"
    complaints = [f"{name}: {complaint}" for name, complaint in (body.get("complaints") or {}).items()]
    return "; ".join([str(body.get("error") or body.get("message") or f"the server answered {status}"), *complaints])


async def _launch(client: Client, args: argparse.Namespace) -> int:
    order = {
        "playbook": args.playbook,
        "hosts": [name for limit in args.limit for name in limit.split(",") if name],
        "groups": args.group,
        "variables": variables(args.extra_vars),
        "check": args.check,
        "diff": args.diff,
        "timeout_seconds": args.timeout,
        "deadline_seconds": args.deadline,
        "idempotency_key": args.key,
        "title": args.title,
    }
    job = await client.ask("POST", "/jobs", order)
    if not args.wait:
        _print(job if args.json else f"{job['id']}  {job['title']} on {len(job['hosts'])} hosts")
        return OK
    return await _follow(client, args, job)


async def _watch(client: Client, args: argparse.Namespace) -> int:
    return await _follow(client, args, await client.ask("GET", f"/jobs/{args.job}"))


async def _follow(client: Client, args: argparse.Namespace, job: Answer) -> int:
    printer = Printer(several=len(job["hosts"]) > 1)
    try:
        async with asyncio.timeout(args.wait_seconds or None):
            async for name, data in client.stream(job["id"]):
                if args.json:
                    _print({"event": name, "data": data})
                else:
                    printer.happening(name, data)
                if name == "end":
                    return int(data["exit_code"] or 0)
    except TimeoutError:
        message = f"the job is still running after {args.wait_seconds:g} seconds"
        raise Complaint(message, UNREACHABLE) from None
    return UNREACHABLE


async def _list(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", f"/jobs?limit={args.max}")
    if args.json:
        _print(body)
        return OK
    for job in body["jobs"]:
        counts = ", ".join(f"{number} {word}" for word, number in job["counts"].items())
        _print(f"{job['id']}  {job['status']:<12}  {job['created_at'][:19]}  {job['title']} ({counts})")
    return OK


async def _show(client: Client, args: argparse.Namespace) -> int:
    job = await client.ask("GET", f"/jobs/{args.job}")
    if args.json:
        _print(job)
    else:
        printer = Printer()
        for host in job["hosts"]:
            printer.host(host)
        printer.end(job)
    return OK


async def _stop(client: Client, args: argparse.Namespace) -> int:
    hosts = [name for limit in args.limit for name in limit.split(",") if name]
    job = await client.ask("POST", f"/jobs/{args.job}/stop", {"hosts": hosts or None})
    _print(job if args.json else f"{job['id']}  {job['status']}")
    return OK


def variables(texts: list[str]) -> dict[str, Any]:
    """Return `NAME=VALUE` pairs and JSON objects as one set of variables; values that read as JSON are JSON."""
    found: dict[str, Any] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            try:
                found |= json.loads(text)
            except ValueError as error:
                message = f"--extra-vars is not JSON: {error}"
                raise Complaint(message, USAGE) from error
            continue
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"--extra-vars wants NAME=VALUE, not {text!r}"
            raise Complaint(message, USAGE)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _print(value: object) -> None:
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


_COMMANDS: Final[dict[str, Callable[[Client, argparse.Namespace], Awaitable[int]]]] = {
    "launch": _launch,
    "list": _list,
    "show": _show,
    "watch": _watch,
    "stop": _stop,
}
