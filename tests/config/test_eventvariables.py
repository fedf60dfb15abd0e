"""Sinks of the environment."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.eventvariables import sinks_of_environment, with_sinks
from llmproxy.config.sinks import SinkConfig


class EnvironmentTests(SynchronousTestCase):
    def test_none(self) -> None:
        """Nothing is made of nothing, nor of a bus in memory."""
        for env in ({}, {"LLM_PROXY_EVENT_BUS": " "}, {"LLM_PROXY_EVENT_BUS": "in-memory"}):
            self.assertEqual(sinks_of_environment(env), ((), []), env)

    def test_bus(self) -> None:
        """The reference's bus is a sink of a stream, in its names."""
        [sink], problems = sinks_of_environment({"LLM_PROXY_EVENT_BUS": "redis-streams", "REDIS_ADDR": "r:1"})
        self.assertEqual((sink.name, sink.type, problems), ("bus", "redis-streams", []))
        self.assertEqual(
            sink.settings,
            {"url": "redis://r:1/0", "stream": "llm-proxy-events", "max_len": 10_000, "schema": "legacy"},
        )

    def test_log(self) -> None:
        """Its log of events is a file with its lines, without preflights."""
        [sink], _ = sinks_of_environment({"FILE_EVENT_LOG": "./events.jsonl"})
        self.assertEqual(sink.settings, {"path": "./events.jsonl", "schema": "legacy-log"})
        self.assertEqual((sink.name, sink.type, sink.when), ("file-event-log", "file", {"method": "!=OPTIONS"}))
        sink.filter()

    def test_wrong(self) -> None:
        """What is no bus is named, and the log is made all the same."""
        sinks, problems = sinks_of_environment({"LLM_PROXY_EVENT_BUS": "redis", "FILE_EVENT_LOG": "x"})
        self.assertEqual([each.name for each in sinks], ["file-event-log"])
        self.assertEqual(problems[0][0], "LLM_PROXY_EVENT_BUS")

    def test_names(self) -> None:
        """A file may have no sink of the same name."""
        more, _ = sinks_of_environment({"LLM_PROXY_EVENT_BUS": "redis-streams"})
        other = SinkConfig("other", "stdout")
        self.assertEqual([each.name for each in with_sinks([other], more)], ["other", "bus"])
        with self.assertRaisesRegex(ValueError, "LLM_PROXY_EVENT_BUS: makes a sink 'bus', and the file has one"):
            with_sinks([SinkConfig("bus", "stdout")], more)
