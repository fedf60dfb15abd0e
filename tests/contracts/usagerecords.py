"""What settles records of usage, whatever the database."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from llmproxy.core.ledger.entry import Counts, Entry, Tried
from llmproxy.core.reports import SUMS
from llmproxy.core.rollups import CUBES, DIMENSIONS, WIDTHS
from llmproxy.core.usagesums import NUMBERS, sums_of
from llmproxy.errors import OutcomeUnknown
from llmproxy.store import usagemodels, usagevalues
from llmproxy.store.database import Database
from llmproxy.store.schema import usage_models, usage_records, usage_rollups, usage_series
from llmproxy.store.usagerecords import UsageRecords
from llmproxy.store.usagerows import entry_of

from ..store.databases import NOW, clock_at
from ..tables import row
from ..usagereports import an_entry
from ..usagereports import sums_of as plain_sums

Rolled = dict[tuple[Any, ...], dict[str, Any]]


def some_entries(seed: int, count: int, span: float = 3 * 86_400.0) -> list[Entry]:
    """Exchanges of a few projects, tokens, models and users, all kinds of endings, over some days."""
    chance = random.Random(seed)
    return [_an_exchange(chance, number, NOW + chance.random() * span) for number in range(count)]


def _an_exchange(chance: random.Random, number: int, ended_at: float) -> Entry:
    project = chance.randrange(3)
    model = chance.choice(("gpt-4o", "gpt-4o-mini", "claude", ""))
    unknown = chance.random() < 0.1
    status, ending = chance.choice(((200, "complete"), (200, "complete"), (429, "complete"), (200, "client_left")))
    return an_entry(
        number,
        ended_at,
        project_id=f"p{project}",
        token_id=f"t{project}{chance.randrange(2)}",
        api=chance.choice(("openai", "local")),
        endpoint=chance.choice(("/v1/chat/completions", "/v1/embeddings")),
        model=model,
        served_model=model and model + chance.choice(("", "-2024")),
        status=status,
        ending=ending,
        cache=chance.choice(("", "hit", "stored")),
        input_tokens=None if unknown else chance.randrange(10_000),
        output_tokens=None if unknown else chance.randrange(1000),
        reasoning_tokens=chance.choice((None, 5)),
        seconds=chance.choice((None, None, 1.25)),
        unknown=unknown,
        truncated=ending == "client_left",
        cost=chance.choice((None, "0.000000000001", "0.123456789", "3")),
        cost_saved=chance.choice((None, "0.25")),
        user=chance.choice(("", "anna", "bert")),
        session=chance.choice(("", "s1", "s2")),
        program=chance.choice(("", "claude-code")),
        tags=chance.choice(({}, {"team": "search"}, {"team": "ads", "feature": "summary"})),
        metadata=chance.choice(({}, {"job": "nightly"})),
        person_id=chance.choice(("", "o0", "o1", "o2")),
    )


def expected_of(entries: list[Entry]) -> Rolled:
    """What each roll-up has to be, from each entry alone."""
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for entry in entries:
        ended = entry.started_at if entry.ended_at is None else entry.ended_at
        plain = plain_sums(entry)
        values = [(kind, "", getattr(entry, kind)) for kind in ("user", "session", "program")]
        values.append(("person", "", entry.person_id))
        values += [("tag", *pair) for pair in entry.tags.items()]
        values += [("metadata", *pair) for pair in entry.metadata.items()]
        for cube in CUBES:
            empty = {name: 0 if name == "status" else "" for name in DIMENSIONS}
            key = tuple(getattr(entry, name) if name in cube.dimensions else empty[name] for name in DIMENSIONS)
            for value in [value for value in values if value[2]] if cube.valued else [("", "", "")]:
                for level in cube.levels:
                    sums = found[(cube.number, level, int(ended // WIDTHS[level]), *key, *value)]
                    for name in SUMS:
                        sums[name] += getattr(plain, name)
    return dict(found)


class UsageRecordsCase:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.records = UsageRecords(self.clock, self.database)

    def settle(self, entries: list[Entry]) -> int:
        count: int = self.done(self.records.settle(entries))
        return count

    def read(self, query: Any) -> list[Any]:
        rows: list[Any] = self.done(self.database.read(lambda connection: connection.execute(query).all()))
        return rows

    def rolled(self) -> Rolled:
        joined = select(usage_rollups, usage_series).join(usage_series, usage_series.c.id == usage_rollups.c.series)
        found: Rolled = {}
        for each in self.read(joined):
            key, numbers, series = each[:3], each[4 : 4 + len(NUMBERS)], each[4 + len(NUMBERS) :]
            assert series[1] == key[0], each
            sums = sums_of(numbers)
            found[(*key, *series[2:])] = {name: getattr(sums, name) for name in SUMS}
        return found

    def stored(self) -> dict[str, Entry]:
        entries = [entry_of(each) for each in self.read(_AS_STORED)]
        return {entry.id: entry for entry in entries}


class UsageRecordsContract(UsageRecordsCase):
    """Likewise."""

    def test_round_trip(self) -> None:
        """What was written comes back: what is not known stays unknown, texts of any language, money exactly."""
        saved = Counts(1, 2, served_model="m")
        full = an_entry(
            1, NOW, user="späť 東京", tags={"team": "🙂"}, metadata={"a": "b"}, raw=b'{"x":1}', saved=saved,
            seconds=0.5, cost="1234.000000000001", cost_saved="0", first_byte=0.25, streamed=True, client="::1",
        )  # fmt: skip
        empty = Entry("2", NOW, NOW + 1)
        assert self.settle([full, empty]) == 2
        found = self.stored()
        assert found[full.id] == full, found
        assert found["2"] == empty, found

    def test_interrupted(self) -> None:
        """What was cut by the end of its process counts when it began."""
        self.settle([Entry("1", NOW, project_id="p")])
        assert self.stored()["1"].ended_at == NOW
        assert {key[2] for key in self.rolled() if key[1] == 0} == {int(NOW // 900)}

    def test_rolled_up(self) -> None:
        """Every level of every cube is the sum of the single records."""
        entries = some_entries(1, 300)
        known = [msgspec.structs.replace(each, id=f"k{at}", status=200) for at, each in enumerate(entries[:40])]
        self.settle(known)
        self.settle(entries)
        assert self.rolled() == expected_of(known + entries)

    def test_repeated(self) -> None:
        """Whatever is repeated, in whatever order and in whatever batches, counts once."""
        entries = some_entries(2, 120)
        chance = random.Random(3)
        first = [msgspec.structs.replace(each, id=f"k{at}", status=200) for at, each in enumerate(entries[:40])]
        assert self.settle(first) == 40
        for _ in range(6):
            again = chance.sample(entries, 60) + chance.sample(first, 5)
            chance.shuffle(again)
            self.settle(again + again[:7])
        self.settle(entries)
        assert self.settle(entries + first) == 0
        assert len(self.stored()) == 160
        assert self.rolled() == expected_of(first + entries)

    def test_outcome_unknown(self) -> None:
        """A commit whose answer was lost is found by the next attempt."""

        class Lost:
            """Commits, and then says that nobody knows."""

            def run(inner, call: Any) -> Deferred[Any]:
                self.done(self.database.run(call))
                return fail(OutcomeUnknown("lost"))

            read = self.database.read

        entries = some_entries(4, 20)
        losing = UsageRecords(self.clock, Lost())
        self.failureResultOf(losing.settle(entries), OutcomeUnknown)  # type: ignore[attr-defined]
        before = self.rolled()
        for one in (losing, self.records):
            one._database = self.database
            assert self.done(one.settle(entries)) == 0
        assert (self.rolled(), len(self.stored())) == (before, 20)

    def test_undone(self) -> None:
        """What was put into a transaction that was undone is not believed to be there."""
        broken = [True]

        class Undoing:
            """Calls, and undoes."""

            def run(inner, call: Any) -> Deferred[Any]:
                if not broken.pop():
                    return self.database.run(call)

                def undo(connection: Any) -> None:
                    call(connection)
                    raise ZeroDivisionError

                return self.database.run(undo)

            read = self.database.read

        entries = some_entries(5, 30)
        records = UsageRecords(self.clock, Undoing())
        self.failureResultOf(records.settle(entries), ZeroDivisionError)  # type: ignore[attr-defined]
        broken[:] = [False]
        assert self.done(records.settle(entries)) == 30
        answered = [each for each in entries if each.status < 400]
        assert {(each.api, each.model) for each in answered if each.model} == set(self.read(select(usage_models.c[:2])))
        assert self.rolled().keys() >= expected_of(answered).keys()

    def test_raced(self) -> None:
        """An entry that another process has just written is not written again."""
        entries = some_entries(6, 10)
        other = UsageRecords(self.clock, self.database)
        attempts: list[int] = []

        class Raced:
            """Another process is quicker once."""

            def run(inner, call: Any) -> Deferred[Any]:
                attempts.append(1)
                if len(attempts) == 1:
                    self.done(other.settle(entries))
                    return fail(IntegrityError("", {}, Exception()))
                return self.database.run(call)

            read = self.database.read

        assert self.done(UsageRecords(self.clock, Raced()).settle(entries)) == 0
        assert (len(attempts), len(self.stored())) == (2, 10)

    def test_hostile(self) -> None:
        """Whatever a client sends, there is an entry that every database can hold: nothing stops the ledger."""
        bad = "\0\ud800" + "x" * 100_000
        texts = ("model", "served_model", "user", "session", "user_agent", "api", "endpoint", "client", "book")
        entry = an_entry(
            7, NOW, **dict.fromkeys(texts, bad),
            tags={bad: bad, "": ""}, metadata={str(n): bad for n in range(500)}, status=10**12, attempts=-5,
            input_tokens=10**30, output_tokens=-(10**30), seconds=float("inf"), bytes_in=10**25, cost="NaN",
            cost_saved="1e99", raw=b'{"a":"\\u0000\\ud800"}\xff', saved=Counts(served_model=bad), duration=float("nan"),
        )  # fmt: skip
        assert self.settle([entry, an_entry(8, NOW)]) == 2
        found = self.stored()[entry.id]
        assert (found.cost, found.cost_saved, found.metadata) == (None, None, {}), found
        assert len(found.model) == 255, found

    def test_unanswered(self) -> None:
        """Models that nobody answered for are C{other} in roll-ups; single records keep what was asked for."""
        wrong = [an_entry(n, NOW, model=f"made-up-{n}", served_model="", status=404, cost=None) for n in range(20)]
        early = an_entry(30, NOW, model="new", served_model="", status=503, cost=None)
        assert self.settle([*wrong, early]) == 21
        late = [an_entry(31, NOW, model="new"), an_entry(32, NOW, model="new", served_model="", status=503)]
        self.settle(late)
        models = Counter({key[7]: sums["requests"] for key, sums in self.rolled().items() if key[:2] == (2, 3)})
        assert models == {"other": 21, "new": 1}, models
        by_model = Counter()
        for key, sums in self.rolled().items():
            if key[:2] == (2, 3):
                by_model[key[7]] += sums["requests"]
        assert by_model == {"other": 21, "new": 2}, by_model
        assert self.stored()[early.id].model == "new"
        grouped = self.read(select(usage_records.c.grouped_model, func.count()).group_by(usage_records.c.grouped_model))
        assert dict(map(tuple, grouped)) == {"other": 21, None: 2}

    def test_answers_count_once(self) -> None:
        """
        What is fetched later, and again, counts when it is settled first, whoever has fetched it; what another process
        was asked for counts if that was noted. The records stay, without what does not count.
        """
        unsaid = {"cost": None, "input_tokens": None, "output_tokens": None}
        asked = an_entry(0, NOW, answer_id="r1", unknown=True, **unsaid)
        fetched = [an_entry(n, NOW + n, answer_id="r1", cost="0.5", input_tokens=7) for n in range(1, 4)]
        other = an_entry(4, NOW, answer_id="r1", provider="elsewhere", cost="0.25")
        claims = [an_entry(n, NOW + n, answer_id=id, claims=True) for n, id in ((5, "i1"), (6, "i2"), (7, "i1"))]
        owed = an_entry(8, NOW, answer_id="i1", unknown=True, **unsaid)
        self.settle([asked, fetched[1]])
        self.done(UsageRecords(self.clock, self.database).settle([fetched[2], fetched[0], other, claims[1]]))
        self.settle([*claims, owed, *fetched])
        found = self.stored()
        assert [found[each.id].input_tokens for each in fetched] == [None, 7, None]
        assert [found[each.id].cost for each in (*fetched, other)] == [None, "0.5", None, "0.25"]
        assert [found[each.id].input_tokens is None for each in claims] == [False, True, True], found
        assert found[asked.id].unknown and not any(found[each.id].unknown for each in (*fetched, *claims))
        whole = next(sums for key, sums in self.rolled().items() if key[:2] == (11, 5))
        counted = [each for each in found.values() if each.input_tokens is not None]
        assert (whole["requests"], whole["unpriced"]) == (9, 0)
        assert whole["input_tokens"] == sum(each.input_tokens or 0 for each in counted)
        assert self.rolled() == expected_of(list(found.values()))

    def test_attempts(self) -> None:
        """Each attempt at an exchange comes back as it was; most have one, of which nothing is kept."""
        tried = (Tried("east", 503, "", 1.5), Tried("west", 0, "refused", 0.25), Tried("east", 200, "", 9.0))
        self.settle([an_entry(1, NOW, tried=tried), an_entry(2, NOW)])
        found = self.stored()
        assert [found[each].tried for each in sorted(found)] == [tried, ()]

    def test_models_are_bounded(self) -> None:
        """A server that answers for any name does not fill the roll-ups."""
        self.patch(usagemodels, "MOST", 3)  # type: ignore[attr-defined]
        self.settle([an_entry(n, NOW, model=f"m{n}", served_model=f"s{n}") for n in range(5)])
        self.settle([an_entry(n, NOW, model=f"m{n}", served_model=f"s{n}") for n in range(5, 9)])
        self.settle([an_entry(9, NOW, api="other-api", model="m9", served_model="")])
        names = {(key[7], key[8]) for key in self.rolled() if key[:2] == (2, 3)}
        assert names == {("m0", "s0"), ("m1", "s1"), ("m2", "s2"), ("other", "other"), ("m9", "")}, names

    def test_values_are_bounded(self) -> None:
        """A day has so many sessions, and so many names of tags; what is beyond them is C{other}, or left out."""
        self.patch(usagevalues, "MOST", 3)  # type: ignore[attr-defined]
        self.patch(usagevalues, "MOST_NAMES", 2)  # type: ignore[attr-defined]
        self.settle([an_entry(n, NOW, session=f"s{n}", tags={f"tag{n}": "x"}) for n in range(2)])
        other = UsageRecords(self.clock, self.database)
        later = [an_entry(n, NOW, session=f"s{n}", tags={f"tag{n}": "x"}) for n in range(2, 6)]
        self.done(other.settle(later))
        self.settle(
            [an_entry(9, NOW, session="s0"), an_entry(10, NOW, session="s5"), an_entry(11, NOW + 86_400, session="s5")]
        )
        day = int(NOW // 86_400)
        counts = {key[2] - day: {} for key in self.rolled() if key[:2] == (9, 3)}
        for key, sums in self.rolled().items():
            if key[:2] == (9, 3):
                counts[key[2] - day][key[-3:]] = sums["requests"]
        sessions = {
            ("session", "", "s0"): 2,
            ("session", "", "s1"): 1,
            ("session", "", "s2"): 1,
            ("session", "", "other"): 4,
        }
        assert counts == {
            0: {**sessions, ("tag", "tag0", "x"): 1, ("tag", "tag1", "x"): 1},
            1: {("session", "", "s5"): 1},
        }, counts

    def test_sums_are_exact(self) -> None:
        """Amounts that no float has add up to what they are."""
        self.settle([an_entry(n, NOW, cost="0.1" if n else "0.000000000003") for n in range(31)])
        found = {sums["cost"] for key, sums in self.rolled().items()}
        assert found == {Decimal("3.000000000003")}, found

    def test_nothing(self) -> None:
        assert self.settle([]) == 0

    def test_cancelled(self) -> None:
        """One who does not wait any more keeps nobody else waiting."""
        waiting: list[Any] = []

        class Slow:
            """Answers when it is let."""

            def run(inner, call: Any) -> Deferred[Any]:
                waiting.append(call)
                return Deferred()

            read = self.database.read

        self.records._database = Slow()
        first = self.records.settle(some_entries(7, 5))
        second = self.records.settle(some_entries(7, 5))
        self.records._database = self.database
        first.addErrback(lambda _: None)
        first.cancel()
        assert self.done(second) == 5
        assert len(waiting) == 1

    def test_rows(self) -> None:
        """A table of what single members become."""
        for number, (changes, name, expected) in enumerate(
            (
                ({"duration": 1.25}, "duration", 1_250_000),
                ({"seconds": 2.5}, "audio", 2_500_000),
                ({"status": 0}, "status", 0),
                ({"cost": "1.5"}, "cost", 1_500_000),
                ({"cost": None}, "cost", None),
                ({"started_at": float("nan"), "ended_at": None}, "ended_at", 0.0),
                ({"ended_at": 1e300}, "ended_at", 253_402_300_799.0),
            )
        ):
            with row(changes):
                entry = msgspec.structs.replace(an_entry(number, NOW), **changes)
                self.settle([entry])
                query = select(usage_records.c[name]).where(usage_records.c.id == entry.id)
                assert self.read(query) == [(expected,)], self.read(query)


def _as_stored() -> Any:
    from sqlalchemy import BigInteger, type_coerce

    from llmproxy.store.schema import Moment

    columns = [
        type_coerce(each, BigInteger).label(each.name) if isinstance(each.type, Moment) else each
        for each in usage_records.columns
    ]
    return select(*columns)


_AS_STORED = _as_stored()
