"""Tests for L{llmproxy.app.metering}."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app import metering as metering_module
from llmproxy.app.metering import Metering
from llmproxy.app.ownparts import OwnParts
from llmproxy.app.settings import Settings
from llmproxy.cache.stats import CacheStatsAggregator
from llmproxy.config.compile import compile_api
from llmproxy.config.model import APIProviderConfig, MeterConfig
from llmproxy.core.masking import Masking
from llmproxy.message import Record
from llmproxy.usage import Usage

from ..cache.test_stats import FakeStatsStore
from .embedded import a_config


class MeteringTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.path = Clock(), self.mktemp()
        self.masking = Masking()
        settings = Settings(a_config().alone(), access_log=self.path)
        self.metering = Metering(self.clock, settings, OwnParts(), None, self.masking)
        self.addCleanup(self.metering.close)

    def test_unread(self) -> None:
        """Every answer that could not be read is counted; the log has a line of the first."""
        logged: list[object] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        for _ in range(3):
            self.metering.meter_failed("fault", "ValueError")
        self.assertEqual((self.metering.meter_errors, len(logged)), (3, 1))

    def test_cost_that_is_looked_up(self) -> None:
        """The log and the metrics wait for a cost that is being looked up, and have it then."""
        metering = self.metering
        record = Record("id", "POST", "/", "192.0.2.1", 0.0, api="a", status=200, ended="complete", usage=Usage(1))
        metering.costs.pending.add(record)
        metering.publisher.publish(record)
        metering.flush()
        self.assertEqual((metering.snapshot().costs, Path(self.path).read_text()), ({}, ""))
        record.cost = Decimal("0.5")
        metering.costs.pending.remove(record)
        metering.costs.noted(record)
        self.assertEqual(metering.snapshot().costs, {("a", "other"): Decimal("0.5")})
        self.assertIn('"cost":"0.5"', Path(self.path).read_text().replace(" ", ""))

    def test_estimates(self) -> None:
        """Records wait for estimates only where an API wants them, and they can be made; where not, it is said why."""
        plain = compile_api("a", APIProviderConfig("https://a.example", meter=MeterConfig(enabled=True)))
        wanting = compile_api("b", APIProviderConfig("https://b.example", meter=MeterConfig(estimate=True)))
        metering, at_once = self.metering, (self.metering.seal, self.metering.publisher.publish)
        self.assertEqual(metering.takers([plain]), at_once)
        logged: list[dict[str, object]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        self.patch(metering_module, "missing", lambda: "no encoding")
        self.assertEqual((metering.takers([plain, wanting]), metering.estimates), (at_once, None))
        self.assertEqual([event["why"] for event in logged], ["no encoding"])
        self.patch(metering_module, "missing", lambda: "")
        seal, publish = metering.takers([wanting])
        record = Record("id", "POST", "/", "192.0.2.1", 0.0, status=200, ended="complete")
        seal(record)
        publish(record)
        metering.flush()
        self.assertEqual([line["status"] for line in self.lines()], [200])
        estimates = metering.estimates
        metering.takers([wanting])
        self.assertIs(metering.estimates, estimates)
        metering.stop()

    def lines(self) -> list[dict[str, object]]:
        with open(self.path) as file:
            return [json.loads(line) for line in file]

    def test_refused(self) -> None:
        """What never became an exchange is counted and logged, and is no request."""
        self.metering.refused(503, "too_many_connections", "192.0.2.1", "connections")
        self.metering.flush()
        self.assertEqual(self.metering.metrics.refusals, {"too_many_connections": 1})
        self.assertEqual([line["status"] for line in self.lines()], [503])
        self.assertEqual(self.metering.snapshot().request_count, 0)

    def test_secrets_that_come_later(self) -> None:
        """A key that another configuration brings is masked from then on."""
        self.masking.learn(["canary-of-a-key"])
        record = Record("id", "GET", "/canary-of-a-key", "192.0.2.1", 0.0, status=200, ended="complete")
        self.metering.seal(record)
        self.metering.publisher.publish(record)
        self.metering.flush()
        self.assertNotIn("canary", str(self.lines()))

    def test_hits_that_nobody_counts(self) -> None:
        """Nothing stops, drops or writes any, until somebody counts them."""
        self.metering.count()
        self.successResultOf(self.metering.stop_hits())
        self.assertEqual(self.metering.dropped_hits(), 0)
        store = FakeStatsStore()
        self.metering.replace_hits(CacheStatsAggregator(self.clock, store))
        self.metering.publisher.publish(Record("id", "GET", "/", "", 0.0, status=200, cache="hit", token_id="t"))
        self.metering.flush()
        self.successResultOf(self.metering.stop_hits())
        self.assertEqual(store.total(), {"t": 1})

    def test_log_file_that_was_moved(self) -> None:
        """It is opened anew."""
        self.metering.refused(503, "one", "192.0.2.1")
        self.metering.flush()
        os.rename(self.path, self.path + ".1")
        self.metering.reopen_logs()
        self.metering.refused(503, "two", "192.0.2.1")
        self.metering.flush()
        self.assertEqual(len(self.lines()), 1)
