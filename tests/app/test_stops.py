"""The order in which a proxy is stopped."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.stops import stops_of

from .embedded import a_config, embedded


class StopsTests(SynchronousTestCase):
    def names(self, proxy: TransparentProxy) -> list[str]:
        return [name for name, _ in stops_of(proxy.foundation, proxy.generations)]

    def test_order(self) -> None:
        """Records are passed on before what writes them stops, and that before the database closes."""
        names = self.names(TransparentProxy(MemoryReactorClock(), a_config(), database_url=":memory:"))
        self.assertEqual(len(set(names)), len(names))
        order = ["records", "hits", "audit log", "upstream clients", "database", "time limits", "access log"]
        self.assertEqual([name for name in names if name in order], order)
        self.assertLess(names.index("uses of tokens"), names.index("database"))

    def test_without_a_database(self) -> None:
        """Nothing of one is stopped."""
        proxy = embedded()
        self.assertFalse({"database", "uses of tokens", "changes of others"} & {*self.names(proxy)})
        self.successResultOf(proxy.stopService())
