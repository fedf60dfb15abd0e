"""The sink C{file}."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.eventfilesink import EventFileSink

from ..core.events.samples import event
from .eventing import tools


class EventFileSinkTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """An event is a line; nothing is there before the first one."""
        path = os.path.join(self.mktemp(), "events.jsonl")
        sink = EventFileSink({"path": path}, tools())
        verifyObject(IEventSink, sink)
        self.assertFalse(os.path.exists(os.path.dirname(path)))
        self.successResultOf(sink.deliver([event(1), event(2)]))
        self.successResultOf(sink.close())
        with open(path) as file:
            self.assertEqual([json.loads(line)["id"] for line in file], ["e-1", "e-2"])

    def test_legacy(self) -> None:
        """C{schema: legacy} writes exchanges as the reference has them on its bus, and nothing else."""
        path = os.path.join(self.mktemp(), "events.jsonl")
        sink = EventFileSink({"path": path, "schema": "legacy"}, tools())
        self.successResultOf(sink.deliver([event(1), event(2, kind="budget.soft")]))
        with open(path) as file:
            [line] = file.read().splitlines()
        self.assertEqual(json.loads(line)["RequestID"], "r-1")

    def test_settings(self) -> None:
        """What is wrong is said before anything is written."""
        self.assertRaisesRegex(ConfigError, "path: is missing", EventFileSink, {}, tools())
        self.assertRaisesRegex(ConfigError, "unknown setting", EventFileSink, {"path": "x", "size": 1}, tools())
        self.assertRaisesRegex(ConfigError, "max_size", EventFileSink, {"path": "x", "max_size": "much"}, tools())
        self.assertRaisesRegex(ConfigError, "schema", EventFileSink, {"path": "x", "schema": "2"}, tools())
