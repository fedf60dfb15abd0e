"""Formats of events."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.reference import encode_log_line, encode_payload
from llmproxy.errors import ConfigError
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

    def test_reference(self) -> None:
        """The reference's log and its dispatcher have lines of their own, of exchanges alone."""
        content = Content(response_headers={"x-a": ["1"]})
        events = [event(1, content=content), event(2, kind="audit.x")]
        [line] = lines_of(SinkSettings({"schema": "legacy-log"}))(events)
        self.assertEqual(line, encode_log_line(events[0]))
        for more, verbose in (({}, False), ({"verbose": "true"}, True)):
            [line] = lines_of(SinkSettings({"schema": "legacy-dispatcher", **more}))(events)
            self.assertEqual(line, encode_payload(events[0], verbose), more)
        read = SinkSettings({"schema": "legacy-log", "verbose": "true"})
        lines_of(read)
        self.assertRaises(ConfigError, read.done)
