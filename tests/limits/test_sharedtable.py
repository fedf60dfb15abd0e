"""Tests of L{llmproxy.limits.sharedtable}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.counters import Counters
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation
from llmproxy.limits import sharedtable
from llmproxy.limits.sharedtable import CELL, LimitTable, size_of

from ..properties import examples

NOON = 1_700_000_000.0
REQUESTS = Rule("requests", "token:t", 10, "rpm_limit of t", "1m")
TOKENS = Rule("tokens", "token:t", 1000, "tpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 3, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", PICO, "max_budget of t", "1h")
SMALLEST = {"requests": 1, "tokens": 100, "parallel": 1, "money": PICO // 5}


def a_table(width: int = 1, rows: int | None = None) -> list[LimitTable]:
    """The table as each of its processes sees it."""
    size = size_of(width) if rows is None else size_of(width) // sharedtable.ROWS * rows
    cells = memoryview(bytearray(size)).cast("q")
    return [LimitTable(cells, width, column) for column in range(width)]


class SharedTableTests(SynchronousTestCase):
    @settings(max_examples=examples(100), deadline=None)
    @given(st.data())
    def test_as_one_process(self, data: st.DataObject) -> None:
        """Of however many processes, it decides as the counters of one do."""
        counters, tables = Counters(), a_table(3, rows=64)
        held: list[tuple[int, Any, Any]] = []
        now = NOON
        for _ in range(data.draw(st.integers(1, 40))):
            now += data.draw(st.sampled_from([0, 0.3, 1, 7, 59, 61, 200, 4000]))
            column = data.draw(st.integers(0, 2))
            if held and data.draw(st.booleans()):
                column, ours, theirs = held.pop(data.draw(st.integers(0, len(held) - 1)))
                used = [data.draw(st.sampled_from([None, 0, part.amount // 2, 2 * part.amount])) for part in ours.parts]
                expected: Any = counters.settle(ours, used, now)
                self.assertEqual(tables[column].settle(theirs, used, now), expected)
                continue
            rules = data.draw(st.lists(st.sampled_from([REQUESTS, TOKENS, PARALLEL, BUDGET]), unique=True, min_size=1))
            parts = [Part(rule, SMALLEST[rule.kind] * data.draw(st.integers(0, 4))) for rule in rules]
            expected, found = counters.reserve(parts, now), tables[column].reserve(parts, now)
            self.assertEqual(found, expected)
            if isinstance(found, Reservation):
                held.append((column, expected, found))
        for rule in (REQUESTS, TOKENS, PARALLEL, BUDGET):
            expected, found = counters.left(rule, now), tables[1].left(rule, now)
            self.assertEqual((found.used, found.left), (expected.used, expected.left), rule)

    def test_process_dies(self) -> None:
        """Its places are free, and what it had reserved of a budget may have been spent."""
        one, other = a_table(2)
        parts = [Part(PARALLEL, 3), Part(BUDGET, PICO // 2)]
        self.assertIsInstance(one.reserve(parts, NOON), Reservation)
        self.assertIsInstance(other.reserve([Part(PARALLEL, 1)], NOON), Refusal)
        other.clear(0)
        self.assertEqual([other.left(each, NOON).used for each in (PARALLEL, BUDGET)], [0, PICO // 2])

    def test_begin(self) -> None:
        """What was spent before is the least, and it is known that it was asked for."""
        (table,) = a_table()
        self.assertFalse(table.has_begun(BUDGET))
        table.begin(BUDGET, PICO // 4, NOON)
        self.assertTrue(table.has_begun(BUDGET))
        table.begin(BUDGET, PICO // 8, NOON)
        self.assertEqual(table.left(BUDGET, NOON).used, PICO // 4)
        self.assertFalse(table.has_begun(evolve(BUDGET, since=NOON)))

    def test_full(self) -> None:
        """Where all rows are taken those make room that matter least; those that hold something stay."""
        (table,) = a_table(rows=sharedtable.PROBES)
        running = table.reserve([Part(PARALLEL, 1), Part(BUDGET, 1)], NOON)
        assert isinstance(running, Reservation)
        spent = evolve(REQUESTS, scope="address:greedy")
        table.reserve([Part(spent, 10)], NOON)
        for number in range(10 * sharedtable.PROBES):
            table.reserve([Part(evolve(REQUESTS, scope=f"address:{number}"), 1)], NOON)
        self.assertEqual([table.left(each, NOON).used for each in (PARALLEL, spent)], [1, 10])
        self.assertGreater(table.left(BUDGET, NOON).used, 0)

    def test_large(self) -> None:
        """A budget of a billion, and more than a number holds."""
        (table,) = a_table()
        large = evolve(BUDGET, limit=10**9 * PICO)
        held = table.reserve([Part(large, 10**9 * PICO)], NOON)
        assert isinstance(held, Reservation)
        table.settle(held, [10**13 * PICO], NOON)
        self.assertIsInstance(table.reserve([Part(large, 1)], NOON), Refusal)

    def test_size(self) -> None:
        """Its size is that of whole rows, with a column for each process."""
        for width in (1, 4, 100):
            self.assertEqual(size_of(width) % (sharedtable.ROWS * CELL), 0, width)
            self.assertEqual(len(a_table(width)), width, "columns")
