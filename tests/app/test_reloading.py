"""Tests for L{llmproxy.app.reloading}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.configsource import ConfigSource
from llmproxy.app.reloading import TAKEN, Outcome, Reloading, plan
from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.identity import GrantConfig, IdentityConfig, ProviderConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.config.usagelimits import UsageLimitsConfig
from llmproxy.core.clientlimits import Limits
from llmproxy.core.ledger.settings import LedgerOptions
from llmproxy.errors import ConfigError, Draining
from tests.tables import row

ONE = APIProviderConfig("https://one.example", ["/v1"], ["GET"])
TWO = evolve(ONE, base_url="https://two.example")
BEFORE = Settings(APIConfig({"a": ONE, "b": ONE}, "a"), management_token="m" * 8)


class PlanTests(SynchronousTestCase):
    def test_changed(self) -> None:
        """What a running proxy takes is named, and taken."""
        for name, changes, expected in (
            ("nothing", {}, ()),
            ("an API", {"apis": {"a": TWO, "b": ONE}}, ("apis.a",)),
            ("one more", {"apis": {"a": ONE, "b": ONE, "c": ONE}}, ("apis.c (new)",)),
            ("one less", {"apis": {"a": ONE}}, ("apis.b (gone)",)),
            ("the default", {"default_api": "b"}, ("default_api",)),
        ):
            with row(self, name):
                found = plan(BEFORE, evolve(BEFORE, apis=evolve(BEFORE.apis, **changes)))
                self.assertEqual((found.changed, found.needs_restart), (expected, ()))
                self.assertEqual(found.settings.apis, evolve(BEFORE.apis, **changes))

    def test_needs_restart(self) -> None:
        """What was made once is named, down to the part of it, and stays."""
        of_file = {
            "limits": Limits(connections=7),
            "ledger": LedgerOptions(directory="/x"),
            "trusted_proxies": ("::1",),
        }
        of_program = {"listen": ("tcp:1",), "management_token": "another1", "drain_seconds": 1.0}
        after = evolve(BEFORE, apis=evolve(BEFORE.apis, **of_file, apis={"a": TWO, "b": ONE}), **of_program)
        found = plan(BEFORE, after)
        self.assertEqual(
            set(found.needs_restart),
            {"limits.connections", "ledger.directory", "trusted_proxies", *of_program},
        )
        self.assertEqual(found.settings, evolve(BEFORE, apis=evolve(BEFORE.apis, apis={"a": TWO, "b": ONE})))
        self.assertNotIn("another1", str(found.outcome))

    def test_sinks(self) -> None:
        """Other sinks are taken; that there are some at all, or none, is a matter of the start."""
        sinks = ((), (SinkConfig("one", "stdout"),), (SinkConfig("two", "stdout"),))
        for was, wanted, changed, late in (
            (1, 2, ("sinks",), ()),
            (1, 1, (), ()),
            (0, 1, (), ("sinks",)),
            (1, 0, (), ("sinks",)),
        ):
            before, after = (evolve(BEFORE, apis=evolve(BEFORE.apis, sinks=sinks[each])) for each in (was, wanted))
            with row(was, wanted):
                found = plan(before, after)
                self.assertEqual((found.changed, found.needs_restart), (changed, late))
                self.assertEqual(found.settings.apis.sinks, sinks[was if late else wanted])

    def test_appeared(self) -> None:
        """Whether people sign in at all is decided at the start; what holds of them may change at any time."""
        identity = IdentityConfig((ProviderConfig("a", "https://a", "us"),), (GrantConfig(role="owner"),))
        with_it = evolve(BEFORE, apis=evolve(BEFORE.apis, identity=identity))
        for before, after in ((BEFORE, with_it), (with_it, BEFORE)):
            with row(before.apis.identity):
                found = plan(before, after)
                self.assertEqual((found.settings, found.needs_restart), (before, ("identity",)))
        other = evolve(identity, rules=(GrantConfig(role="auditor"),))
        changed = evolve(with_it, apis=evolve(BEFORE.apis, identity=other))
        found = plan(with_it, changed)
        self.assertEqual((found.settings, found.changed, found.needs_restart), (changed, ("identity",), ()))

    def test_leases(self) -> None:
        """Whether budgets are leased stays as it was, and is named; the limits beside it are taken."""
        limits = UsageLimitsConfig(rate_limit_fields=True, budget_leases=False)
        found = plan(BEFORE, evolve(BEFORE, apis=evolve(BEFORE.apis, usage_limits=limits)))
        self.assertEqual(found.outcome, Outcome(("usage_limits",), ("usage_limits.budget_leases",)))
        self.assertEqual(found.settings.apis.usage_limits, UsageLimitsConfig(rate_limit_fields=True))

    def test_outcome(self) -> None:
        for outcome, words in (
            (Outcome(), "nothing of it has changed"),
            (Outcome(("apis.a", "prices")), "changed: apis.a, prices"),
            (Outcome((), ("listen",)), "nothing of it has changed; takes effect at the next start only: listen"),
        ):
            with row(self, words):
                self.assertEqual(str(outcome), words)

    def test_every_field(self) -> None:
        """Whatever is added to the file is either taken or named."""
        self.assertLess(set(TAKEN), {each.name for each in APIConfig.__attrs_attrs__})


class ReloadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.found: Settings | Exception = evolve(BEFORE, apis=evolve(BEFORE.apis, apis={"a": TWO}))
        self.settings = evolve(BEFORE, source=ConfigSource("apis.yaml", self.read))
        self.taking: Any = None
        self.taken: list[Settings] = []
        self.reloading = Reloading(Clock(), lambda: self.settings, self.take)
        self.told: list[Outcome] = []
        self.reloading.listeners.append(self.told.append)

    def read(self, opened: set[str]) -> Settings:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def take(self, settings: Settings, table: Any) -> Any:
        self.assertEqual([api.name for api in table.apis], list(settings.apis.apis))
        if isinstance(self.taking, Exception):
            raise self.taking
        self.taken.append(settings)
        self.settings = settings
        return self.taking

    def test_taken(self) -> None:
        """What is read is taken, and those who listen are told of it."""
        outcome = self.successResultOf(self.reloading.reload())
        self.assertEqual(outcome.changed, ("apis.a", "apis.b (gone)"))
        self.assertEqual(self.taken, [self.settings])
        self.assertEqual(self.told, [outcome])

    def test_broken(self) -> None:
        """What cannot be read, or not be taken, changes nothing, and the next one is as good as the first."""
        for where in ("found", "taking"):
            with row(self, where):
                before = getattr(self, where)
                setattr(self, where, ConfigError("apis.yaml:3: wrong"))
                error = self.failureResultOf(self.reloading.reload(), ConfigError).value
                self.assertEqual(error.problems, ("apis.yaml:3: wrong",))
                self.assertEqual((self.taken, self.told), ([], []))
                setattr(self, where, before)
        self.successResultOf(self.reloading.reload())

    def test_one_at_a_time(self) -> None:
        """The second reads when the first is done: it may see a newer file."""
        self.taking = waiting = Deferred()
        first, second = self.reloading.reload(), self.reloading.reload()
        self.assertEqual(len(self.taken), 1)
        self.taking = None
        waiting.callback(None)
        self.successResultOf(first)
        self.assertEqual(self.successResultOf(second).changed, ())

    def test_no_file(self) -> None:
        """What a program has given cannot be read again."""
        self.settings = evolve(self.settings, source=None)
        self.assertFalse(self.reloading.is_possible)
        self.failureResultOf(self.reloading.reload(), ConfigError)

    def test_by_signal(self) -> None:
        """The log says what came of it; nothing is raised, whatever it is."""
        for taking in (None, ConfigError("wrong"), Draining("stopping"), ValueError("a fault of ours")):
            with row(self, taking):
                self.taking = taking
                self.successResultOf(self.reloading.by_signal())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
