"""Tests of the entries of the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import LONGEST_RAW, Entry, Tried, begun_values, bounded, ended_values, entry_of
from llmproxy.record import Attribution, Record
from llmproxy.usage import UNKNOWN, Usage
from tests.recordfields import record_fields
from tests.tables import row

ID = "0" * 31 + "1"
USED = Usage(10, 2, 3, 5, 4, 6, 7, 8, 1.5, "m-1", {"prompt_tokens": 10})
COUNTS = tuple(each.name for each in fields(Usage) if each.name not in ("served_model", "raw"))
MEMBERS = tuple(each.name for each in msgspec.structs.fields(Entry))


def record(**members: Any) -> Record:
    return Record("r-1", "POST", "/v1/x", "127.0.0.1", 1_800_000_000.25, **members)


class EntryTests(SynchronousTestCase):
    def test_members_of_the_record(self) -> None:
        """What a record and its entry call by the same name is the same."""
        values: dict[str, Any] = {}
        for name, kind in record_fields().items():
            if name in MEMBERS and kind in ("str", "int", "float", "bool", "float | None"):
                values[name] = {"str": f"<{name}>", "int": 7, "bool": True}.get(kind, 2.5)
        entry = entry_of(Record(**{**values, "path": "/", "duration": 1.5, "ended": "complete"}), ID)
        for name, value in values.items():
            if name != "duration":
                with row(name):
                    self.assertEqual(getattr(entry, name), value)
        self.assertEqual((entry.id, entry.ending, entry.ended_at), (ID, "complete", values["started_at"] + 1.5))

    def test_usage(self) -> None:
        """Every count stands in its own place, of what was used and of what was saved."""
        entry = entry_of(record(usage=USED, saved=USED, truncated=True, estimated=True), ID)
        assert entry.saved is not None
        for name in (*COUNTS, "served_model"):
            with row(name):
                self.assertEqual(getattr(entry, name), getattr(USED, name))
                self.assertEqual(getattr(entry.saved, name), getattr(USED, name))
        self.assertEqual((entry.raw, entry.unknown), (b'{"prompt_tokens":10}', False))
        self.assertTrue(entry.truncated and entry.estimated)

    def test_not_known_is_not_zero(self) -> None:
        """An answer that was not looked at has no counts and is not unknown; one that says nothing is."""
        entry = entry_of(record(), ID)
        for name in (*COUNTS, "raw", "saved", "cost", "cost_saved", "first_byte", "first_token"):
            with row(name):
                self.assertIsNone(getattr(entry, name))
        self.assertFalse(entry.unknown)
        self.assertTrue(entry_of(record(usage=UNKNOWN), ID).unknown)

    def test_cost(self) -> None:
        """Money is an exact decimal number, without an exponent."""
        for cost, written in (("0.1", "0.1"), ("1E-9", "0.000000001"), ("0", "0"), ("1E+3", "1000"), ("0.10", "0.10")):
            with row(cost):
                entry = entry_of(record(cost=Decimal(cost), cost_saved=Decimal(cost)), ID)
                self.assertEqual((entry.cost, entry.cost_saved), (written, written))

    def test_attribution(self) -> None:
        """For whom and for what it was asked."""
        entry = entry_of(record(attribution=Attribution("u", "s", "p", {"team": "a"}, {"k": "v"})), ID)
        self.assertEqual((entry.user, entry.session, entry.program), ("u", "s", "p"))
        self.assertEqual((entry.tags, entry.metadata), ({"team": "a"}, {"k": "v"}))

    def test_tried(self) -> None:
        """The attempts as the log has them, where there was more than one."""
        failed, unsent = {"upstream": "a", "status": 503, "took": 1.5}, {"upstream": "b", "cause": "x", "took": 2.0}
        details = {"tried": [failed, unsent]}
        for noted, expected in (
            (None, ()),
            ({"not_retried": "budget"}, ()),
            (details, (Tried("a", 503, "", 1.5), Tried("b", 0, "x", 2.0))),
        ):
            with row(noted):
                self.assertEqual(entry_of(record(details=noted), ID).tried, expected)

    def test_claimed(self) -> None:
        """What another process may have asked for has its numbers, and that they are claimed alone."""
        entry = entry_of(record(claimed=USED, answer_id="r"), ID)
        self.assertEqual((entry.input_tokens, entry.answer_id, entry.claims), (USED.input_tokens, "r", True))
        entry = entry_of(record(usage=USED, answer_id="r"), ID)
        self.assertEqual((entry.answer_id, entry.claims), ("r", False))

    def test_long_raw(self) -> None:
        """A usage object above the bound is not kept; what was counted of it is."""
        entry = entry_of(record(usage=Usage(1, raw={"x": "y" * LONGEST_RAW})), ID)
        self.assertEqual((entry.raw, entry.input_tokens), (None, 1))

    @given(st.builds(Usage, *[st.none() | st.integers(0, 2**62)] * 8, st.none() | st.floats(0, 1e9), st.text()))
    def test_written_and_read(self, usage: Usage) -> None:
        """An entry that was written is read as it was."""
        entry = entry_of(record(usage=usage, saved=usage, cost=Decimal("0.000001")), ID)
        self.assertEqual(msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Entry), entry)

    def test_other_versions(self) -> None:
        """What an earlier version wrote lacks members, what a later one wrote has more: both are read."""
        written = [ID, 1.0]
        self.assertEqual(msgspec.convert(written, Entry), Entry(ID, 1.0))
        more = [*msgspec.to_builtins(Entry(ID, 1.0)), "new", {"other": 1}]
        self.assertEqual(msgspec.convert(more, Entry), Entry(ID, 1.0))

    def test_interrupted(self) -> None:
        """Of one that has begun everything is kept that is known by then; it has not ended, and nothing was used."""
        begun = record(
            attribution=Attribution("u"), model="m", token_id="t", provider="openai", counted=True, user_agent="a"
        )
        entry = Entry(*begun_values(begun, ID))
        ended = entry_of(begun, ID)
        changed = {"ended_at": None, "ending": "interrupted"}
        self.assertEqual(entry, msgspec.structs.replace(ended, **changed))

    def test_encoded_alike(self) -> None:
        """The values are encoded as the entry is that they are of."""
        known = record(usage=USED, saved=USED, cost=Decimal("1.5"), attribution=Attribution("u", tags={"a": "b"}))
        encode = msgspec.msgpack.encode
        self.assertEqual(encode(ended_values(known, ID)), encode(entry_of(known, ID)))

    def test_unknown_as_usage_says(self) -> None:
        """An entry is unknown where its usage is."""
        for name in (*COUNTS, "raw"):
            usage = Usage(**{name: {"a": 1} if name == "raw" else 3})
            with row(name):
                self.assertEqual(entry_of(record(usage=usage), ID).unknown, not usage.is_known)

    def test_bounded(self) -> None:
        """A long entry gets short; what it counts and what it is known by stays."""
        long = "x" * 5000
        tags = {f"{number}{long}": long for number in range(20)}
        entry = bounded(entry_of(record(usage=USED, model=long, attribution=Attribution(long, tags=tags)), ID))
        self.assertLess(len(msgspec.msgpack.encode(entry)), 8000)
        self.assertEqual((entry.id, entry.input_tokens, entry.raw), (ID, 10, None))
