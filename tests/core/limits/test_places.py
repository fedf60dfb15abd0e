"""Tests of L{llmproxy.core.limits.places}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.places import Places


class PlacesTests(SynchronousTestCase):
    def test_most(self) -> None:
        """So many at once, of which one project leaves a tenth to others."""
        places = Places(20, 0)
        self.assertEqual(sum(places.enter("a") for _ in range(30)), 18)
        self.assertEqual(sum(places.enter("b") for _ in range(30)), 2)
        self.assertEqual(places.wait("b", "late"), (False, None))

    def test_one(self) -> None:
        """A single place is everybody's."""
        places = Places(1, 1)
        self.assertEqual([places.enter("a"), places.enter("b")], [True, False])

    def test_next(self) -> None:
        """The next is of the project that has the fewest running, within it who came first."""
        places = Places(4, 10)
        for project in ("a", "a", "a", "b"):
            self.assertTrue(places.enter(project), project)
        for who in ("a1", "a2", "b1", "c1"):
            places.wait(who[0], who)
        self.assertFalse(places.enter("c"))
        self.assertEqual([places.end("a") for _ in range(3)], [["c1"], ["a1"], ["b1"]])

    def test_queue_is_shared(self) -> None:
        """Who has most waiting makes room for others; who has as many does not."""
        places = Places(1, 3)
        places.enter("a")
        for who in ("a1", "a2", "a3"):
            places.wait("a", who)
        self.assertEqual(places.wait("b", "b1"), (True, "a3"))
        self.assertEqual(places.wait("b", "b2"), (False, None))
        self.assertEqual(places.wait("a", "a4"), (False, None))

    def test_leaves(self) -> None:
        """Who leaves is not next."""
        places = Places(1, 3)
        places.enter("a")
        places.wait("a", "a1")
        places.leave("a", "a1")
        places.leave("a", "a1")
        self.assertEqual((places.end("a"), places.waiting, places.running), ([], 0, 0))

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=80))
    def test_bounds(self, steps: list[tuple[str, bool]]) -> None:
        """Whatever comes, never more run or wait than may, and nobody waits while there is a place for them."""
        places, running = Places(5, 3), []
        for number, (project, comes) in enumerate(steps):
            if not comes and running:
                running += [who[0] for who in places.end(running.pop(0))]
            elif comes and places.enter(project):
                running.append(project)
            elif comes:
                places.wait(project, f"{project}{number}")
            self.assertEqual(places.running, len(running), number)
            self.assertTrue(places.running <= 5 and places.waiting <= 3, number)
            self.assertEqual(places.next(), [], number)
        while running:
            running += [who[0] for who in places.end(running.pop())]
        self.assertEqual((places.running, places.waiting), (0, 0))
