"""The program that ansible-runner starts as ``ansible-playbook``; it stands alone and imports nothing of the agent.

Called as ``launcher.py SOCKET PATHS ARGUMENT…``: PATHS is the list of import folders as JSON.
"""

import json
import os
import signal
import sys


def main() -> None:
    """Run the play in this process."""
    paths, arguments = sys.argv[2], sys.argv[3:]
    quiet_input()
    cold(json.loads(paths), arguments)


def quiet_input() -> None:
    """Nobody sits in front of a job: questions get their defaults instead of waiting for ever."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def cold(paths: "list[str]", arguments: "list[str]") -> None:
    """Import Ansible and become ``ansible-playbook``."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.umask(0o022)
    sys.path[:] = paths
    sys.argv = ["ansible-playbook", *arguments]
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415 (a warm start never needs it)

    ansible_playbook()


if __name__ == "__main__":
    main()
