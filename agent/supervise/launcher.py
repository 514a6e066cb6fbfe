"""The program that ansible-runner starts as ``ansible-playbook``; it stands alone and imports nothing of the agent.

Called as ``launcher.py SOCKET PATHS ARGUMENT…``: PATHS is the list of import folders as JSON. A process with Ansible
imported waits behind SOCKET (``zygote.py``) and becomes the play; where that does not work out, this process does.
"""

import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    """Run the play, warm or cold, and end as it ended."""
    place, paths, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    quiet_input()
    connection = connect(place)
    if connection and hand_over(connection, arguments):
        end_as(attend(connection))
    cold(json.loads(paths), arguments)


def quiet_input() -> None:
    """Nobody sits in front of a job: questions get their defaults instead of waiting for ever."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def connect(place: str) -> "socket.socket | None":
    """Return a connection to the warm process, if there is one."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(place)
    except OSError:
        connection.close()
        return None
    return connection


def hand_over(connection: socket.socket, arguments: "list[str]") -> bool:
    """Give arguments, environment, folder and terminal away; say whether they were taken."""
    environment = dict(os.environ)  # noqa: TID251 (handed on unread)
    wish = {"arguments": arguments, "environment": environment, "folder": os.getcwd()}  # noqa: PTH109 (text)
    try:
        socket.send_fds(connection, [json.dumps(wish).encode()], [0, 1, 2])
        return connection.recv(64) == b"taken"
    except OSError:
        return False


def attend(connection: socket.socket) -> int:
    """Wait for the play's end and return its exit code, negative for a signal."""
    # Whoever ends a job interrupts the play itself; a second interruption from here would cut its cleaning up short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    pid = answer(connection)
    if pid:
        signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(pid, number))
    code = answer(connection) if pid else None
    return -int(signal.SIGKILL) if code is None else code


def answer(connection: socket.socket) -> "int | None":
    """Return the next number from the other side, nothing when it has died."""
    try:
        text = connection.recv(64)
    except OSError:
        return None
    return int(text) if text else None


def end_as(code: int) -> None:
    """End this process the way the play ended."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 1)


def cold(paths: "list[str]", arguments: "list[str]") -> None:
    """Import Ansible and become ``ansible-playbook``."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.umask(0o022)
    sys.path[:] = paths
    sys.argv = ["ansible-playbook", *arguments]
    # Its file lies beside this one, in no import folder.
    runpy.run_path(str(Path(__file__).with_name("zygote.py")))["carry_compiled"]()
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415 (a warm start never needs it)

    ansible_playbook()


if __name__ == "__main__":
    main()
