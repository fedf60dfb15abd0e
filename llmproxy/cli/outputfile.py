"""The file that a command writes to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from .faults import Fault


@contextmanager
def opened(path: str) -> Iterator[IO[str]]:
    """
    A file to write, made for its owner alone; C{-} is standard output.

    @raise Fault: it cannot be written.
    """
    if path == "-":
        yield sys.stdout
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
        yield file
