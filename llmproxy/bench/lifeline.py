"""The end of a process that was started for a benchmark, when who started it is gone, however that ended."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
from threading import Thread


def hold(fd: int, directory: str) -> None:
    """
    End this process as SIGTERM does, once the other end of the pipe C{fd} is closed, which the system does for a
    process that is killed too; then remove C{directory}.
    """

    def wait() -> None:
        while os.read(fd, 4096):
            pass
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, name="lifeline", daemon=True).start()
