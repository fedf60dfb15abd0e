"""Formats of events."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.eventformats import lines_of
from llmproxy.sinks.sinksettings import SinkSettings

from ..core.events.samples import event


class FormatTests(SynchronousTestCase):
    def test_by_setting(self) -> None:
        """Schema 1 unless the reference's is asked for, which has exchanges alone."""
        events = [event(1), event(2, kind="audit.x")]
        self.assertEqual(len(lines_of(SinkSettings({}))(events)), 2)
        self.assertEqual(len(lines_of(SinkSettings({"schema": 1}))(events)), 2)
        [line] = lines_of(SinkSettings({"schema": "legacy"}))(events)
        self.assertIn(b'"RequestID":"r-1"', line)
