"""Tests for L{llmproxy.net.clockedcall}."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.clockedcall import ClockedCall

ROOT = Path(__file__).resolve().parent.parent.parent

ALONE = """
import sys
from twisted.internet.task import Clock
from llmproxy.net.clockedcall import ClockedCall
clock, calls = Clock(), []
call = ClockedCall(clock, lambda: calls.append(clock.seconds()))
call.start(2, now=False)
clock.pump([1] * 6)
call.stop()
print(calls, clock.getDelayedCalls(), "twisted.internet.reactor" in sys.modules)
"""


class ClockedCallTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls: list[float] = []

    def test_at_intervals(self) -> None:
        """The next call waits for what the last one began; a failure ends them."""
        results: list[Deferred[None]] = []

        def work() -> Deferred[None]:
            self.calls.append(self.clock.seconds())
            results.append(Deferred())
            return results[-1]

        call = ClockedCall(self.clock, work)
        ended = call.start(1.0)
        self.clock.advance(5)
        self.assertEqual(self.calls, [0.0])
        results[0].callback(None)
        self.clock.advance(1)
        self.assertEqual(self.calls, [0.0, 6.0])
        results[1].errback(ZeroDivisionError())
        self.failureResultOf(ended, ZeroDivisionError)
        self.assertEqual((call.running, self.clock.getDelayedCalls()), (False, []))

    def test_no_reactor(self) -> None:
        """It needs no reactor and installs none."""
        ended = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((ended.stdout, ended.stderr), ("[2.0, 4.0, 6.0] [] False\n", ""))

    def test_what_it_leaves_out(self) -> None:
        """Another Twisted whose LoopingCall prepares more shows it here."""
        made = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(LoopingCall.__init__))))
        names = {node.attr for node in made if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
        self.assertEqual(names, {"f", "a", "kw", "clock"})
