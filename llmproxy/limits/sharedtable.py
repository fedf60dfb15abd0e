"""
A table of limits in memory that several processes of a machine see: what is used and reserved of each, by whom.

The same rules as L{llmproxy.core.limits.counters}, on whole numbers in rows of one size. A row belongs to the key of a
rule, and is one of the L{PROBES} behind its hash; where all of them are taken, what counts for nothing any more makes
room, then what is used least. A budget that had to make room is asked of the ledger again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from struct import unpack
from typing import Final

from ..core.limits.sliding import WINDOW
from ..core.limits.values import Kind, Rule
from ..core.limits.verdicts import Crossed, Left, Part, Refusal, Reservation, crossed

ROWS = 1 << 15
PROBES = 32

_HASH, _HASH2, _KIND, _UPTO, _TOTAL, _END, _CELLS = range(7)
"""
Places in a row: the hash, the kind; of a rate the second up to which it is counted, and the sum of its cells; of a
budget whether it has begun, what was spent, and the end of its window (0 for none). Then cells: of a rate amounts by
second, of others what each process holds.
"""
RING = 64
"""Cells of a rate, more than the seconds that count."""

_KINDS: Final[dict[Kind, int]] = {"requests": 1, "tokens": 1, "parallel": 2, "money": 3}
_RATE, _PARALLEL, _MONEY = 1, 2, 3

CELL = 8
"""Bytes."""

_NANO = 1000
"""Money is rounded up to 10^-9 USD, so that a number holds 9 billion USD."""

_LARGEST = 2**62


def size_of(width: int) -> int:
    """Bytes of a table for so many processes."""
    return ROWS * _stride(width) * CELL


def _stride(width: int) -> int:
    return _CELLS + max(RING, width)


class LimitTable:
    """
    Who calls it holds the lock, but for L{has_begun}.

    @param cells: of L{size_of} C{width} bytes, as signed numbers of 8 bytes.
    @param column: which of the processes this one is.
    """

    def __init__(self, cells: memoryview, width: int, column: int) -> None:
        self._cells = cells
        self._width = width
        self._column = column
        self._stride = _stride(width)
        self._rows = len(cells) // self._stride

    def reserve(
        self, parts: Sequence[Part], now: float, id: str = "", asked: Sequence[Part] | None = None
    ) -> Reservation | Refusal:
        """As L{Counters.reserve}."""
        rows = [self._row(part.rule, now) for part in parts]
        found: Iterable[tuple[Part, int]] = zip(parts, rows, strict=True)
        if asked is not None:
            found = [(part, row) for part, row in found if any(part is each for each in asked)]
        refusals = [each for part, row in found if (each := self._refusal(part, row, now)) is not None]
        if refusals:
            return max(refusals, key=lambda each: float("inf") if each.resets_in is None else each.resets_in)
        for part, row in zip(parts, rows, strict=True):
            if _KINDS[part.rule.kind] == _RATE:
                self._add(row, part.amount, int(now))
            else:
                self._count(row + _CELLS + self._column, _as_kept(part.rule, part.amount))
        return Reservation(tuple(parts), now, id)

    def settle(self, held: Reservation, used: Iterable[int | None], now: float) -> list[Crossed]:
        """As L{Counters.settle}."""
        found: list[Crossed] = []
        for part, known in zip(held.parts, used, strict=True):
            amount = part.amount if known is None else known
            row, kind = self._row(part.rule, now), _KINDS[part.rule.kind]
            if kind == _RATE:
                self._change(row, amount - part.amount, int(held.at), int(now))
                continue
            place = row + _CELLS + self._column
            self._count(place, -_as_kept(part.rule, part.amount))
            if kind == _MONEY:
                before = self._cells[row + _TOTAL]
                self._count(row + _TOTAL, _as_kept(part.rule, amount))
                found += crossed(part.rule, before * _NANO, self._cells[row + _TOTAL] * _NANO)
        return found

    def left(self, rule: Rule, now: float) -> Left:
        """As L{Counters.left}."""
        row, cells = self._row(rule, now), self._cells
        kind, used = _KINDS[rule.kind], self._used(row, rule)
        resets_in: float | None = None
        if kind == _MONEY and cells[row + _END] and used:
            resets_in = cells[row + _END] - now
        elif kind == _RATE and used:
            upto = cells[row + _UPTO]
            last = next((at for at in range(upto, upto - WINDOW, -1) if cells[row + _CELLS + at % RING]), upto - WINDOW)
            resets_in = last + WINDOW + 1 - now
        return Left(rule, used, max(0, rule.limit - used), resets_in)

    def has_begun(self, rule: Rule) -> bool:
        """As L{Counters.has_begun}; what another process changes meanwhile is seen, or not yet."""
        row = self._found(*_hashes(rule.key))
        return row is not None and (_KINDS[rule.kind] == _RATE or self._cells[row + _UPTO] == 1)

    def begin(self, rule: Rule, spent: int, now: float) -> None:
        """As L{Counters.begin}."""
        row = self._row(rule, now)
        self._cells[row + _UPTO] = 1
        self._cells[row + _TOTAL] = max(self._cells[row + _TOTAL], min(_LARGEST, _as_kept(rule, spent)))

    def restore(self, rule: Rule, used: Iterable[tuple[float, int]], now: float) -> None:
        """What was used of a rate before it is counted here; nothing where it is already."""
        if self._found(*_hashes(rule.key)) is not None:
            return
        row, cells = self._row(rule, now), self._cells
        for at, amount in used:
            # Somebody's clock may be ahead.
            second = min(int(at), int(now))
            if second >= int(now) - WINDOW:
                cells[row + _CELLS + second % RING] += amount
                cells[row + _TOTAL] += amount

    def clear(self, column: int) -> None:
        """A process is gone: its places are free, and what it had reserved of budgets may have been spent."""
        cells, stride = self._cells, self._stride
        for row in range(0, self._rows * stride, stride):
            if cells[row + _KIND] > _RATE:
                place = row + _CELLS + column
                if cells[row + _KIND] == _MONEY:
                    cells[row + _TOTAL] += cells[place]
                cells[place] = 0

    # -- rows

    def _found(self, one: int, two: int) -> int | None:
        cells = self._cells
        for row in self._candidates(one):
            if cells[row + _HASH] == one and cells[row + _HASH2] == two:
                return row
        return None

    def _candidates(self, one: int) -> Iterator[int]:
        rows, stride = self._rows, self._stride
        return ((one + probe) % rows * stride for probe in range(PROBES))

    def _row(self, rule: Rule, now: float) -> int:
        """The row of a rule, as of now."""
        one, two = _hashes(rule.key)
        row = self._found(one, two)
        if row is None:
            row = self._make_room(one, two, rule, now)
        if _KINDS[rule.kind] == _RATE:
            self._expire(row, int(now))
        elif rule.kind == "money" and 0 < self._cells[row + _END] <= now:
            self._begin_window(row, rule, now)
        return row

    def _make_room(self, one: int, two: int, rule: Rule, now: float) -> int:
        cells = self._cells
        row = min(self._candidates(one), key=lambda row: self._worth(row, now))
        for at in range(row, row + self._stride):
            cells[at] = 0
        cells[row + _KIND] = _KINDS[rule.kind]
        if rule.kind == "money":
            self._begin_window(row, rule, now)
        # Last: who reads without the lock finds a row that is whole.
        cells[row + _HASH2], cells[row + _HASH] = two, one
        return row

    def _worth(self, row: int, now: float) -> tuple[int, int]:
        """Rows that are free come first, then what counts for nothing, rates by what is used of them, and budgets."""
        cells = self._cells
        kind = cells[row + _KIND]
        if kind == _RATE:
            is_past = cells[row + _UPTO] < int(now) - WINDOW
            return (1, 0) if is_past else (2, cells[row + _TOTAL])
        held = any(cells[row + _CELLS : row + _CELLS + self._width])
        return (4, 0) if held else (min(kind, 1) if kind != _MONEY else 3, 0)

    def _begin_window(self, row: int, rule: Rule, now: float) -> None:
        end = rule.span(now)[1]
        self._cells[row + _TOTAL], self._cells[row + _END] = 0, 0 if end is None else int(end)

    # -- what is used

    def _used(self, row: int, rule: Rule) -> int:
        cells = self._cells
        if _KINDS[rule.kind] == _RATE:
            return cells[row + _TOTAL]
        held = sum(cells[row + _CELLS : row + _CELLS + self._width])
        return (held + cells[row + _TOTAL]) * _NANO if rule.kind == "money" else held

    def _refusal(self, part: Part, row: int, now: float) -> Refusal | None:
        rule, amount = part.rule, part.amount
        if not amount or (rule.kind == "money" and rule.over_budget == "warn"):
            return None
        used = self._used(row, rule)
        if used + amount <= rule.limit:
            return None
        left = max(0, rule.limit - used)
        if rule.kind == "parallel":
            return Refusal(rule, left, 1.0)
        if amount > rule.limit:
            return Refusal(rule, left, None)
        if rule.kind == "money":
            end = self._cells[row + _END]
            return Refusal(rule, left, end - now if end else None)
        return Refusal(rule, left, self._wait(row, used + amount - rule.limit, now))

    def _wait(self, row: int, over: int, now: float) -> float | None:
        """Seconds until so much counts no more."""
        cells, upto = self._cells, self._cells[row + _UPTO]
        for second in range(upto - WINDOW, upto + 1):
            over -= cells[row + _CELLS + second % RING]
            if over <= 0:
                return second + WINDOW + 1 - now
        return None

    def _expire(self, row: int, second: int) -> None:
        cells, upto = self._cells, self._cells[row + _UPTO]
        if second <= upto:
            return
        for past in range(max(upto - WINDOW, second - RING - WINDOW), second - WINDOW):
            place = row + _CELLS + past % RING
            cells[row + _TOTAL] -= cells[place]
            cells[place] = 0
        cells[row + _UPTO] = second

    def _count(self, place: int, more: int) -> None:
        self._cells[place] = min(_LARGEST, max(0, self._cells[place] + more))

    def _add(self, row: int, amount: int, second: int) -> None:
        cells = self._cells
        # Clocks of two processes may be seen in another order than they were read.
        cells[row + _CELLS + max(second, cells[row + _UPTO]) % RING] += amount
        cells[row + _TOTAL] += amount

    def _change(self, row: int, more: int, since: int, second: int) -> None:
        """What was counted at C{since} is so much more, or less, see L{SlidingSum.change}."""
        cells = self._cells
        place = row + _CELLS + since % RING
        if cells[row + _UPTO] - WINDOW <= since <= cells[row + _UPTO] and cells[place] + more >= 0:
            cells[place] += more
            cells[row + _TOTAL] += more
        elif more > 0:
            self._add(row, more, second)


def _as_kept(rule: Rule, amount: int) -> int:
    return -(-amount // _NANO) if rule.kind == "money" else amount


def _hashes(key: str) -> tuple[int, int]:
    one, two = unpack("=qq", blake2b(key.encode(), digest_size=16).digest())
    return one or 1, two
