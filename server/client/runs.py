"""`patchmon patch …`: patch runs, which keep to the policies of their hosts."""

import argparse
import asyncio
import time
from typing import Any, Final

from server.client.command import Parsers, add, names, say, table, waits
from server.client.connection import FAILED, OK, OUTDATED, UNREACHABLE, Client, Complaint, path_part
from server.client.fleet import group_id, host_ids

_GOOD: Final = frozenset({"completed", "dry_run_completed", "validated"})
_BAD: Final = frozenset({"failed", "cancelled", "timed_out", "agent_disconnected"})
#: Nothing more comes before a person did something.
_RESTING: Final = frozenset({"pending_approval", "scheduled", "approved"})
_LOOK_SECONDS: Final = 1.0


def add_commands(subparsers: Parsers) -> None:
    """Add the `patch` command."""
    patch = subparsers.add_parser("patch", help="patch runs on a running server: trigger, approve, watch")
    actions = patch.add_subparsers(dest="action", required=True)
    trigger = add(actions, "trigger", _trigger, "patch hosts as their policies say")
    trigger.add_argument("--limit", action="append", default=[], metavar="HOST", help="host by name or id")
    trigger.add_argument("--group", action="append", default=[], help="host group by name or id")
    trigger.add_argument("--package", action="append", default=[], help="only these packages")
    trigger.add_argument("--security-only", action="store_true", help="only what brings a security fix")
    trigger.add_argument("--dry-run", action="store_true", help="change nothing")
    trigger.add_argument("--now", action="store_true", help="at once, whatever the policy's time is")
    trigger.add_argument("--for-approval", action="store_true", help="wait for somebody's approval")
    trigger.add_argument("--key", default="", help="idempotency key: the same key triggers once")
    trigger.add_argument("--fail-if-outdated", action="store_true", help="exit code 4 when a dry run found packages")
    approve = add(actions, "approve", _approve, "sign a run off; the real run that follows begins")
    approve.add_argument("--now", action="store_true", help="at once, whatever the policy's time is")
    runs = add(actions, "runs", _runs, "the last runs")
    runs.add_argument("--max", type=int, default=20)
    show = add(actions, "show", _show, "one run")
    stop = add(actions, "stop", _stop, "end a run")
    for one in (approve, show, stop):
        one.add_argument("run")
    for one in (trigger, approve):
        waits(one)


async def _trigger(client: Client, args: argparse.Namespace) -> int:
    packages = names(args.package)
    order: dict[str, Any] = {
        "patch_type": "patch_package" if packages else "patch_all",
        "package_names": packages,
        "host_ids": await host_ids(client, names(args.limit)),
        "host_group_ids": [await group_id(client, one) for one in names(args.group)],
        "dry_run": args.dry_run,
        "submit_for_approval": args.for_approval,
        "schedule_override": "immediate" if args.now else None,
    }
    if args.security_only:
        order["security_only"] = True
    body = await client.ask("POST", "/patching/trigger", order, key=args.key)
    if args.wait or args.fail_if_outdated:
        return await _until_end(client, args, [one["patch_run_id"] for one in body["runs"]])
    if args.json:
        say(body)
    else:
        table([(one["patch_run_id"], one["status"], one["host_name"]) for one in body["runs"]])
    return OK


async def _approve(client: Client, args: argparse.Namespace) -> int:
    order = {"schedule_override": "immediate"} if args.now else {}
    body = await client.ask("POST", f"/patching/runs/{path_part(args.run)}/approve", order)
    if args.wait:
        return await _until_end(client, args, [body["patch_run_id"]])
    say(body if args.json else f"{body['patch_run_id']}  {body['status']}")
    return OK


async def _until_end(client: Client, args: argparse.Namespace, runs: list[str]) -> int:
    """Say each change of the runs' states until they rest, and return what came of them together."""
    began, shown, ended = time.monotonic(), dict[str, str](), dict[str, dict[str, Any]]()
    while len(ended) < len(runs):
        for run in (one for one in runs if one not in ended):
            found = await _run(client, run)
            if shown.get(run) != found["status"]:
                shown[run] = found["status"]
                say(found if args.json else f"{run}  {found['status']}  {found['host']['friendly_name']}")
            if found["status"] in _GOOD | _BAD | _RESTING:
                ended[run] = found
        if args.wait_seconds and time.monotonic() - began > args.wait_seconds:
            raise Complaint(f"still under way after {args.wait_seconds:g} seconds", UNREACHABLE)
        if len(ended) < len(runs):
            await asyncio.sleep(_LOOK_SECONDS)
    if any(one["status"] in _BAD for one in ended.values()):
        return FAILED
    outdated = getattr(args, "fail_if_outdated", False) and any(one["packages_affected"] for one in ended.values())
    return OUTDATED if outdated else OK


async def _run(client: Client, run: str) -> dict[str, Any]:
    found: dict[str, Any] = await client.ask("GET", f"/patching/runs/{path_part(run)}")
    return found


async def _runs(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", f"/patching/runs?limit={args.max}")
    if args.json:
        say(body)
    else:
        table([(one["id"], one["status"], str(one["created_at"])[:19], _where(one)) for one in body["runs"]])
    return OK


def _where(run: dict[str, Any]) -> str:
    return f"{run['host']['friendly_name']}{' (dry run)' if run['dry_run'] else ''}"


async def _show(client: Client, args: argparse.Namespace) -> int:
    found = await _run(client, args.run)
    if args.json:
        say(found)
        return OK
    say(f"{found['id']}  {found['status']}  {_where(found)}")
    if found["error_message"]:
        say(found["error_message"])
    for one in found["packages_affected"]:
        say(f"  {one if isinstance(one, str) else one.get('name')}")
    return OK


async def _stop(client: Client, args: argparse.Namespace) -> int:
    await client.ask("POST", f"/patching/runs/{path_part(args.run)}/stop", {})
    say({"stopped": args.run} if args.json else f"{args.run} was told to stop")
    return OK
