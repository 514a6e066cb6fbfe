"""Runs every check, shows only what is wrong, and fails when anything is."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = Path(sys.executable).parent

CHECKS: Final = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("walls", ["lint-imports", "--no-cache"]),
    ("architecture", ["python", "-m", "pytest", "-q", "--no-header", "tests/architecture"]),
    ("routes", ["python", "-m", "tools.route_table", "--check"]),
    ("playbooks", ["ansible-lint", "--offline", "playbooks", "collections/ansible_collections/patchmon"]),
    ("templates", ["djlint", "--lint", "--quiet", "templates"]),
    ("yaml", ["yamllint", "--strict", "."]),
)


def main() -> int:
    """Run all checks, whatever the first ones say; return how many failed."""
    failed = 0
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    for name, command in CHECKS:
        started = time.monotonic()
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        word = "ok" if done.returncode == 0 else "FAILED"
        print(f"{name:14} {word:7} {time.monotonic() - started:5.1f} s", flush=True)
        if done.returncode != 0:
            failed += 1
            print(done.stdout + done.stderr, flush=True)
    return failed


sys.exit(main())
