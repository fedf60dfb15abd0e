"""
Runs a command as a unit of systemd would: with its calls of the system, none other, and with a socket that is open.

C{python restricted.py SOCKET CALLS COMMAND...}: SOCKET is a descriptor, CALLS are numbers with commas.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001
X86_64 = 0xC000003E


def instruction(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)


def restrict(calls: list[int]) -> None:
    """Let this process, and all that it starts, make these calls; all others are C{EPERM} (seccomp(2))."""
    program = [instruction(LOAD, 4), instruction(EQUAL, X86_64, 1), instruction(RETURN, REFUSE), instruction(LOAD, 0)]
    for number in calls:
        program += [instruction(EQUAL, number, 0, 1), instruction(RETURN, ALLOW)]
    program.append(instruction(RETURN, REFUSE))
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    os.dup2(int(sys.argv[1]), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="llmproxy.socket")
    restrict([int(number) for number in sys.argv[2].split(",")])
    os.execv(sys.argv[3], sys.argv[3:])
