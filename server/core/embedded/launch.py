"""Become another program as another user, bound to the life of the process that started this one.

Run as a script with ``python -I -S launch.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...``; a UID of -1 keeps the
user. A script of its own, because code run between fork and exec in a process with threads may deadlock.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> None:
    """Change the user, ask the kernel for a signal when the parent ends, and become the program."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    os.umask(0o077)
    if uid >= 0:
        os.setgroups([gid])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    # After the change of user: changing credentials clears the signal.
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if os.getppid() != parent:
        # The parent ended before the kernel was asked, so its signal will never come.
        sys.exit("the server that started this program has ended")
    os.execv(command[0], command)  # noqa: S606 (no shell is the point)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl {option}")


if __name__ == "__main__":
    main(sys.argv[1:])
