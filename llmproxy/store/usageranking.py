# ruff: noqa: S608
# Names are ours, numbers are numbers, and what callers name is a parameter.
"""
The ranking of a report's rows with SQLite and PostgreSQL.

Groups are known by numbers, whose order is that of their names: databases compare those in half the time, and rows that
are not shown never get names. SQLite does it in temporary tables, which no other process sees and which end with the
report; of many rows only what decides their order is added up there, and of those that are shown the rest. PostgreSQL
does the same in one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..core.usageplan import PERSON_ID
from ..core.usagesums import MICRO
from .usageseries import range_of
from .usagesql import DECIDING, written_values

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.usageplan import Plan

MANY = 30_000
"""Sums of which only what decides is added up at first."""

PLAIN = 40_000
"""Sums of which a ranking is not worth its statements: a plain query of so many is as quick."""

FEW = 1000
"""Series that PostgreSQL looks for by themselves."""

SAMPLES = 5
"""Blocks of a kind that are counted, to know about how many sums the others have."""

_TABLES = ("usage_keys", "usage_ranking", "usage_top", "usage_blocks")
_BLOCK = "r.cube = b.cube AND r.level = b.level AND r.bucket = b.bucket"
_RANKED = f"cost + cost_rest / {MICRO} DESC, cost_rest % {MICRO} DESC, input_tokens + output_tokens DESC, requests DESC"

Row = tuple[Any, ...]


@frozen
class Ranked:
    """
    @ivar rows: the position of a span, what is kept apart, and the numbers; those that cost most first.
    @ivar count: how many there are, those that are not among C{rows} included.
    """

    rows: list[Row]
    count: int


def ranked(
    connection: Connection,
    plan: Plan,
    names: Sequence[str],
    filters: Mapping[str, tuple[str, ...]],
    order: Sequence[tuple[int | None, bool]],
    limit: int,
) -> Ranked | None:
    """
    The first rows of a plan that has no single records; C{None} where there are so few sums that one plain statement
    is as quick.

    @param names: of the numbers.
    @param order: what decides between equals, as L{llmproxy.store.usagesql.ranked} takes it.
    """
    ranking = _BY_DIALECT[connection.dialect.name](connection, plan, names, filters, order)
    expected = ranking.expected()
    return None if sum(expected.values()) <= PLAIN else ranking.made(limit, expected)


class _Ranking:
    """What both have in common."""

    mark, collation = "?", ""
    """Of a parameter; of the order of characters."""

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        names: Sequence[str],
        filters: Mapping[str, tuple[str, ...]],
        order: Sequence[tuple[int | None, bool]],
    ) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._plan = plan
        self._names = names
        self._filters = filters
        self._order = order
        self._columns = [*plan.columns.values(), *(["value"] if plan.value is not None and plan.apart else [])]
        self._keyed = bool(self._columns or filters or plan.value is not None)
        self._blocks = [(each.span, each.cube, each.level, each.bucket, each.sign) for each in plan.sums]
        self._buckets = plan.buckets().items()
        self._counted: Sequence[str] = names
        self._groups = 0
        self._positive = all(row[-1] > 0 for row in self._blocks)
        periods = [at for at, (place, _) in enumerate(order) if place is None]
        self._before = periods[0] if periods else 0

    def made(self, limit: int, expected: Mapping[int, float]) -> Ranked:
        """
        @param expected: see L{expected}.
        """
        raise NotImplementedError

    def _run(self, statement: str, *parameters: Any) -> Any:
        return self._connection.exec_driver_sql(statement, parameters)

    # -- keys

    def _numbered(self, expected: Mapping[int, float], hint: str = "") -> tuple[str, list[Any]]:
        """
        The groups of the series that count, as numbers, and the parameters of that.

        @param expected: sums, by their cubes.
        @param hint: which index is to be used.
        """
        sources: list[str] = []
        for cube in sorted(expected):
            series = f"SELECT * FROM usage_series{hint} WHERE cube = {cube}"
            if self._plan.value is not None:
                lowest, highest = range_of(*self._plan.value)
                series += f" AND id BETWEEN {lowest} AND {highest}"
            elif not self._filters and expected[cube] * 2 < self._count(cube):
                # A quarter of an hour at an end of the span has few of all that there are.
                blocks = self._written([row for row in self._blocks if row[1] == cube])
                some = f"SELECT r.series FROM {blocks} JOIN usage_rollups AS r ON {_BLOCK}"
                series = f"SELECT * FROM usage_series WHERE id IN ({some})"
            sources.append(series)
        conditions, parameters = ["1 = 1"], list[Any]()
        if self._plan.value is not None:
            conditions = [f"kind = {self.mark}", f"name = {self.mark}"]
            parameters += self._plan.value
        for column, values in self._filters.items():
            name = "value" if column == PERSON_ID else column
            conditions.append(f'"{name}" IN ({", ".join([self.mark] * len(values))})')
            parameters += values
        numbers = f"{self._number(self._before)} AS before, {self._number(None)} AS k"
        series = f"({' UNION ALL '.join(sources)}) AS series"
        return f"SELECT id, cube, {numbers} FROM {series} WHERE {' AND '.join(conditions)}", parameters

    def _count(self, cube: int) -> int:
        return self._run(f"SELECT count(*) FROM usage_series WHERE cube = {cube}").scalar() or 0

    def _number(self, most: int | None) -> str:
        """Numbers in the order of the names that come first; what is not known comes last."""
        order = [
            f"({name} = ''), {name}{self.collation}" if is_text else name
            for place, is_text in self._order[:most]
            if place is not None
            for name in [f'"{self._columns[place]}"']
        ]
        return f"dense_rank() OVER (ORDER BY {', '.join(order)})" if order else "0"

    # -- sums

    def _is_short(self, sums: float, sought: float, limit: int) -> bool:
        """
        Whether all is added up at once: there is not much, or what is shown would take as long again.

        @param sought: sums that each series could have.
        """
        groups = self._groups * len(self._plan.spans)
        return not self._columns or sums <= MANY or sought * min(1.0, limit / max(1, groups)) * 2 > sums

    def _sought(self, keys: Mapping[int, int]) -> int:
        """
        Sums that there are if each series has one in each block.

        @param keys: how many series there are, by their cubes.
        """
        return sum(len(buckets) * keys.get(cube, 0) for (cube, _), buckets in self._buckets)

    def expected(self) -> dict[int, float]:
        """About how many sums there are to read, by their cubes."""
        kinds = [(cube, len(buckets), self._counts(cube, level, buckets)) for (cube, level), buckets in self._buckets]
        found = iter(self._run(f"SELECT {', '.join(each for *_, some in kinds for each in some)}").one())
        expected: dict[int, float] = {}
        for cube, many, some in kinds:
            expected[cube] = expected.get(cube, 0.0) + many * sum(next(found) for _ in some) / len(some)
        return expected

    def _counts(self, cube: int, level: int, buckets: Sequence[int]) -> list[str]:
        """What counts the sums of some blocks, all over a time."""
        some = buckets[len(buckets) // (2 * SAMPLES) :: max(1, len(buckets) // SAMPLES)][:SAMPLES]
        begun = f"SELECT count(*) FROM usage_rollups AS r WHERE cube = {cube} AND level = {level}"
        return [f"({begun} AND bucket = {bucket}{self._of_value('r.')})" for bucket in some]

    def _of_value(self, table: str) -> str:
        if self._plan.value is None:
            return ""
        lowest, highest = range_of(*self._plan.value)
        return f" AND {table}series BETWEEN {lowest} AND {highest}"

    def _sum(self, name: str) -> str:
        return f'sum(r."{name}")' if self._positive else f'sum(b.sign * r."{name}")'

    def _sums(self, names: Sequence[str]) -> str:
        return ", ".join(f'{self._sum(name)} AS "{name}"' for name in names)

    def _written(self, blocks: Sequence[tuple[int, ...]]) -> str:
        return f"({written_values(self._dialect, ('span', 'cube', 'level', 'bucket', 'sign'), blocks)}) AS b"


class _SqliteRanking(_Ranking):
    def made(self, limit: int, expected: Mapping[int, float]) -> Ranked:
        found = self._found(limit, expected)
        # Where it fails the end of the transaction does that.
        for table in _TABLES:
            self._run(f"DROP TABLE IF EXISTS temp.{table}")
        return found

    def _found(self, limit: int, expected: Mapping[int, float]) -> Ranked:
        keys = self._number_keys(expected) if self._keyed else {}
        if self._keyed and not keys:
            return Ranked([], 0)
        sums = sum(expected.values())
        sought = self._sought(keys)
        narrow = bool(self._filters) and sought * 3 < sums
        sums = min(sums, sought) if narrow else sums
        self._rank(self._names if self._is_short(sums, sought, limit) else DECIDING, narrow)
        count = self._run("SELECT count(*) FROM temp.usage_ranking").scalar() or 0
        first = f"SELECT * FROM temp.usage_ranking ORDER BY {_RANKED}, before, span, k LIMIT {limit}"
        self._run(f"CREATE TEMP TABLE usage_top AS {first}")
        named = self._named() if self._columns else {0: ()}
        return Ranked([(row[0], *named[row[1]], *row[2:]) for row in self._whole()], count)

    def _rank(self, names: Sequence[str], narrow: bool) -> None:
        self._counted = names
        keys, by = ("min(s.before) AS before, s.k AS k", ", s.k") if self._keyed else ("0 AS before, 0 AS k", "")
        self._run(
            "CREATE TEMP TABLE usage_ranking AS "
            f"SELECT b.span AS span, {keys}, {self._sums(names)} "
            f"FROM {self._joined(narrow=narrow)} GROUP BY b.span{by} HAVING {self._sum('requests')} > 0"
        )

    def _number_keys(self, expected: Mapping[int, float]) -> dict[int, int]:
        """How many series count, by their cubes."""
        numbered, parameters = self._numbered(expected, " INDEXED BY ix_usage_series_cube")
        self._run("CREATE TEMP TABLE usage_keys (id INTEGER PRIMARY KEY, cube INTEGER, before INTEGER, k INTEGER)")
        self._run(f"INSERT INTO temp.usage_keys {numbered}", *parameters)
        found = self._run("SELECT cube, count(*), max(k) FROM temp.usage_keys GROUP BY cube").all()
        self._groups = max((row[2] for row in found), default=0)
        return {row[0]: row[1] for row in found}

    def _named(self) -> dict[int, Row]:
        """What is kept apart, by number, of those that are shown."""
        columns = ", ".join(f's."{each}"' for each in self._columns)
        found = self._run(
            f"SELECT g.k, {columns} FROM (SELECT k, min(id) AS id FROM temp.usage_keys "
            "WHERE k IN (SELECT k FROM temp.usage_top) GROUP BY k) AS g CROSS JOIN usage_series AS s ON s.id = g.id"
        )
        return {row[0]: tuple(row[1:]) for row in found}

    def _joined(self, *, narrow: bool) -> str:
        """Blocks and their sums; C{CROSS JOIN} keeps the order that they are read in."""
        blocks = self._written(self._blocks)
        rollups = f"usage_rollups AS r ON {_BLOCK}"
        if narrow:
            keys = "temp.usage_keys AS s ON s.cube = b.cube"
            return f"{blocks} CROSS JOIN {keys} CROSS JOIN {rollups} AND r.series = s.id"
        joined = f"{blocks} CROSS JOIN {rollups}{self._of_value('r.')}"
        return f"{joined} CROSS JOIN temp.usage_keys AS s ON s.id = r.series" if self._keyed else joined

    def _whole(self) -> Any:
        """All numbers of the rows that are shown, in their order."""
        if self._counted is self._names:
            return self._run(f"SELECT span, k, {', '.join(self._names)} FROM temp.usage_top ORDER BY rowid")
        self._run(f"CREATE TEMP TABLE usage_blocks AS SELECT * FROM {self._written(self._blocks)}")
        self._run("CREATE INDEX temp.ix_usage_blocks ON usage_blocks (span)")
        self._run("CREATE INDEX temp.ix_usage_keys ON usage_keys (k, cube)")
        return self._run(
            f"SELECT t.span, t.k, {self._sums(self._names)} FROM temp.usage_top AS t "
            "CROSS JOIN temp.usage_blocks AS b ON b.span = t.span "
            "CROSS JOIN temp.usage_keys AS s ON s.k = t.k AND s.cube = b.cube "
            f"CROSS JOIN usage_rollups AS r ON {_BLOCK} AND r.series = s.id GROUP BY t.rowid ORDER BY t.rowid"
        )


class _PostgresqlRanking(_Ranking):
    """
    The planner takes the rows of some blocks for few, and would look at all keys for each of them: here it is given the
    blocks of each kind by their own, and may only join by hashes.
    """

    mark, collation = "%s", ' COLLATE "C"'

    def made(self, limit: int, expected: Mapping[int, float]) -> Ranked:
        numbered, parameters = self._numbered(expected) if self._keyed else ("", [])
        at_once = self._is_quick(numbered, parameters, expected, limit)
        tables = [f"keys AS MATERIALIZED ({numbered})"] if self._keyed else []
        tables.append(self._table(numbered, parameters, self._names if at_once else DECIDING))
        order = _RANKED.replace("%", "%%")
        shown = f"SELECT count(*) OVER () AS row_count, * FROM ranking ORDER BY {order}, before, span, k LIMIT {limit}"
        tables.append(f"shown AS MATERIALIZED (SELECT *, row_number() OVER () AS place FROM ({shown}) AS shown)")
        numbers = ", ".join(f'"{each}"' for each in self._names)
        last = f"SELECT row_count, span, id, {numbers} FROM shown ORDER BY place" if at_once else self._whole()
        self._run("SET LOCAL enable_nestloop = off")
        rows = self._run(f"WITH {', '.join(tables)} {last}", *parameters).all()
        self._run("SET LOCAL enable_nestloop = on")
        named = self._named({row[2] for row in rows}) if self._columns else {}
        return Ranked([(row[1], *named.get(row[2], ()), *row[3:]) for row in rows], rows[0][0] if rows else 0)

    def _is_quick(self, numbered: str, parameters: Sequence[Any], expected: Mapping[int, float], limit: int) -> bool:
        """Whether all is added up at once, see L{_is_short}."""
        sums = sum(expected.values())
        if not self._columns or self._filters or sums <= MANY:
            return True
        counted = f"SELECT cube, count(*), max(k) FROM ({numbered}) AS keys GROUP BY cube"
        found = self._run(counted, *parameters).all()
        self._groups = max((row[2] for row in found), default=0)
        return self._is_short(sums, self._sought({row[0]: row[1] for row in found}), limit)

    def _table(self, numbered: str, parameters: Sequence[Any], names: Sequence[str]) -> str:
        """The sums of these names by groups, of which C{id} is one series each."""
        keys, by = ("min(s.before)", ", s.k") if self._keyed else ("0", "")
        wanted = self._wanted(numbered, parameters) if self._filters else None
        joined = f"{self._rollups(wanted)} JOIN {self._written(self._blocks)} ON {_BLOCK}"
        if self._keyed:
            joined += " JOIN keys AS s ON s.id = r.series"
        k, one = ("s.k", "min(s.id)") if self._keyed else ("0", "0")
        return (
            f"ranking AS (SELECT b.span AS span, {keys} AS before, {k} AS k, {one} AS id, {self._sums(names)} "
            f"FROM {joined} GROUP BY b.span{by} HAVING {self._sum('requests')} > 0)"
        )

    def _whole(self) -> str:
        """
        All numbers of the rows that are shown, in their order. Each sum is looked for by itself: C{OFFSET} keeps the
        planner from making one join of it.
        """
        one = f"SELECT * FROM usage_rollups AS r WHERE {_BLOCK} AND r.series = s.id OFFSET 0"
        return (
            f"SELECT min(t.row_count), t.span, min(t.id), {self._sums(self._names)} FROM shown AS t "
            f"JOIN {self._written(self._blocks)} ON b.span = t.span JOIN keys AS s ON s.k = t.k AND s.cube = b.cube "
            f"CROSS JOIN LATERAL ({one}) AS r GROUP BY t.place, t.span ORDER BY t.place"
        )

    def _wanted(self, numbered: str, parameters: Sequence[Any]) -> dict[int, list[int]] | None:
        """The series that filters let through, by their cubes, where they are few."""
        rows = self._run(f"SELECT cube, id FROM ({numbered}) AS keys LIMIT {FEW + 1}", *parameters).all()
        found: dict[int, list[int]] = {}
        for cube, id in rows:
            found.setdefault(cube, []).append(id)
        return None if len(rows) > FEW else found

    def _rollups(self, wanted: Mapping[int, list[int]] | None) -> str:
        found = []
        for (cube, level), buckets in self._buckets:
            blocks = f"cube = {cube} AND level = {level} AND bucket = {_any(sorted(set(buckets)), 'int')}"
            series = "" if wanted is None else f" AND series = {_any(wanted.get(cube, ()), 'bigint')}"
            found.append(f"SELECT * FROM usage_rollups WHERE {blocks}{series}{self._of_value('')}")
        return f"({' UNION ALL '.join(found)}) AS r"

    def _named(self, ids: Collection[int]) -> dict[int, Row]:
        """What is kept apart, by the id of a series that has it."""
        columns = ", ".join(f'"{each}"' for each in self._columns)
        found = self._run(f"SELECT id, {columns} FROM usage_series WHERE id = ANY(%s)", list(ids))
        return {row[0]: tuple(row[1:]) for row in found}

    def _sum(self, name: str) -> str:
        return f"CAST({super()._sum(name)} AS BIGINT)"


def _any(numbers: Iterable[int], kind: str) -> str:
    return f"ANY('{{{','.join(map(str, numbers))}}}'::{kind}[])"


_BY_DIALECT = {"sqlite": _SqliteRanking, "postgresql": _PostgresqlRanking}

DIALECTS = frozenset(_BY_DIALECT)
"""Databases that it is for."""
