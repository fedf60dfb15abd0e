"""Tests for L{llmproxy.core.http2.events}."""

from __future__ import annotations

from h2.connection import H2Connection
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.events import StateMachine
from llmproxy.core.http2.machine import ServerMachine

NOT_IN_H2 = {"begin_shutdown", "refuse_streams"}
"""It knows GOAWAY as the end of a connection only."""


class InterfaceTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Our machine has all of the interface, under the names that h2 has for it: another one can take its place."""
        names = [name for name, value in vars(StateMachine).items() if name[0] != "_" and callable(value)]
        self.assertGreater(len(names), 8)
        for name in names:
            self.assertTrue(callable(getattr(ServerMachine, name)), name)
            self.assertTrue(name in NOT_IN_H2 or callable(getattr(H2Connection, name)), name)
