"""`patchmon workflows …`: launch playbooks in sequence, follow, approve and cancel them."""

import argparse
import asyncio
from typing import Any

from server.client.command import Parsers, add, say, table, waits
from server.client.connection import FAILED, OK, UNREACHABLE, USAGE, Answer, Client, Complaint, path_part


def add_commands(subparsers: Parsers) -> None:
    """Add the `workflows` command."""
    workflows = subparsers.add_parser("workflows", help="workflows of a running server: launch, approve, watch")
    actions = workflows.add_subparsers(dest="action", required=True)
    add(actions, "list", _list, "every workflow")
    launch = add(actions, "launch", _launch, "start a workflow")
    launch.add_argument("workflow", help="name or id")
    launch.add_argument("--key", default="", help="idempotency key: the same key launches once")
    waits(launch)
    show = add(actions, "show", _show, "one run and its steps")
    wait = add(actions, "wait", _wait, "follow a run until its end; the exit code is its result")
    waits(wait, optional=False)
    cancel = add(actions, "cancel", _cancel, "end a run")
    relaunch = add(actions, "relaunch", _relaunch, "start again where a run failed")
    waits(relaunch)
    approve = add(actions, "approve", _approve, "let a run go on that waits for somebody")
    approve.add_argument("--reject", action="store_true", help="do not: the step counts as failed")
    for one in (show, wait, cancel, relaunch, approve):
        one.add_argument("run")
    approve.add_argument("step", help="the key of the step")


async def _list(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", "/workflows")
    if args.json:
        say(body)
    else:
        table([(one["id"], one["name"], f"{len(one['nodes'])} steps") for one in body["workflows"]])
    return OK


async def _launch(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", "/workflows")
    match = [str(one["id"]) for one in body["workflows"] if args.workflow in (one["name"], one["id"])]
    if not match:
        raise Complaint(f"no workflow is called {args.workflow}", USAGE)
    return await _begun(client, args, await client.ask("POST", f"/workflows/{match[0]}/launch", {}, key=args.key))


async def _relaunch(client: Client, args: argparse.Namespace) -> int:
    return await _begun(client, args, await client.ask("POST", f"/workflow-runs/{path_part(args.run)}/relaunch", {}))


async def _begun(client: Client, args: argparse.Namespace, run: Answer) -> int:
    if args.wait:
        return await _until_end(client, args, run["id"])
    say(run if args.json else f"{run['id']}  {run['status']}  {run['name']}")
    return OK


async def _wait(client: Client, args: argparse.Namespace) -> int:
    return await _until_end(client, args, args.run)


async def _until_end(client: Client, args: argparse.Namespace, run: str) -> int:
    shown: dict[str, str] = {}
    try:
        async with asyncio.timeout(args.wait_seconds or None):
            async for name, data in client.stream(f"/workflow-runs/{path_part(run)}/stream"):
                if args.json:
                    say({"event": name, "data": data})
                else:
                    _print_changes(data, shown)
                if name == "end":
                    return OK if data["status"] == "succeeded" else FAILED
    except TimeoutError:
        raise Complaint(f"the workflow is still running after {args.wait_seconds:g} seconds", UNREACHABLE) from None
    return UNREACHABLE


def _print_changes(run: dict[str, Any], shown: dict[str, str]) -> None:
    for node in run["nodes"]:
        if node["state"] != "pending" and shown.get(node["key"]) != node["state"]:
            shown[node["key"]] = node["state"]
            say(f"{node['key']:<20}  {node['state']:<10}  {node['title']}{_why(node)}")
    if shown.get("") != run["status"] and run["finished_at"]:
        shown[""] = run["status"]
        say(f"{run['name']}: {run['status']}{_why(run)}")


def _why(thing: dict[str, Any]) -> str:
    return f": {thing['reason']}" if thing.get("reason") else ""


async def _show(client: Client, args: argparse.Namespace) -> int:
    run = await client.ask("GET", f"/workflow-runs/{path_part(args.run)}")
    if args.json:
        say(run)
        return OK
    say(f"{run['id']}  {run['status']}  {run['name']}{_why(run)}")
    for node in run["nodes"]:
        say(f"  {node['key']:<20}  {node['state']:<10}  {node['title']}{_why(node)}")
    return OK


async def _cancel(client: Client, args: argparse.Namespace) -> int:
    run = await client.ask("POST", f"/workflow-runs/{path_part(args.run)}/cancel", {})
    say(run if args.json else f"{run['id']}  {run['status']}")
    return OK


async def _approve(client: Client, args: argparse.Namespace) -> int:
    verb = "reject" if args.reject else "approve"
    address = f"/workflow-runs/{path_part(args.run)}/nodes/{path_part(args.step)}/{verb}"
    run = await client.ask("POST", address, {})
    say(run if args.json else f"{run['id']}  {run['status']}")
    return OK
