"""Builds ``dist/patchmon-agent.pyz``: the agent and everything it needs in one file that any Python 3.9 starts."""

import argparse
import ast
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from agent import __version__  # noqa: E402 (this program may be started from anywhere)
from agent.protocol import archive  # noqa: E402
from agent.system.build import versions  # noqa: E402

REQUIREMENTS = ROOT / "tools" / "agent-requirements.txt"
COLLECTION = Path("ansible_collections/patchmon/fleet")
TARGET = ROOT / "dist" / "patchmon-agent.pyz"
MAX_BYTES = 4 * 1024 * 1024
SHEBANG = b"#!/usr/bin/env python3\n"
MADE_AT = (1980, 1, 1, 0, 0, 0)

PACKAGES = (
    "ansible",
    "ansible_runner",
    "jinja2",
    "markupsafe",
    "packaging",
    "pexpect",
    "ptyprocess",
    "resolvelib",
    "websockets",
    "yaml",
)
#: Nothing of this is used on a host: compiled code, other systems' parts, servers, tests, type information.
#: By the loader that Ansible reads each with.
LARGE_YAML: dict[str, type[yaml.BaseLoader] | type[yaml.SafeLoader]] = {
    "ansible_builtin_runtime.yml": yaml.BaseLoader,
    "base.yml": yaml.SafeLoader,
}
#: Plugins that a play reads the documentation of, whichever it uses.
DOCUMENTED = re.compile(r"ansible/plugins/(become|cache|callback|connection|inventory|shell|strategy|vars)/\w+\.py$")
DROPPED = re.compile(
    r"""
    \.(so|pyd|pyc|c|pyx|pxd|h|pyi|exe|dll|ps1|psm1|psd1|cs)$ | /__pycache__/ | py\.typed$
  | ^ansible/galaxy/data/ | ^ansible/executor/powershell/.*\.(ps1|psd1)$ | ^ansible/module_utils/(powershell|csharp)/
  | ^ansible_runner/__main__\.py$
  | ^websockets/(legacy|sync)/ | ^websockets/(asyncio|legacy)/(server|router)\.py$
  | ^yaml/cyaml\.py$
    """,
    re.VERBOSE,
)
#: Of our own tree.
OWN_DROPPED = re.compile(r"/__pycache__/|/\.|\.pyc$")
COLLECTION_KEPT = re.compile(r"^(plugins|roles|meta)/|^(galaxy\.yml|README\.md)$")


class BuildError(Exception):
    """The file cannot be built; the text says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Build; exit code for the shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    try:
        size = build(options.output)
    except BuildError as error:
        print(f"The agent cannot be built: {error}", file=sys.stderr)
        return 1
    print(f"  {options.output.name} {__version__}: {size / 1024 / 1024:.2f} MB")
    return 0


def build(target: Path) -> int:
    """Write the file and return its size in bytes."""
    files = {**dependencies(), **own(), "build.json": described()}
    files["ansible/config/read.json"] = read_ahead(files)
    files["__main__.py"] = (ROOT / "tools" / "agent_main.py").read_bytes()
    content = packed(files)
    if len(content) > MAX_BYTES:
        raise BuildError(f"{len(content)} bytes are more than {MAX_BYTES}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever builds at the same moment builds the same.
    beside = target.with_suffix(f".{os.getpid()}")
    beside.write_bytes(content)
    beside.chmod(0o755)
    beside.replace(target)
    target.with_suffix(".pyz.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {target.name}\n")
    return len(content)


def read_ahead(files: dict[str, bytes]) -> bytes:
    """Return what Ansible's large YAML files say, by the loader that Ansible reads each with and their digest.

    The agent carries no libyaml, and without it a play would wait for them (see ``agent/supervise/zygote.py``).
    """
    known = {}
    for name, loader in LARGE_YAML.items():
        content = files[f"ansible/config/{name}"]
        said = yaml.load(content, loader)  # noqa: S506 (a file of a pinned and verified package)
        text = json.dumps(said, separators=(",", ":"))
        if json.loads(text) != said:
            raise BuildError(f"{name} says more than JSON can")
        known[f"{loader.__name__} {hashlib.sha256(content).hexdigest()}"] = said
    texts = {f"AnsibleLoader {hashlib.sha256(text.encode()).hexdigest()}": text for text in documentation(files)}
    for key, text in texts.items():
        said = yaml.safe_load(text)
        # As text, because it is handed out more than once. What says more than JSON can is read as ever.
        if json.loads(written := json.dumps(said, separators=(",", ":"), default=str)) == said:
            known[key] = written
    return json.dumps(known, separators=(",", ":"), sort_keys=False).encode()


def documentation(files: dict[str, bytes]) -> Iterator[str]:
    """Yield what plugins say about their options, and the fragments they share: a play reads it of every connection."""
    shared: dict[str, dict[str, str]] = {}
    for name, content in files.items():
        if found := re.match(r"ansible/plugins/doc_fragments/(\w+)\.py$", name):
            shared[found[1]] = texts_in(content)
    wanted: set[tuple[str, str]] = set()
    documented = (texts_in(content).get("DOCUMENTATION") for name, content in files.items() if DOCUMENTED.match(name))
    for text in filter(None, documented):
        yield text
        slugs = yaml.safe_load(text).get("extends_documentation_fragment", ())
        for slug in slugs.split(",") if isinstance(slugs, str) else slugs:
            fragment, _, variable = slug.strip().removeprefix("ansible.builtin.").partition(".")
            wanted.add((fragment, variable.upper() or "DOCUMENTATION"))
    for fragment, variable in sorted(wanted):
        if found_text := shared.get(fragment, {}).get(variable):
            yield found_text


def texts_in(content: bytes) -> dict[str, str]:
    """Return the texts that a module or its classes assign to names."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def described() -> bytes:
    """Return what the agent knows about itself: versions, and the digests of the projects built into it."""
    pinned = re.search(rb"(?m)^ansible-core==(\S+)", REQUIREMENTS.read_bytes())
    if pinned is None:
        raise BuildError(f"{REQUIREMENTS.name} does not pin ansible-core")
    known = {**versions(), "ansible": pinned.group(1).decode()}
    builtin = archive.digest(archive.pack(archive.read_folder(ROOT / "playbooks")))
    told = {"version": __version__, **known, "builtin_projects": [builtin]}
    return json.dumps(told, indent=1, sort_keys=True).encode()


def own() -> dict[str, bytes]:
    """Return the agent's own modules and the collection."""
    files = {f"agent/{name}": data for name, data in tree(ROOT / "agent") if not OWN_DROPPED.search(f"/{name}")}
    folder = ROOT / "collections" / COLLECTION
    for name, data in tree(folder):
        if COLLECTION_KEPT.search(name) and not OWN_DROPPED.search(f"/{name}"):
            files[f"{COLLECTION}/{name}"] = data
    return files


def dependencies() -> dict[str, bytes]:
    """Return the pure Python parts of the pinned packages, their versions, and the licences they come under."""
    site = installed()
    files: dict[str, bytes] = {}
    for package in PACKAGES:
        for name, data in tree(site / package):
            path = f"{package}/{name}"
            if not DROPPED.search(path):
                files[path] = data
    for folder in sorted(site.glob("*.dist-info")):
        for name, data in tree(folder):
            if name == "METADATA":
                # Ansible asks for the versions of its libraries; the long description behind the headers is not needed.
                files[f"{folder.name}/METADATA"] = data.partition(b"\n\n")[0] + b"\n"
            if re.search(r"(?i)(licen[cs]e|copying|notice)[^/]*$", name):
                files[f"licenses/{folder.name.partition('-')[0]}/{Path(name).name}"] = data
    return files


def installed() -> Path:
    """Install the pinned packages into the build folder, unless they are there."""
    pins = REQUIREMENTS.read_bytes()
    site = ROOT / "build" / "agent" / hashlib.sha256(pins).hexdigest()[:16]
    if (site / ".complete").exists():
        return site
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-compile", "--ignore-requires-python", "--target", str(site), "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise BuildError("its packages could not be installed (is there a network?)")
    (site / ".complete").touch()
    return site


def tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder by its relative name."""
    if not folder.is_dir():
        raise BuildError(f"{folder} is missing")
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()


def packed(files: dict[str, bytes]) -> bytes:
    """Return a zip of the files behind a line for the shell: sorted, fixed times, the same for the same sources."""
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, MADE_AT)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, files[name], compresslevel=9)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
