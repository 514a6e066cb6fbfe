"""What every client command shares: its options, printing, and the names people give on the command line."""

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from server.client.connection import USAGE, Client, Complaint

Run: TypeAlias = Callable[[Client, argparse.Namespace], Awaitable[int]]
Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 (it has no other name)

_ACTION: Final = "client_command"


def add(actions: Parsers, name: str, run: Run, text: str, *also: str) -> argparse.ArgumentParser:
    """Add a command with the options that all have."""
    parser = actions.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", aliases=also)
    parser.set_defaults(**{_ACTION: run})
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--url", default="", help="the server (default: PATCHMON_URL, or this machine)")
    parser.add_argument(
        "--token-file", default="", metavar="FILE", help="read the API token from a file instead of PATCHMON_TOKEN"
    )
    return parser


def waits(parser: argparse.ArgumentParser, *, optional: bool = True) -> None:
    """Add the options of a command that may wait for the end."""
    if optional:
        parser.add_argument("--wait", action="store_true", help="follow it until its end; the exit code is its result")
    parser.add_argument(
        "--wait-seconds", type=float, default=0, metavar="N", help="give up waiting after this long (exit code 3)"
    )


def command_of(args: argparse.Namespace) -> Run:
    """Return what a parsed command line asks for."""
    run: Run = getattr(args, _ACTION)
    return run


def say(value: object) -> None:
    """Print a line of text, or a value as JSON."""
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


def table(rows: list[tuple[object, ...]]) -> None:
    """Print rows in columns."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in texts) for place in range(len(texts[0]))] if texts else []
    for row in texts:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def names(limits: list[str]) -> list[str]:
    """Return what stands in repeated options, which may hold commas."""
    return [name.strip() for limit in limits for name in limit.split(",") if name.strip()]


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


def counted(counts: Mapping[str, int]) -> str:
    """Return a job's hosts by state."""
    return ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in counts.items())
