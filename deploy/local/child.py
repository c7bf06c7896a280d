"""Run a program that must not outlive its parent: `python -I -S child.py PARENT_PID PROGRAM ARGUMENT…`.

A file of its own, started before the program, because the call has to be made in the child and running Python code between
fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606


main()
