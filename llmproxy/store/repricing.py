"""Costs of stored records, made anew with other prices; what they are rolled up in changes with them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import add, sub
from typing import TYPE_CHECKING, Any

from attrs import define, frozen
from sqlalchemy import BigInteger, and_, bindparam, case, func, literal, or_, select, type_coerce, update

from ..core.prices import price_entry
from ..core.usagesums import MICRO, money_of, numbers_of
from .schema import usage_records
from .usagerecords import roll_up, sample_of
from .usagerows import entry_of
from .usageseries import SeriesNumbers
from .usagevalues import AdmittedValues

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.ledger.entry import Entry
    from ..core.prices import Pricer
    from ..core.rollupkeys import Numbers, Sample

BATCH = 1000
"""Records of one transaction: those who settle wait for it."""

Place = tuple[int, str]
"""When a record ended, in microseconds, and its id: records come in this order."""

_records = usage_records.c
_MOMENT: Any = type_coerce(_records.ended_at, BigInteger)
_COLUMNS = [
    type_coerce(each, BigInteger).label(each.name) if each.name.endswith("_at") else each
    for each in usage_records.columns
]
"""Moments as they are stored, in microseconds."""

_SET = ("key", "cost", "cost_rest", "cost_saved", "cost_saved_rest", "book")
_UPDATE = update(usage_records).where(_records.id == bindparam("key"))
_LOOKED_AT = or_(
    _records.unknown,
    _records.input_tokens.is_not(None),
    _records.output_tokens.is_not(None),
    _records.audio.is_not(None),
    _records.images.is_not(None),
)


@frozen
class SeenModel:
    """
    A model that answered, or was asked for where the answer names none.

    @ivar provider: of its upstream.
    @ivar exchanges: whose answers were looked at.
    @ivar unpriced: those of them that say what was used, and have no cost.
    """

    provider: str
    api: str
    model: str
    exchanges: int
    unpriced: int
    input_tokens: int
    output_tokens: int


def seen_models(connection: Connection, since: float, until: float) -> list[SeenModel]:
    """The models of a span, seconds since the epoch, those with the most exchanges first."""
    served, asked = _records.served_model, _records.model
    columns = (_records.provider, _records.api, served, asked)
    unpriced = case((and_(_records.cost.is_(None), _records.unknown.is_(False)), 1), else_=0)
    counted = (func.count(), func.sum(unpriced), func.sum(_records.input_tokens), func.sum(_records.output_tokens))
    query = select(*columns, *counted).where(_LOOKED_AT, *_span(since, until)).group_by(*columns)
    found: dict[tuple[str, str, str], tuple[int, ...]] = {}
    for provider, api, served_model, model, *numbers in connection.execute(query):
        key = (provider, api, served_model or model)
        plain = tuple(int(each or 0) for each in numbers)
        found[key] = tuple(map(add, found[key], plain)) if key in found else plain
    seen = [SeenModel(*key, *numbers) for key, numbers in found.items()]
    return sorted(seen, key=lambda each: (-each.exchanges, each.api, each.model))


@define
class Change:
    """
    What becomes of the costs of one model.

    @ivar exchanges: those that were looked at.
    @ivar changed: those whose cost is another one now, or is known now.
    @ivar before: USD, of all of them; C{after} likewise.
    """

    exchanges: int = 0
    changed: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)

    def add(self, entry: Entry, priced: Entry) -> None:
        self.exchanges += 1
        self.changed += _differ(entry, priced)
        self.before += _amount(entry)
        self.after += _amount(priced)


class Repricing:
    """
    @param since: seconds since the epoch; C{until} is not included.
    @ivar changes: by API and model, as far as it has come.
    """

    def __init__(self, pricer: Pricer, since: float, until: float) -> None:
        self._pricer = pricer
        self._span = _span(since, until)
        self._values = AdmittedValues()
        self._series = SeriesNumbers()
        self.changes: dict[tuple[str, str], Change] = {}

    def count(self, connection: Connection) -> int:
        """How many records there are to look at."""
        return connection.scalar(select(func.count()).select_from(usage_records).where(*self._wanted)) or 0

    def step(self, connection: Connection, after: Place | None, *, write: bool) -> tuple[int, Place | None]:
        """
        Look at a batch of records, and write what is different.

        @param after: the last one of the batch before.
        @param write: the connection is in a transaction that may write, of its own for each batch.
        @return: how many there were, and where the next one begins; C{None} if it was the last.
        """
        rows = connection.execute(self._query(after, write)).all()
        pairs = [(row, entry_of(row)) for row in rows]
        found = [(row, entry, price_entry(entry, self._pricer)) for row, entry in pairs]
        for _, entry, priced in found:
            key = (entry.api, entry.served_model or entry.model)
            self.changes.setdefault(key, Change()).add(entry, priced)
        different = [each for each in found if _differ(*each[1:])]
        if write and different:
            self._write(connection, different)
        last = rows[-1] if len(rows) == BATCH else None
        return len(rows), None if last is None else (last.ended_at, last.id)

    @property
    def _wanted(self) -> Sequence[Any]:
        return (or_(_LOOKED_AT, _records.saved.is_not(None)), *self._span)

    def _query(self, after: Place | None, write: bool) -> Any:
        query = select(*_COLUMNS).where(*self._wanted).order_by(_records.ended_at, _records.id).limit(BATCH)
        if after is not None:
            moment, last = literal(after[0], BigInteger), after[1]
            query = query.where(moment <= _MOMENT, or_(moment < _MOMENT, _records.id > last))
        # Nobody else prices them meanwhile; SQLite lets one write at a time anyway.
        return query.with_for_update() if write else query

    def _write(self, connection: Connection, different: Sequence[tuple[Any, Entry, Entry]]) -> None:
        rows: list[dict[str, Any]] = []
        sums: dict[Sample, Numbers] = {}
        for row, entry, priced in different:
            cost, saved = money_of(priced.cost) or (None, None), money_of(priced.cost_saved) or (None, None)
            rows.append(dict(zip(_SET, (row.id, *cost, *saved, priced.book), strict=True)))
            sample = sample_of(entry, row.grouped_model)
            delta = tuple(map(sub, numbers_of(priced), numbers_of(entry)))
            sums[sample] = tuple(map(add, sums[sample], delta)) if sample in sums else delta
        connection.execute(_UPDATE.values({name: bindparam(name) for name in _SET[1:]}), rows)
        roll_up(connection, sums, self._values, self._series)


def _span(since: float, until: float) -> tuple[Any, Any]:
    begin, end = (literal(round(at * MICRO), BigInteger) for at in (since, until))
    return begin <= _MOMENT, end > _MOMENT


def _differ(entry: Entry, priced: Entry) -> bool:
    return any(money_of(one) != money_of(other) for one, other in _costs(entry, priced))


def _costs(entry: Entry, priced: Entry) -> tuple[tuple[str | None, str | None], ...]:
    return (entry.cost, priced.cost), (entry.cost_saved, priced.cost_saved)


def _amount(entry: Entry) -> Decimal:
    return Decimal(entry.cost or 0)
