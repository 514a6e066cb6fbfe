"""Yum 3 for tests: takes only what yum 3.4.3 takes, has the real dnf do it, and answers in yum's words.

What is installed, what waits and what a transaction brings is real; words and options are those of yum's manual page.
"""

import re
import subprocess
import sys

COMMANDS = {"check-update", "downgrade", "install", "list", "makecache", "update", "upgrade", "updateinfo", "version"}
OPTIONS = re.compile(
    r"-[qyCv]|--assumeno|--security|--advisory=.+|--showduplicates|--exclude=.+|--installroot=.+|--setopt=[\w*.]+=.*"
    r"|--disableexcludes=\w+|--disableplugin=\w+|--enableplugin=\w+|--cacheonly|--releasever=.+"
)
WORDS = (
    (r"(?m)^Upgrading:", "Updating:"),
    (r"(?m)^Installing dependencies:", "Installing for dependencies:"),
    (r"(?m)^Removing dependent packages:", "Removing for dependencies:"),
    (r"(?m)^Upgraded:", "Updated:"),
    (r"(?m)^Upgrade  (\d+ Package)", r"Upgrade  \1"),
    (r"(?m)^Nothing to do\.", "No packages marked for update"),
    (r"(?m)^Available Upgrades", "Updated Packages"),
    (r"(?m)^Operation aborted\.", "Exiting on user command"),
)


def main(arguments: list[str]) -> int:
    """Refuse what yum 3 does not know; the rest is dnf's."""
    if arguments == ["--version"]:
        print("3.4.3")
        return 0
    words = [word for word in arguments if not word.startswith("-")]
    if not words or words[0] not in COMMANDS:
        print(f"No such command: {' '.join(words[:1])}. Please use /usr/bin/yum --help", file=sys.stderr)
        return 1
    for option in arguments:
        if option.startswith("-") and not OPTIONS.fullmatch(option):
            print(f"Command line error: no such option: {option}", file=sys.stderr)
            return 1
    done = subprocess.run(
        # Yum 3 takes the newest version or fails.
        ["dnf", "--setopt=best=True", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if "-q" not in arguments else subprocess.PIPE,
        text=True,
        check=False,
    )
    said = done.stdout
    for pattern, word in WORDS:
        said = re.sub(pattern, word, said)
    sys.stdout.write(said)
    sys.stderr.write(done.stderr or "")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
