"""Tests for L{llmproxy.workers.program}."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.internet import reactor
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.errors import ConfigError
from llmproxy.workers.handover import TRIAL, VARIABLE, Handover, HeldSocket, taken
from llmproxy.workers.program import HELD_BACK, Program, let_signals_in, program_of, replace_process, try_start
from tests.tables import row


def twistd(*given: str) -> Any:
    options = ServerOptions()
    options.parseOptions([*given, "llmproxy", "--config", "a.yaml"])
    return options


class ProgramOfTests(SynchronousTestCase):
    def test_llmproxy(self) -> None:
        """The interpreter with its own options, the script, and all that was given."""
        for orig, argv, expected in (
            (["python", "/bin/llmproxy", "serve", "-w", "2"], ["/bin/llmproxy", "serve", "-w", "2"], 2),
            (["python", "-X", "dev", "-m", "llmproxy", "serve"], ["/x/__main__.py", "serve"], 1),
            (["python", "-c", "code", "serve"], ["-c", "serve"], 1),
        ):
            with row(self, orig):
                made = program_of(None, orig, argv)
                self.assertEqual(made.command, (sys.executable, *orig[1:]))
                self.assertEqual((made.beside, made.pidfile), (made.command, ""))

    def test_twistd(self) -> None:
        """
        It stays in the foreground, where the first one is, with the same pidfile and log; beside it, it has no pidfile.
        """
        rest = ("llmproxy", "--config", "a.yaml")
        usual = os.path.abspath("twistd.pid")
        for given, log, pidfile in (
            ((), ("--logfile", "/d/twistd.log"), usual),
            (("-n",), (), usual),
            (("-n", "--logfile", "-"), ("--logfile", "-"), usual),
            (("--logfile", "/log/x", "--pidfile", "/run/p"), ("--logfile", "/log/x"), "/run/p"),
            (("--syslog", "--pidfile="), (), ""),
        ):
            with row(self, given):
                argv = ["/bin/twistd", *given, *rest]
                made = program_of(twistd(*given), ["python", *argv], argv, "/d")
                before = (sys.executable, "/bin/twistd", *given, "--nodaemon", "--rundir", "/d", *log, "--pidfile")
                self.assertEqual(made.command, (*before, pidfile, *rest))
                self.assertEqual(made.beside, (*before, "", *rest))
                self.assertEqual(made.pidfile, pidfile)


class ReplaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(let_signals_in)
        self.pidfile = self.mktemp()
        with open(self.pidfile, "w") as file:
            file.write(str(os.getpid()))
        self.program = Program(("/bin/x", "-a"), ("/bin/x", "-b"), self.pidfile)
        self.fd = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, self.fd)
        self.left = Handover((HeldSocket("--listen", "tcp:1", self.fd, 2),))

    def blocked(self) -> set[int]:
        return signal.pthread_sigmask(signal.SIG_BLOCK, []) & HELD_BACK

    def test_becomes(self) -> None:
        """Descriptors stay open, signals wait, and no file names a process: twistd would not start beside it."""
        became: list[Any] = []

        def execve(path: str, command: Any, env: Any) -> Any:
            became.append((path, command, env["A"], taken(dict(env))))
            self.assertEqual(self.blocked(), HELD_BACK)
            self.assertFalse(os.path.exists(self.pidfile))

        replace_process(self.program, self.left, {"A": "b"}, execve)
        self.assertEqual(became, [("/bin/x", ("/bin/x", "-a"), "b", self.left)])

    def test_cannot(self) -> None:
        """Where there is no such program, everything is as it was."""

        def execve(*arguments: Any) -> Any:
            raise FileNotFoundError("/bin/x")

        self.assertRaises(FileNotFoundError, replace_process, self.program, self.left, {}, execve)
        self.assertEqual(self.blocked(), set())
        self.assertFalse(os.get_inheritable(self.fd))
        with open(self.pidfile) as file:
            self.assertEqual(file.read(), str(os.getpid()))


class TryStartTests(TestCase):
    async def test_good(self) -> None:
        """It knows that it is only to try."""
        code = f"import os, sys; sys.exit(os.environ[{TRIAL!r}] != '1' or {VARIABLE!r} in os.environ)"
        await try_start(reactor, Program((), (sys.executable, "-c", code)), {})

    async def test_bad(self) -> None:
        """What it says is the reason; where it says nothing, how it ended."""
        for code, words in (
            ("import sys; print('apis.yaml:3: wrong', file=sys.stderr); sys.exit(1)", "apis.yaml:3: wrong"),
            ("import sys; sys.exit(3)", "exit code 3"),
            ("nonsense", "NameError"),
        ):
            try:
                await try_start(reactor, Program((), (sys.executable, "-c", code)), {})
            except ConfigError as error:
                self.assertIn(words, str(error), code)
            else:
                self.fail(code)
