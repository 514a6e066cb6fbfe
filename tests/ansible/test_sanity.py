"""Both collections pass what ``ansible-test sanity`` can look at without a container."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ansible.controllers import COLLECTIONS, core

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("ansible controller")]

LOOKED_AT = (
    "validate-modules",
    "ansible-doc",
    "runtime-metadata",
    "shebang",
    "use-argspec-type-path",
    "replace-urlopen",
)
#: Stands in for the program that ansible-test would fetch to get pip into its environments.
PIP = "import ensurepip\nensurepip.bootstrap(upgrade=True, default_pip=True)\n"


@pytest.mark.parametrize("name", ["fleet", "dynamic_inventory"])
def test_the_collection_is_sane(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    assert request.config.cache is not None
    programs = core(request.config.cache.mkdir("ansible-core-2.19"))
    home = Path(request.config.cache.mkdir("ansible-test"))
    (home / ".ansible" / "test" / "cache").mkdir(parents=True, exist_ok=True)
    (home / ".ansible" / "test" / "cache" / "get_pip_24_2.py").write_text(PIP, encoding="utf-8")
    place = tmp_path / "ansible_collections" / "patchmon" / name
    # Links become files, as in the built collection.
    shutil.copytree(COLLECTIONS / name, place, ignore=shutil.ignore_patterns("__pycache__", "output"))
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}
    subprocess.run(["git", "init", "--quiet"], cwd=place, env=environment, check=True)
    subprocess.run(["git", "add", "--all"], cwd=place, env=environment, check=True)
    version = subprocess.run(
        [programs / "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True, text=True, capture_output=True,
    ).stdout.strip()  # fmt: skip
    tests = [word for test in LOOKED_AT for word in ("--test", test)]
    done = subprocess.run(
        [programs / "ansible-test", "sanity", "--requirements", "--python", version, "--color", "no", *tests],
        cwd=place, env=environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
