"""Tests for L{llmproxy.store.agentsettings}."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentversions import Changed
from llmproxy.store import agentsettings
from llmproxy.store.agentsettings import AgentSettingsStore
from llmproxy.store.agentsettingstables import agent_settings

from .databases import clock_at, opened


class AgentSettingsStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        path = self.mktemp()
        # As two machines have it.
        self.databases = [opened(self, path) for _ in range(2)]
        self.one, self.other = (AgentSettingsStore(self.clock, each) for each in self.databases)

    def note(self, store: AgentSettingsStore, **versions: str) -> Any:
        contents = {name: f'{{"v":"{version}"}}' for name, version in versions.items()}
        return self.successResultOf(Deferred.fromCoroutine(store.note(versions, contents)))

    def test_once(self) -> None:
        """Who is first has changed it; whoever serves the same after that has changed nothing."""
        self.assertEqual(self.note(self.one, eng="1"), [Changed("eng", "", "1")])
        self.assertEqual(self.note(self.other, eng="1"), [])
        self.assertEqual(self.note(self.other, eng="2", ops="1"), [Changed("eng", "1", "2"), Changed("ops", "", "1")])
        self.assertEqual(self.note(self.one, eng="2", ops="1"), [])
        self.assertEqual(self.note(self.one, ops="1"), [Changed("eng", "2", "")])
        self.assertEqual(self.note(self.one), [Changed("ops", "1", "")])
        self.assertEqual(self.note(self.other), [])

    def test_at_the_same_time(self) -> None:
        """Of two that have read the same, the one that writes second has changed nothing."""
        self.note(self.one, eng="1")
        run, others = self.databases[0].run, []

        class Behind:
            """What a transaction reads that began before another one wrote."""

            def __init__(self, connection: Any) -> None:
                self.execute, self._connection = connection.execute, connection
                self._known = ['{"eng": "1"}']

            def scalar(self, query: Any) -> Any:
                return self._known.pop() if self._known else self._connection.scalar(query)

        def overtaken(call: Any) -> Any:
            if others:
                return run(call)
            others.append(self.note(self.other, eng="2"))
            return run(lambda connection: call(Behind(connection)))

        self.databases[0].run = overtaken  # type: ignore[method-assign]
        self.assertEqual(self.note(self.one, eng="2"), [])
        self.assertEqual(others, [[Changed("eng", "1", "2")]])

    def test_versions(self) -> None:
        """All that there were, the last ones first, and what was said."""
        self.note(self.one, eng="1")
        self.clock.advance(1)
        self.note(self.one, eng="2")
        self.clock.advance(1)
        self.note(self.one)
        found = self.successResultOf(self.other.versions(10))
        self.assertEqual(
            [(each.groups, each.version_before, each.version, each.content) for each in found],
            [("eng", "2", "", ""), ("eng", "1", "2", '{"v":"2"}'), ("eng", "", "1", '{"v":"1"}')],
        )
        self.assertEqual(len(self.successResultOf(self.other.versions(2))), 2)

    def test_bounded(self) -> None:
        """Those from long ago are forgotten."""
        self.patch(agentsettings, "MOST_KEPT", 3)
        for number in range(9):
            self.clock.advance(1)
            self.note(self.one, eng=str(number))
        count = select(func.count()).select_from(agent_settings)
        kept = self.successResultOf(self.databases[0].read(lambda connection: connection.scalar(count)))
        self.assertEqual(kept, 3)
        self.assertEqual(self.successResultOf(self.one.versions(1))[0].version, "8")
