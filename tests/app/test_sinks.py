"""Sinks put together."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinks import LazyAgent, SinkMaker, check_sinks, report_of
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.sinks.registry import TYPES
from llmproxy.store.threads import NoThreads

from ..core.events.samples import event

WORKING: dict[str, dict[str, Any]] = {
    "file": {"path": "events.jsonl"},
    "stdout": {},
    "http": {"url": "http://127.0.0.1:9000/in", "secret": "open-sesame-canary"},
    "lunary": {"api_key": "lunary-key-canary"},
    "helicone": {"api_key": "helicone-key-canary"},
    "langfuse": {"public_key": "pk", "secret_key": "langfuse-key-canary"},
    "redis-streams": {"url": "redis://127.0.0.1:6379/0"},
}
"""Settings of each type that there is nothing to say against."""


class SinkMakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.masking = Clock(), Masking()
        self.path = os.path.join(self.mktemp(), "x.db")
        self.maker = SinkMaker(self.clock, lambda: None, NoThreads().run, self.masking, self.path, environment={})

    def test_every_type(self) -> None:
        """Each type that is named is there, opens nothing when it is made, and has its secrets masked everywhere."""
        for name in TYPES:
            if name not in WORKING:
                continue
            self.maker.queue(SinkConfig("a", name, settings=WORKING[name]))
            secrets = [value for value in WORKING[name].values() if "canary" in value]
            self.assertEqual([self.masking.text(each) for each in secrets], ["[masked]"] * len(secrets), name)
        self.assertFalse(os.path.exists(os.path.dirname(self.path)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_problems(self) -> None:
        """What is wrong with each sink is said, with its name."""
        configs = [SinkConfig("a", "kafka"), SinkConfig("b", "file"), SinkConfig("c", "http", settings={"url": "x"})]
        error = self.assertRaises(ConfigError, self.maker.queues, configs)
        self.assertEqual([each.split(":")[0] for each in error.problems], ["sink 'a'", "sink 'b'", "sink 'c'"])
        self.assertRaises(ConfigError, check_sinks, configs, {})
        check_sinks([SinkConfig("a", "stdout")], {})

    def test_report(self) -> None:
        """What is known of a sink, without what is secret."""
        queue = self.maker.queue(SinkConfig("log", "file", settings={"path": os.path.join(self.mktemp(), "x")}))
        queue.take([event(1)])
        self.assertEqual(report_of(queue, "file", self.masking.text).waiting, 1)
        self.clock.advance(1)
        report = report_of(queue, "file", self.masking.text)
        self.assertEqual((report.name, report.type, report.delivered, report.waiting), ("log", "file", 1, 0))
        self.assertEqual(report.delivered_at, 1)
        queue.delivery.error = "key sk-abcdefghijklmnopqrst"
        self.assertNotIn("sk-abc", report_of(queue, "file", self.masking.text).error)

    def test_lazy_agent(self) -> None:
        """The client is made when a sink asks something, and not before."""
        made: list[Any] = []

        class Client:
            def request(self, *args: Any, **keywords: Any) -> Any:
                return args

            def close(self) -> None:
                made.append("closed")

        agent = LazyAgent(lambda: made.append("made") or Client())
        agent.close()
        self.assertEqual(made, [])
        agent.request("GET", "http://x")
        agent.request("GET", "http://x")
        agent.close()
        self.assertEqual(made, ["made", "closed"])
