"""The entrance of the client commands: which server, which token, and what becomes of a complaint."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from server.client import fleet, jobs, runs, workflows
from server.client.command import Parsers, command_of
from server.client.connection import FAILED, USAGE, Client, Complaint, opened
from server.core import env

COMMANDS: Final = frozenset({"jobs", "hosts", "playbooks", "patch", "workflows"})


def add_commands(subparsers: Parsers) -> None:
    """Add every command that asks a running server."""
    for part in (jobs, runs, fleet, workflows):
        part.add_commands(subparsers)


def run(args: argparse.Namespace) -> int:
    """Run one command and return its exit code: 0 ok, 1 failed, 2 usage, 3 refused or unreachable, 4 outdated."""
    try:
        url, token = _server(args)
        return asyncio.run(_run(args, url, token))
    except Complaint as complaint:
        print(f"patchmon: {complaint}", file=sys.stderr)
        return complaint.code
    except KeyboardInterrupt:
        return FAILED


def _server(args: argparse.Namespace) -> tuple[str, str]:
    url, given, file = env.client()
    token = given.reveal()
    if args.token_file or (file and not token):
        token = _read(args.token_file or file)
    if not token:
        raise Complaint("set PATCHMON_TOKEN (make one with: patchmon tokens create USERNAME)", USAGE)
    if not token.isascii() or not token.isprintable():
        raise Complaint("the token holds characters that no token has", USAGE)
    url = (args.url or url).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise Complaint(f"{url!r} is not the address of a server: it begins with https:// or http://", USAGE)
    return url, token


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Complaint(f"cannot read the token from {file}: {error}", USAGE) from error


async def _run(args: argparse.Namespace, url: str, token: str) -> int:
    async with opened(token) as session:
        return await command_of(args)(Client(session, url), args)
