"""Connections that all workers count together: several workers' view of one table, here in one process."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.connections import (
    FIRST_ROW,
    ROWS,
    SLACK,
    ConnectionTable,
    SharedConnections,
    shared_connections,
)

from ..properties import examples

CLIENTS = [f"192.0.2.{number}" for number in range(6)]


class SharedConnectionsTests(SynchronousTestCase):
    def shared(self, width: int, by_client: bool = True) -> tuple[ConnectionTable, list[list[SharedConnections]]]:
        """The table of a parent, and what each of its workers has of it: clients' ports, those of management."""
        table = ConnectionTable(width, by_client)
        self.addCleanup(table.close)
        key = table.key.hex()
        return table, [shared_connections(os.dup(table.fd), width, column, key) for column in range(width)]

    def test_of_all(self) -> None:
        """A limit holds for all workers: each knows at once what the others have."""
        _, ((one, _), (two, _), (three, _)) = self.shared(3)
        self.assertEqual([one.add("a"), two.add("a"), three.add("b"), three.add("a")], [(1, 1), (2, 2), (3, 1), (4, 3)])
        two.remove("a")
        self.assertEqual(one.add("a"), (4, 3))

    def test_management(self) -> None:
        """Clients that take all connections leave management its own."""
        _, ((clients, management), _) = self.shared(2)
        clients.add("a")
        self.assertEqual((management.add("a"), clients.add("a")), ((1, 1), (2, 2)))

    def test_gone(self) -> None:
        """A worker that was killed has no connections any more; what the others have stays."""
        table, ((one, _), (two, _)) = self.shared(2)
        for each in (one, one, two):
            each.add("a")
        table.clear(0)
        self.assertEqual(two.add("a"), (2, 2))

    def test_addresses_without_limit(self) -> None:
        """Where no address is limited, none is counted, and the table is a few bytes."""
        table, ((one, _), _) = self.shared(2, by_client=False)
        self.assertEqual((one.add("a"), one.add("a")), ((1, 0), (2, 0)))
        one.remove("a")
        self.assertEqual(one.add("b"), (2, 0))
        self.assertLess(os.fstat(table.fd).st_size, 64)

    def test_ahead(self) -> None:
        """Ahead is who has clearly more than the one with the fewest, of those that take connections."""
        table, ((one, _), (two, _), (three, _)) = self.shared(3)
        for each in (one, two, three):
            each.add("a")
        for _ in range(SLACK + 1):
            one.add("a")
        self.assertFalse(one.is_ahead())
        two.take(True)
        self.assertEqual([each.is_ahead() for each in (one, two, three)], [True, False, False])
        two.take(False)
        self.assertFalse(one.is_ahead())
        three.take(True)
        self.assertTrue(one.is_ahead())
        table.clear(2)
        self.assertFalse(one.is_ahead())

    def test_many(self) -> None:
        """Where there are many, the slack is a part of them: small differences are left as they are."""
        _, ((one, _), (two, _)) = self.shared(2, by_client=False)
        two.take(True)
        for _ in range(80):
            two.add("a")
        for _ in range(92):
            one.add("a")
        self.assertFalse(one.is_ahead())
        two.remove("a")
        for _ in range(2):
            one.add("a")
        self.assertTrue(one.is_ahead())

    def test_hash_is_the_parents_own(self) -> None:
        """No client can tell which addresses share a row with another's: each proxy has them elsewhere."""
        _, [[one, _]] = self.shared(1)
        _, [[other, _]] = self.shared(1)
        self.assertNotEqual([one._rows_of(each) for each in CLIENTS], [other._rows_of(each) for each in CLIENTS])
        self.assertLessEqual(max(map(max, map(one._rows_of, CLIENTS))), ROWS + FIRST_ROW - 1)

    @settings(max_examples=examples(25))
    @given(st.lists(st.tuples(st.sampled_from(CLIENTS), st.integers(0, 2), st.booleans()), max_size=40))
    def test_never_too_low(self, steps: list[tuple[str, int, bool]]) -> None:
        """Whoever connects and leaves at whichever worker, no address has more connections than are counted."""
        _, workers = self.shared(3)
        held: Counter[tuple[str, int]] = Counter()
        for client, column, adds in steps:
            if adds:
                held[client, column] += 1
                total, mine = workers[column][0].add(client)
                self.assertEqual(total, held.total(), (client, column, adds))
                self.assertGreaterEqual(mine, sum(held[client, each] for each in range(3)), client)
            elif held[client, column]:
                held[client, column] -= 1
                workers[column][0].remove(client)
