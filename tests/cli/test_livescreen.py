"""A terminal as a screen; a real one is in tests/integration/test_top.py."""

from __future__ import annotations

import os
import pty
import signal
import termios
import threading
import time
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.livescreen import ENTER, LEAVE, Screen, is_screen

from ..tables import row


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class ScreenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.stdin = os.fdopen(slave, "r")
        self.addCleanup(self.stdin.close)
        self.out = Terminal()

    def test_is_screen(self) -> None:
        self.assertTrue(is_screen(self.out, "xterm-256color"))
        self.assertFalse(is_screen(self.out, "dumb"))
        self.assertFalse(is_screen(self.out, ""))
        self.assertFalse(is_screen(StringIO(), "xterm"))

    def test_left_as_it_was(self) -> None:
        """However the block ends: modes, signals and the screen are as before."""
        before, handler = termios.tcgetattr(self.stdin), signal.getsignal(signal.SIGTERM)
        for error in (None, KeyboardInterrupt, SystemExit, ValueError):
            with row(error):
                try:
                    with Screen(self.out, self.stdin) as screen:
                        self.assertTrue(screen.keys)
                        self.assertNotEqual(termios.tcgetattr(self.stdin), before)
                        if error is not None:
                            raise error
                except (KeyboardInterrupt, SystemExit, ValueError):
                    pass
                self.assertEqual(termios.tcgetattr(self.stdin), before)
                self.assertIs(signal.getsignal(signal.SIGTERM), handler)
        self.assertEqual(self.out.getvalue(), (ENTER + LEAVE) * 4)

    def test_keys(self) -> None:
        """A key is heard at once, without the end of a line, and is not shown."""
        with Screen(self.out, self.stdin) as screen:
            os.write(self.master, b"q")
            self.assertEqual(screen.wait(30.0), "q")
            self.assertEqual(screen.wait(0.0), "")

    def test_wake(self) -> None:
        """Another thread ends the waiting."""
        with Screen(self.out, self.stdin) as screen:
            began = time.monotonic()
            threading.Timer(0.05, screen.wake).start()
            self.assertEqual(screen.wait(30.0), "")
            self.assertLess(time.monotonic() - began, 25.0)
        screen.wake()

    def test_terminated(self) -> None:
        """SIGTERM ends it in order."""
        with self.assertRaises(SystemExit) as caught, Screen(self.out, self.stdin):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        self.assertEqual(caught.exception.code, 128 + signal.SIGTERM)
        self.assertTrue(self.out.getvalue().endswith(LEAVE))

    def test_resized(self) -> None:
        """A terminal that changes its size is drawn anew at once."""
        with Screen(self.out, self.stdin) as screen:
            os.kill(os.getpid(), signal.SIGWINCH)
            self.assertEqual(screen.wait(30.0), "")

    def test_without_keys(self) -> None:
        """Standard input that is no terminal is left alone."""
        with open(os.devnull) as stdin, Screen(self.out, stdin) as screen:
            self.assertFalse(screen.keys)
            self.assertEqual(screen.wait(0.0), "")

    def test_drawn(self) -> None:
        """From the top left on, each line to its end, and nothing below; nothing scrolls."""
        with Screen(self.out, self.stdin) as screen:
            screen.draw(["a", "b"])
        self.assertEqual(self.out.getvalue(), f"{ENTER}\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J{LEAVE}")
