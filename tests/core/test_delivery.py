"""The rules of a delivery queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.delivery import Backlog, DeliveryPolicy


class PolicyTests(SynchronousTestCase):
    def test_gives_up(self) -> None:
        """How often a batch is tried before it is lost."""
        for attempts, failed, lost in ((None, 1_000, False), (1, 1, True), (2, 1, False), (2, 2, True)):
            with self.subTest(attempts=attempts, failed=failed):
                self.assertIs(DeliveryPolicy(attempts=attempts).gives_up(failed), lost)

    def test_wait(self) -> None:
        """A sink that is away is asked ever more seldom; while the queue stops, without delay."""
        policy = DeliveryPolicy()
        for failures, stopping, seconds in ((1, False, 0.5), (3, False, 2.0), (100, False, 30.0), (100, True, 0.5)):
            with self.subTest(failures=failures, stopping=stopping):
                self.assertEqual(policy.wait(failures, stopping), seconds, (failures, stopping, seconds))

    def test_impossible(self) -> None:
        """A queue that could hold, send or try nothing is refused when it is made."""
        for name in ("most_waiting", "batch", "attempts", "last_attempts"):
            for value in (0, -1):
                with self.subTest(name=name, value=value):
                    error = self.assertRaises(ValueError, DeliveryPolicy, **{name: value})
                    self.assertIn(f"{name} of a delivery policy", str(error))


Steps = st.lists(st.tuples(st.sampled_from(["put", "deliver", "drop"]), st.integers(1, 4)), max_size=40)


class BacklogTests(SynchronousTestCase):
    @given(Steps, st.integers(1, 5))
    def test_accounts(self, steps: list[tuple[str, int]], most: int) -> None:
        """Nothing is out of order, twice, or above the bound; each item is waiting, delivered, or counted as lost."""
        backlog: Backlog[int] = Backlog(most)
        delivered: list[int] = []
        number = 0
        for step, count in steps:
            batch = backlog.first(count)
            if step == "put":
                backlog.put(number, 0.0)
                number += 1
            elif step == "deliver":
                delivered += batch
                backlog.deliver(len(batch))
            else:
                backlog.drop(len(batch), 0.0)
            self.assertLessEqual(len(backlog), most, step)
            self.assertEqual(number, len(backlog) + backlog.delivered + backlog.lost, (step, count))
            self.assertEqual(backlog.taken, len(backlog) + backlog.done, (step, count))
        self.assertEqual(delivered, sorted(set(delivered)))

    def test_mark(self) -> None:
        """Lost ones are marked once there is room, with their count and the time of the first."""
        backlog = Backlog(2, lambda count, since: f"{count} since {since}")
        taken = [backlog.put(item, now) for item, now in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))]
        self.assertEqual((taken, backlog.lost, backlog.is_empty), ([True, True, False, False], 2, False))
        backlog.deliver(2)
        self.assertFalse(backlog.is_empty)
        self.assertEqual(backlog.first(5), ["2 since 3.0"])
        backlog.deliver(1)
        self.assertTrue(backlog.is_empty)

    def test_give_up(self) -> None:
        """At the end everything is lost, and no mark is left that nobody would see."""
        backlog = Backlog(2, lambda count, since: "mark")
        for item in "abc":
            backlog.put(item, 0.0)
        self.assertEqual((backlog.give_up(1.0), backlog.lost, backlog.is_empty, len(backlog)), (2, 3, True, 0))
