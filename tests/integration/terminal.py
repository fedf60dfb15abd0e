"""A command that thinks it is in a terminal."""

from __future__ import annotations

import errno
import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence

from .processes import environment


class Terminal:
    """
    @ivar seen: everything that the command wrote.
    """

    def __init__(self, command: Sequence[str], directory: str, **more: str) -> None:
        self._fd, inner = pty.openpty()
        env = environment(**more) | {"TERM": "dumb"}
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=env,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: take_terminal(),
        )
        os.close(inner)
        self.seen = self._unread = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, seconds: float = 30.0) -> str:
        """Everything up to C{text} that was not waited for before."""
        until = time.monotonic() + seconds
        while text not in self._unread:
            if not self._read(until - time.monotonic()):
                raise AssertionError(f"{text!r} never came after {self.seen!r}: {self._unread!r}")
        at = self._unread.index(text) + len(text)
        found, self._unread = self._unread[:at], self._unread[at:]
        self.seen += found
        return found

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError as error:
            # Linux' way of saying that the other side is closed.
            if error.errno != errno.EIO:
                raise
            return False
        self._unread += data.decode("utf-8", "replace")
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._fd)


def take_terminal() -> None:
    """Have the standard input of this process, a terminal, be the one that it belongs to."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
