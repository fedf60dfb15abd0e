"""What anybody can cause is noted once a while, and counted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.flood import Flood, kind_of


class KindTests(SynchronousTestCase):
    def test_always(self) -> None:
        """What takes credentials to do is noted each time, refusals too."""
        for action, actor, outcome in (
            ("project.update", "management_api", "success"),
            ("token.revoke", "management_api", "failure"),
            ("token.create", "carol", "denied"),
            ("audit.list", "carol", "denied"),
            ("cache.purge", "carol", "success"),
        ):
            self.assertIsNone(kind_of(action, actor, outcome, {}), action)

    def test_bounded(self) -> None:
        """What anybody can do, and looking at the trail, is not; each address and reason by itself."""
        one = kind_of("admin.access", "anonymous", "denied", {"client_ip": "a"})
        self.assertIsNotNone(one)
        self.assertNotEqual(one, kind_of("admin.access", "anonymous", "denied", {"client_ip": "b"}))
        self.assertIsNotNone(kind_of("token.validate", "anonymous", "denied", {}))
        self.assertIsNotNone(kind_of("proxy_request", "system", "denied", {"project_id": "p"}))
        self.assertIsNotNone(kind_of("audit.list", "carol", "success", {}))


class FloodTests(SynchronousTestCase):
    def test_first_and_count(self) -> None:
        """The first is noted at once; of the others how many, from when to when."""
        flood = Flood()
        kind = ("a", "b", "c", "1.2.3.4")
        self.assertEqual([flood.admit(kind, now, {"x": 1}) for now in (1.0, 2.0, 3.0)], [True, False, False])
        ((found, repeated),) = flood.take().items()
        self.assertEqual((found, repeated.count, repeated.first, repeated.last), (kind, 2, 2.0, 3.0))
        self.assertEqual(repeated.details, {"x": 1})

    def test_again(self) -> None:
        """The next window begins with one that is noted."""
        flood = Flood()
        flood.admit(("a", "b", "c"), 1.0, {})
        self.assertEqual(flood.take(), {})
        self.assertTrue(flood.admit(("a", "b", "c"), 61.0, {}))

    def test_many_kinds(self) -> None:
        """Whoever changes his address with each attempt is counted too, and fills nothing by it."""
        flood = Flood(most_kinds=4)
        admitted = sum(flood.admit(("a", "anonymous", "denied", str(n)), float(n), {}) for n in range(10_000))
        self.assertEqual(admitted, 4)
        ((kind, repeated),) = flood.take().items()
        self.assertEqual((kind[-1], repeated.count, repeated.details), ("others", 9996, {}))
