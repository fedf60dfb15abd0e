"""The dead letters of a sink: what its receiver never takes, a line of JSON each, with the reason."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence

import msgspec


class DeadLetters:
    """
    Several processes may write to one file; each takes a lock for one append. Everything blocks.

    @param path: of the file, 0600; its directory is made. When it is half as long as the bound it becomes C{path.1}, in
        the place of the one before.
    @param most: bytes of both together; a single letter may be longer.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = path
        self._most = most

    def append(self, events: Sequence[bytes], why: str, now: str) -> None:
        """
        Keep encoded events. Raises L{OSError}.

        @param why: a sentence, without a secret.
        @param now: the time, as text.
        """
        lines = [
            b'{"time":%b,"reason":%b,"event":%b}\n' % (msgspec.json.encode(now), msgspec.json.encode(why), event)
            for event in events
        ]
        os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)
        lock = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for line in lines:
                self._append(line)
        finally:
            os.close(lock)

    def _append(self, line: bytes) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and size + len(line) > self._most // 2:
                os.replace(self._path, self._path + ".1")
                os.close(fd)
                fd = -1
                fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            while line:
                line = line[os.write(fd, line) :]
        finally:
            if fd >= 0:
                os.close(fd)
