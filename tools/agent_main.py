"""The first file of the agent that runs, whatever Python it meets: unpacks the agent once and starts it from there.

It is written for older Pythons too, so that they can say what is wrong.
"""

import sys

if sys.version_info < (3, 9):
    sys.stderr.write(
        "patchmon-agent needs Python 3.9 or newer; this is Python %d.%d (%s).\n"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
    sys.exit(1)

import os
import stat

OWN = os.path.abspath(sys.argv[0] if os.path.isfile(sys.argv[0]) else os.path.dirname(__file__))
DEFAULT_CONFIG = "/etc/patchmon/config.yml"
DEFAULT_STATE = "/var/lib/patchmon-agent"
#: Commands that must work for everybody, at once: they run out of the file itself.
LIGHT = ("version", "--version", "--help", "-h")
COMPLETE = ".complete"
OLD_VERSIONS = 1


def main() -> int:
    """Make the agent importable from nowhere but itself and the standard library, then run it."""
    place = OWN
    state = state_folder(sys.argv[1:])
    if state is not None:
        try:
            place = unpacked(state)
        except Exception as error:
            sys.stderr.write("Error: the agent cannot be unpacked into %s: %s\n" % (state, error))
            return 1
    sys.path[:] = [place] + standard_library()
    if place != OWN:
        forget_the_file()
    from agent.cli import main as run

    return run()


def forget_the_file() -> None:
    """Give back what Python keeps in memory about a zip that is not read any more."""
    import zipimport

    sys.path_importer_cache.pop(OWN, None)
    getattr(zipimport, "_zip_directory_cache", {}).pop(OWN, None)


def standard_library() -> "list[str]":
    """Return where Python's own modules are: no current folder, no user's or system's packages, no PYTHONPATH."""
    own = os.path.dirname(os.__file__)
    name = "python%d%d.zip" % sys.version_info[:2]
    # Some distributions keep the compiled modules beside the library, some below another prefix.
    kept = [path for path in sys.path if os.path.basename(path) in (name, "lib-dynload")]
    return [own] + [path for path in kept if os.path.isabs(path) and path != own]


def state_folder(arguments: "list[str]") -> "str | None":
    """Return the folder that belongs to the configuration in use; None where nothing needs to be unpacked."""
    if not arguments or any(word in LIGHT for word in arguments):
        return None
    config = DEFAULT_CONFIG
    for number, word in enumerate(arguments):
        if word == "--config" and number + 1 < len(arguments):
            config = arguments[number + 1]
        elif word.startswith("--config="):
            config = word.partition("=")[2]
    if os.path.abspath(config) != DEFAULT_CONFIG:
        return os.path.join(os.path.dirname(os.path.abspath(config)), "state")
    return DEFAULT_STATE if os.geteuid() == 0 else None


def unpacked(state: str) -> str:
    """Return the folder with this very file's content, made when it is not there yet."""
    from hashlib import sha256

    with open(OWN, "rb") as file:
        digest = sha256(file.read()).hexdigest()
    target = os.path.join(state, digest)
    if not is_ours(target):
        os.makedirs(state, mode=0o700, exist_ok=True)
        unpack(target)
        prune(state, digest)
    else:
        # The one in use is the last one that is pruned.
        os.utime(target)
    return target


def is_ours(target: str) -> bool:
    """Say whether a folder is complete and nobody else can have changed it."""
    try:
        found = os.lstat(target)
    except OSError:
        return False
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return private and os.path.isfile(os.path.join(target, COMPLETE))


def unpack(target: str) -> None:
    """Unpack beside the target and rename: it is there whole or not at all; the zip's checksums are verified."""
    import shutil
    import zipfile

    beside = "%s.%d" % (target, os.getpid())
    shutil.rmtree(beside, ignore_errors=True)
    os.mkdir(beside, 0o700)
    try:
        with zipfile.ZipFile(OWN) as archive:
            archive.extractall(beside)
        with open(os.path.join(beside, COMPLETE), "w"):
            pass
        if os.path.lexists(target):
            # Not complete, or not ours alone: nothing of it is used.
            os.rename(target, "%s.old" % beside)
            shutil.rmtree("%s.old" % beside, ignore_errors=True)
        os.rename(beside, target)
    except Exception:
        shutil.rmtree(beside, ignore_errors=True)
        if not is_ours(target):
            raise


def prune(state: str, digest: str) -> None:
    """Delete versions before the last one, unless a job may still be running from one of them."""
    jobs = os.path.join(state, "jobs")
    if os.path.isdir(jobs) and os.listdir(jobs):
        return
    old = [name for name in os.listdir(state) if len(name.partition(".")[0]) == len(digest) and name != digest]
    import shutil

    old.sort(key=lambda name: os.lstat(os.path.join(state, name)).st_mtime, reverse=True)
    for name in old[OLD_VERSIONS:]:
        shutil.rmtree(os.path.join(state, name), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
