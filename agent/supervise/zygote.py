"""A process with Ansible imported, waiting to become one play; it stands alone and imports nothing of the agent.

Called as ``zygote.py SOCKET PATHS PARENT``: PATHS is the list of import folders as JSON, PARENT the process without
which there is nothing to wait for. It serves one launcher (see
``launcher.py``): forks the play, tells its process id, then how it ended.
"""

import gc
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import marshal
import os
import select
import signal
import socket
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

#: What a play needs beyond the command itself; one that is missing in some release is simply not warm.
_NEEDED = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.task_queue_manager",
    "ansible.executor.task_executor",
    "ansible.executor.module_common",
    "ansible.executor.process.worker",
    "ansible.plugins.action.normal",
    "ansible.plugins.action.command",
    "ansible.plugins.callback.default",
    "ansible.plugins.connection.local",
    "ansible.plugins.filter.core",
    "ansible.plugins.filter.mathstuff",
    "ansible.plugins.filter.urls",
    "ansible.plugins.filter.encryption",
    "ansible.plugins.inventory.yaml",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.test.core",
    "ansible.plugins.test.files",
    "ansible.plugins.test.mathstuff",
    "ansible.plugins.test.uri",
    "ansible.plugins.vars.host_group_vars",
)
#: Where Ansible makes the archives of modules.
_ARCHIVES = "ansible.executor.module_common"
_READ = "ansible/config/read.json"
#: Every module's archive begins with this file. What it says at its end: files that were compiled here carry the folder
#: of the archive they are read from, as those do that are compiled there; Ansible tells by it who speaks.
_FIRST = "ansible/__init__.py"
_NAMED = b"""
def _named(read):
    def reading(archive, name):
        code, is_package, path = read(archive, name)
        if path.endswith('.pyc'):
            path = path[:-1]
            _imp._fix_co_filename(code, path)
        return code, is_package, path
    return reading
import _imp, zipimport
zipimport._get_module_code = _named(zipimport._get_module_code)
"""
_MESSAGE_BYTES = 1024 * 1024
_LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.02


def main() -> None:
    """Import, wait for the launcher, fork."""
    # Whoever ends a job signals the play itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place, paths, parent = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(place)
    server.listen(1)
    sys.path[:] = paths
    sys.argv = ["ansible-playbook"]
    carry_compiled()
    warm_up(server)
    connection = wait_for_launcher(server, parent)
    server.close()
    message, files, _flags, _address = socket.recv_fds(connection, _MESSAGE_BYTES, 3)
    wish = json.loads(message)
    if wish["environment"] != dict(os.environ):  # noqa: TID251 (Ansible has read it already; another one is too late)
        connection.sendall(b"refused")
        return
    # From this word on the launcher never runs the play itself: it runs once.
    connection.sendall(b"taken")
    # What is here stays: the play's garbage collector need not walk through it, nor copy its pages.
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        connection.close()
        become_play(wish, files)
    else:
        for file in files:
            os.close(file)
        attend(connection, pid)
        os._exit(0)  # what Ansible registered for the end is the play's to do


def warm_up(server: socket.socket) -> None:
    """Import and read what takes time, the most useful first, until it is done or the launcher calls."""
    # The command does the same in a moment and would only remark that it was done.
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")
    for step in steps():
        if select.select([server], (), (), 0)[0]:
            return
        step()


def steps() -> Iterator[Callable[[], object]]:
    """Yield modules, then the routing table, then the options of plugins."""
    yield use_what_is_read
    for name in _NEEDED:
        yield partial(import_if_there, name)
    loader = importlib.import_module("ansible.plugins.loader")
    yield loader.init_plugin_loader
    yield partial(importlib.import_module, "ansible_collections.ansible.builtin")
    for kind in (loader.connection_loader, loader.shell_loader, loader.become_loader):
        yield partial(load_all, kind, class_only=True)
    yield partial(loader.inventory_loader.get, "ansible.builtin.yaml")
    yield partial(loader.strategy_loader.get, "linear", class_only=True)
    for name in ("awx_display", "default"):
        yield partial(loader.callback_loader.get, name, class_only=True)
    for kind in (loader.filter_loader, loader.test_loader):
        yield partial(load_all, kind)


def load_all(loader: Any, **options: bool) -> None:
    """Load every plugin of a kind; its loader remembers them."""
    list(loader.all(**options))


def use_what_is_read() -> None:
    """Take the content of Ansible's large YAML files from where the build wrote it down.

    Without libyaml, which a file for every machine cannot carry, reading them takes longer than all the imports. What
    is not written down, word for word, is read as ever.
    """
    written = next((file for file in (Path(path, _READ) for path in sys.path) if file.is_file()), None)
    if written is None:
        return
    known = json.loads(written.read_text(encoding="utf-8"))
    yaml: Any = importlib.import_module("yaml")
    tags: Any = importlib.import_module("ansible._internal._datatag._tags")
    trusted = tags.TrustedAsTemplate()
    read = yaml.load

    def load(stream: Any, Loader: Any) -> Any:  # noqa: N803 (the library's name)
        content = stream.read() if hasattr(stream, "read") else stream
        raw = content.encode() if isinstance(content, str) else content
        key = f"{Loader.__name__} {hashlib.sha256(raw).hexdigest()}"
        # Handed out once, because whoever gets it may change it; what is asked for again is kept as text.
        found = known.get(key) or None
        if isinstance(found, str):
            return as_trusted(json.loads(found), trusted) if trusted.is_tagged_on(content) else json.loads(found)
        if found is not None:
            return known.pop(key)
        if content is not stream:
            stream.seek(0)
        return read(stream, Loader)

    yaml.load = load


def as_trusted(value: Any, trusted: Any) -> Any:
    """Return what a trusted text says: the templates in it may be evaluated, as if it had been read here."""
    if isinstance(value, dict):
        return {key: as_trusted(one, trusted) for key, one in value.items()}
    if isinstance(value, list):
        return [as_trusted(one, trusted) for one in value]
    return trusted.tag(value) if isinstance(value, str) and "{" in value else value


def carry_compiled() -> None:
    """Have the archive of a module carry its library compiled, beside the sources.

    Compiling is most of what a short task takes. Another Python than this one passes over what it cannot read.
    """
    sys.meta_path.insert(0, Carriers())


class Carriers:
    """Waits until Ansible imports what makes archives: to import it sooner would hold up a play's first event."""

    def find_spec(self, name: str, _path: object, _target: object = None) -> Any:
        """Return the module as it is found without this, to be changed once it is there."""
        if name != _ARCHIVES:
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def run_and_change(module: Any) -> None:
            run(module)
            have_carried(module)

        spec.loader.exec_module = run_and_change
        return spec


def have_carried(common: Any) -> None:
    """Change what fills an archive."""
    origin: Any = importlib.import_module("ansible._internal._datatag._tags").Origin
    find = common.recursive_finder

    def finding(name: Any, fqn: Any, data: Any, archive: Any, at: Any, extensions: Any) -> Any:
        carrying = archive if extensions.debugger_enabled else Carrying(archive, origin)
        return find(name, fqn, data, carrying, at, extensions)

    common.recursive_finder = finding


class Carrying:
    """An archive that gets the compiled file beside every source that comes from a file here."""

    def __init__(self, archive: Any, origin: Any) -> None:
        self._archive = archive
        self._origin = origin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    def writestr(self, info: Any, data: Any) -> None:
        """Write a file, and what it compiles to."""
        if info.filename == _FIRST:
            self._archive.writestr(info, data + _NAMED)
            return
        self._archive.writestr(info, data)
        found = self._origin.get_tag(data)
        if found is not None and found.path and info.filename.endswith(".py"):
            compiled = type(info)(info.filename + "c", info.date_time)
            compiled.compress_type = info.compress_type
            self._archive.writestr(compiled, compiled_of(found.path, bytes(data)))


def compiled_of(path: str, source: bytes) -> bytes:
    """Return a compiled file as it counts anywhere; Python itself keeps one beside the source for the next time."""
    code = importlib.machinery.SourceFileLoader("carried", path).get_code("carried")
    flags = (1).to_bytes(4, "little")  # named by the hash of its source, and not compared
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def import_if_there(name: str) -> None:
    """Import a module that another release of Ansible may not have."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise


def wait_for_launcher(server: socket.socket, parent: int) -> socket.socket:
    """Accept one connection; end when the supervisor has died."""
    server.settimeout(_LOOK_SECONDS)
    while True:
        try:
            connection, _ = server.accept()
        except TimeoutError:
            if os.getppid() != parent:
                os._exit(1)
            continue
        connection.setblocking(True)
        return connection


def become_play(wish: "dict[str, object]", files: "list[int]") -> None:
    """Take over the launcher's place: session, terminal, folder, arguments; ends with the play."""
    os.setsid()
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    os.chdir(str(wish["folder"]))
    sys.argv = ["ansible-playbook", *list(wish["arguments"])]  # type: ignore[call-overload]
    importlib.import_module("ansible.cli.playbook").main()


def attend(connection: socket.socket, pid: int) -> None:
    """Tell the launcher the play's process id and later its end; without a launcher the play ends too."""
    connection.sendall(str(pid).encode())
    waiting = [connection.fileno()]
    try:
        waiting.append(os.pidfd_open(pid))
        patience = None
    except OSError:
        patience = _POLL_SECONDS  # an old kernel
    while True:
        ready, _, _ = select.select(waiting, (), (), patience)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if connection.fileno() in ready and not connection.recv(16):
            waiting.remove(connection.fileno())
            os.kill(pid, signal.SIGTERM)
    try:
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    except OSError:
        return


if __name__ == "__main__":
    main()
