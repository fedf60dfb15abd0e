"""Running the reactor for a command."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.reactor import run_until_failure
from llmproxy.errors import ConfigError


class Reactor:
    """Runs what is to be called when it runs; C{run} returns when that has been done."""

    def __init__(self) -> None:
        self.stopped = 0
        self._calls: list[Callable[[], Any]] = []

    def callWhenRunning(self, call: Callable[[], Any]) -> None:
        self._calls.append(call)

    def run(self) -> None:
        while self._calls:
            self._calls.pop(0)()

    def stop(self) -> None:
        self.stopped += 1


class RunTests(SynchronousTestCase):
    def run_with(self, start: Callable[[], Deferred[Any]]) -> tuple[int, int, str]:
        reactor, stderr = Reactor(), io.StringIO()
        with contextlib.redirect_stderr(stderr):
            status = run_until_failure(reactor, start)
        return status, reactor.stopped, stderr.getvalue()

    def test_well(self) -> None:
        """A service that started and was stopped ends with 0 and in silence."""
        self.assertEqual(self.run_with(lambda: succeed(None)), (0, 0, ""))

    def test_a_mistake_is_one_line(self) -> None:
        """What the operator must correct is told in its own words, and the status is 1."""
        self.assertEqual(self.run_with(lambda: fail(ConfigError("no port"))), (1, 1, "no port\n"))

        def raises() -> Deferred[Any]:
            raise ConfigError("no port")

        self.assertEqual(self.run_with(raises), (1, 1, "no port\n"))

    def test_a_fault_of_ours_has_its_traceback(self) -> None:
        """A bug is not dressed up as a mistake of the operator's."""
        status, stopped, words = self.run_with(lambda: fail(ZeroDivisionError("bug")))
        self.assertEqual((status, stopped), (1, 1))
        self.assertIn("ZeroDivisionError", words)
