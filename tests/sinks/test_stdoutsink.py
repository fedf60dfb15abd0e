"""The sink C{stdout}."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.stdoutsink import StdoutSink

from ..core.events.samples import event
from .eventing import tools


class StdoutSinkTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """A line for each event."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        sink = StdoutSink({}, tools())
        verifyObject(IEventSink, sink)
        sink.descriptor = writing
        self.successResultOf(sink.deliver([event(1), event(2)]))
        self.assertEqual(os.read(reading, 10_000).count(b"\n"), 2)
        self.successResultOf(sink.close())
