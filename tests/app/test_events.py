"""Events put together; against real receivers they are in C{tests/integration/test_events.py}."""

from __future__ import annotations

import json
import os
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from llmproxy.app.proxy import TransparentProxy
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed
from llmproxy.errors import ConfigError
from llmproxy.record import Record

from ..core.events.samples import full_record
from .test_proxy import a_config


def named_record(entry_id: str) -> Record:
    record = full_record()
    record.entry_id = entry_id
    return record


class EventsTests(TestCase):
    def make(self, **settings: Any) -> TransparentProxy:
        directory = self.mktemp()
        os.mkdir(directory)
        self.path = os.path.join(directory, "events.jsonl")
        config = SinkConfig("log", "file", settings={"path": self.path}, **settings)
        apis = evolve(a_config(), sinks=[config])
        audit = AuditOptions(file=os.path.join(directory, "audit.jsonl"), in_database=False)
        return TransparentProxy(reactor, apis, database_url=os.path.join(directory, "x.db"), audit=audit)

    def written(self) -> list[dict[str, Any]]:
        with open(self.path) as file:
            return [json.loads(line) for line in file]

    async def test_at_the_end(self) -> None:
        """What was published last is in the file when the proxy has stopped."""
        proxy = self.make()
        proxy.startService()
        await proxy.started
        proxy.foundation.metering.publisher.publish(full_record())
        await proxy.stopService()
        [event] = self.written()
        self.assertEqual((event["id"], event["kind"]), (full_record().entry_id, "exchange"))

    async def test_all_kinds(self) -> None:
        """A sink that asks for it gets the audit log to its end, budgets, upstreams and the configuration."""
        proxy = self.make(when={"kind": "*"})
        proxy.startService()
        await proxy.started
        rule = Rule("cost", "token:t-1", 10, "max_budget of the token 'x'")
        for listener in proxy.foundation.limiting.listeners:
            listener(Crossed(rule, 0, 5))
        await proxy.swap(a_config(debug_headers=True))
        await proxy.stopService()
        kinds = [event["kind"] for event in self.written()]
        for kind in ("config.started", "audit.audit.start", "budget.soft", "config.reloaded", "audit.audit.stop"):
            self.assertIn(kind, kinds)

    async def test_other_sinks(self) -> None:
        """
        Another configuration has other sinks: what was published before is where it was to go, what comes later goes
        to the new ones, which may want what nobody wanted before.
        """
        proxy = self.make()
        first = self.path
        proxy.startService()
        await proxy.started
        publisher, events = proxy.foundation.metering.publisher, proxy.foundation.events
        assert events is not None
        publisher.publish(full_record())
        publisher.flush()
        self.path = os.path.join(os.path.dirname(first), "second.jsonl")
        log = SinkConfig("log", "file", settings={"path": first})
        all_of_it = SinkConfig("all", "file", when={"kind": "*"}, settings={"path": self.path})
        await proxy.swap(evolve(a_config(), sinks=[all_of_it]))
        self.assertEqual([each.name for each in proxy.metrics().sinks()], ["all"])
        self.assertEqual(events.configs, (all_of_it,))
        for listener in proxy.foundation.limiting.listeners:
            listener(Crossed(Rule("cost", "token:t-1", 10, "max_budget of the token 'x'"), 0, 5))
        audit_log = proxy.foundation.audit_log
        assert audit_log is not None
        audit_log.log("token.create", "admin", "success")
        publisher.publish(named_record("second"))
        publisher.flush()
        await proxy.swap(evolve(a_config(), sinks=[all_of_it, log]))
        publisher.publish(named_record("third"))
        await proxy.stopService()
        kinds = [event["kind"] for event in self.written()]
        for kind in ("config.reloaded", "budget.soft", "audit.token.create", "exchange"):
            self.assertIn(kind, kinds)
        exchanges = [event["id"] for event in self.written() if event["kind"] == "exchange"]
        self.assertEqual(exchanges, ["second", "third"])
        self.path = first
        self.assertEqual([event["id"] for event in self.written()], [full_record().entry_id, "third"])

    async def test_wrong_sinks(self) -> None:
        """A sink that cannot be made changes nothing; a configuration that says nothing of sinks leaves them."""
        proxy = self.make()
        proxy.startService()
        await proxy.started
        with self.assertRaises(ConfigError) as caught:
            await proxy.swap(evolve(a_config(), sinks=[SinkConfig("log", "file"), SinkConfig("x", "stdout")]))
        self.assertIn("sink 'log': path: is missing", str(caught.exception))
        await proxy.swap(a_config())
        self.assertEqual([each.name for each in proxy.metrics().sinks()], ["log"])
        await proxy.stopService()

    async def test_exchanges_alone(self) -> None:
        """By default nothing but exchanges is said, and nothing else is even looked at."""
        proxy = self.make()
        self.assertEqual(proxy.foundation.limiting.listeners, [])
        events = proxy.foundation.events
        assert events is not None
        self.assertEqual(events.audit_sinks(), [])
        self.assertEqual([events.wants(kind) for kind in ("exchange", "upstream.*")], [True, False])
        await proxy.shutdown()

    async def test_reports(self) -> None:
        """What is known of sinks is among the numbers of the process."""
        proxy = self.make()
        proxy.startService()
        await proxy.started
        [report] = proxy.metrics().sinks()
        self.assertEqual((report.name, report.type, report.state), ("log", "file", "ok"))
        await proxy.stopService()

    async def test_never_started(self) -> None:
        """A proxy that could not start writes what it has answered until then, and leaves no timer behind."""
        proxy = self.make()
        proxy.foundation.metering.publisher.publish(full_record())
        proxy.foundation.metering.publisher.flush()
        await proxy.shutdown()
        self.assertEqual([event["kind"] for event in self.written()], ["exchange"])

    async def test_no_audit_log(self) -> None:
        """A sink that asks for audit records where none are kept is not left waiting in silence."""
        said: list[Any] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        sink = SinkConfig("alerts", "stdout", when={"kind": "audit.*"})
        proxy = TransparentProxy(reactor, evolve(a_config(), sinks=[sink]), database_url=":memory:")
        self.assertIn("alerts", [each["names"] for each in said if "audit.*" in str(each.get("log_format"))])
        await proxy.shutdown()

    async def test_off(self) -> None:
        """Without a sink there is nothing."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        self.assertIsNone(proxy.foundation.events)
        self.assertEqual(proxy.metrics().sinks(), [])
        await proxy.shutdown()

    async def test_wrong(self) -> None:
        """A sink that cannot be made keeps the proxy from starting, by its name."""
        apis = evolve(a_config(), sinks=[SinkConfig("log", "file")])
        error = self.assertRaises(ConfigError, TransparentProxy, reactor, apis, database_url=":memory:")
        self.assertIn("sink 'log': path: is missing", str(error))
