"""Starts a command that dies with the process that asked for it, however that one ends.

Run as ``python -m starter.leash PARENT_PID COMMAND...``. A killed parent can stop nothing, so the
kernel is told to; it is a program of its own, for code between fork and exec of a threaded parent
may hang. Elsewhere than on Linux only a clean stop ends the children.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Put the leash on and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the leash was on
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is the caller's, not a user's


if __name__ == "__main__":
    main()
