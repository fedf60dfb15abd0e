"""A terminal as a whole screen that is drawn again and again, and is left as it was found."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The other screen of xterm and all of its kind, and no cursor; and back."""


def is_screen(out: TextIO, term: str) -> bool:
    """Whether the cursor can be placed there."""
    return out.isatty() and term not in ("", "dumb")


class Screen:
    """
    Use it as a context manager: however the block ends, the terminal is as it was.

    @ivar keys: whether keys are heard, one by one.
    """

    def __init__(self, out: TextIO | None = None, stdin: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._in = sys.stdin if stdin is None else stdin
        self._before: Any = None
        self._handlers: dict[int, Any] = {}
        self._wake: tuple[int, int] | None = None
        self.keys = False

    def __enter__(self) -> Screen:
        self._wake = os.pipe()
        for fd in self._wake:
            os.set_blocking(fd, False)
        self._in_use(True)
        for name in ("SIGTERM", "SIGHUP", "SIGWINCH", "SIGTSTP", "SIGCONT"):
            number = getattr(signal, name, None)
            if number is not None:
                self._handlers[number] = signal.signal(number, self._signal)
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        self._in_use(False)
        for fd in self._wake or ():
            os.close(fd)
        self._wake = None

    def _in_use(self, used: bool) -> None:
        self._write(ENTER if used else LEAVE)
        try:
            import termios
            import tty

            if used and self._in.isatty():
                self._before = termios.tcgetattr(self._in)
                tty.setcbreak(self._in, termios.TCSANOW)
                self.keys = True
            elif not used and self._before is not None:
                termios.tcsetattr(self._in, termios.TCSANOW, self._before)
                self._before, self.keys = None, False
        except (ImportError, OSError, ValueError):
            self.keys = False

    def _signal(self, number: int, frame: object) -> None:
        if number in (signal.SIGTERM, signal.SIGHUP):
            raise SystemExit(128 + number)
        if number == signal.SIGTSTP:
            # Ctrl-Z: the shell gets its own screen meanwhile.
            self._in_use(False)
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
        elif number == signal.SIGCONT:
            signal.signal(signal.SIGTSTP, self._signal)
            if not self.keys:
                self._in_use(True)
        self.wake()

    def wake(self) -> None:
        """End the L{wait} that runs, or the next one; any thread may call it."""
        if self._wake is not None:
            try:
                os.write(self._wake[1], b"\0")
            except (BlockingIOError, OSError):
                return

    def wait(self, seconds: float) -> str:
        """What was typed, as soon as there is something, or C{""} after some seconds or a L{wake}."""
        assert self._wake is not None
        watched: list[Any] = [self._wake[0], *([self._in] if self.keys else [])]
        ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._wake[0] in ready:
            with _ignored():
                os.read(self._wake[0], 4096)
        if self._in in ready:
            typed = os.read(self._in.fileno(), 64)
            if not typed:
                self.keys = False
            return typed.decode("utf-8", "replace")
        return ""

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        found = shutil.get_terminal_size()
        return found.columns, found.lines

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in the place of those before; the last is without an end, so that nothing scrolls."""
        self._write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


@contextmanager
def _ignored() -> Iterator[None]:
    try:
        yield
    except (BlockingIOError, OSError):
        return
