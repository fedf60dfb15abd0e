"""What is kept of a response beside its content."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.entry import Entry, Used, pack, storable_fields, unpack, updated_fields
from llmproxy.message import Field
from llmproxy.usage import UNKNOWN, Usage

DATE = (b"Date", b"Thu, 01 Jan 1970 00:16:40 GMT")
"""1000 seconds after the epoch."""

seconds = st.floats(0, 1e10)
entries = st.builds(
    Entry,
    status=st.integers(200, 599),
    reason=st.binary(max_size=20),
    fields=st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5),
    response_time=seconds,
    initial_age=seconds,
    lifetime=seconds,
    always_validate=st.booleans(),
    never_stale=st.booleans(),
    while_revalidate=seconds,
    if_error=seconds,
    size=st.integers(0, 2**40),
    used=st.none() | st.builds(Used, input_tokens=st.none() | st.integers(0, 2**53), served_model=st.text(max_size=5)),
)


def entry(*fields: Field, **changes: Any) -> Entry:
    values = {"response_time": 1000.0, "initial_age": 5.0, "lifetime": 60.0} | changes
    return Entry(200, b"OK", list(fields), **values, **dict.fromkeys(REST, False), size=0)  # type: ignore[arg-type]


REST = ("always_validate", "never_stale", "while_revalidate", "if_error")


class EntryTests(SynchronousTestCase):
    def test_age(self) -> None:
        """It is as old as it was when it came, and the time since; a clock that is set back makes nothing younger."""
        for now, age, left in ((1000.0, 5.0, 55.0), (1010.0, 15.0, 45.0), (1100.0, 105.0, -45.0), (10.0, 5.0, 55.0)):
            self.assertEqual((entry().age(now), entry().fresh_for(now)), (age, left), now)

    def test_field(self) -> None:
        """A field is found whatever its case, the first of several."""
        found = entry((b"ETAG", b'"a"'), (b"etag", b'"b"'))
        self.assertEqual((found.field(b"etag"), found.field(b"vary")), (b'"a"', None))


class PackTests(SynchronousTestCase):
    @given(entries)
    def test_round_trip(self, made: Entry) -> None:
        """A store gives back what it was given."""
        self.assertEqual(unpack(pack(made)), made)

    @given(st.binary(max_size=60))
    def test_garbage(self, data: bytes) -> None:
        """Whatever else stands there is a miss, not an error."""
        self.assertIsNone(unpack(data))

    @given(entries, st.data())
    def test_cut(self, made: Entry, data: Any) -> None:
        """A part is never taken for the whole, and neither is something that came behind it."""
        whole = pack(made)
        self.assertIsNone(unpack(whole[: data.draw(st.integers(0, len(whole) - 1))]))
        self.assertIsNone(unpack(whole + b"\0"))

    def test_of_other_releases(self) -> None:
        """What knew nothing of use is read, and is the same when it is written; what knows more is read."""
        made = Entry(200, b"OK", [DATE], 1000.0, 5.0, 60.0, False, False, 0.0, 0.0, 7)
        values = msgspec.to_builtins(made, builtin_types=(bytes,))
        before = msgspec.msgpack.encode(values[:-1])
        self.assertEqual((unpack(before), pack(made)), (made, before))
        used = Used(1, output_tokens=2)
        later = msgspec.msgpack.encode([*values[:-1], [*msgspec.to_builtins(used), "more"], "more"])
        self.assertEqual(unpack(later), msgspec.structs.replace(made, used=used))

    def test_other_types(self) -> None:
        """Every place is checked for its type."""
        for at in range(len(Entry.__struct_fields__)):
            values = msgspec.to_builtins(entry(), builtin_types=(bytes,))
            values[at] = {}
            self.assertIsNone(unpack(msgspec.msgpack.encode(values)), Entry.__struct_fields__[at])


class UsedTests(SynchronousTestCase):
    def test_members(self) -> None:
        """All that is counted comes back as it was; where nothing is known there is nothing to keep."""
        names = [each.name for each in fields(Usage)]
        self.assertEqual([*Used.__struct_fields__, "raw"], names)
        usage = Usage(*range(8), 8.5, "m", {"a": 1})
        used = Used.of(usage)
        assert used is not None
        self.assertEqual(used.usage(), evolve(usage, raw=None))
        for nothing in (None, UNKNOWN, Usage(served_model="m")):
            self.assertIsNone(Used.of(nothing), nothing)


class FieldsTests(SynchronousTestCase):
    def test_stored(self) -> None:
        """What may be replayed to somebody else, as it came; the rest is not kept."""
        kept: list[Field] = [(b"ETag", b'"a"'), (b"content-TYPE", b"x"), (b"X-A", b"1"), (b"X-A", b"2"), DATE]
        for name in (
            b"Set-Cookie", b"X-Request-ID", b"OpenAI-Organization", b"CF-Ray", b"traceparent",
            b"X-RateLimit-Remaining-Tokens", b"RateLimit", b"anthropic-ratelimit-requests-limit", b"X-B3-TraceId",
            b"Access-Control-Allow-Origin", b"Proxy-Authenticate", b"Connection", b"Transfer-Encoding", b"Age",
            b"Warning",
        ):  # fmt: skip
            self.assertEqual(storable_fields([kept[0], (name, b"x"), *kept[1:]], frozenset(), 2000.0), kept, name)

    def test_excluded(self) -> None:
        """What a qualified C{private} or C{no-cache} names is not kept either."""
        fields = [(b"X-Mine", b"1"), (b"X-Ours", b"2"), DATE]
        self.assertEqual(storable_fields(fields, frozenset((b"x-mine",)), 2000.0), fields[1:])

    def test_date(self) -> None:
        """A response without a date gets the one of its arrival."""
        self.assertEqual(storable_fields([(b"A", b"1")], frozenset(), 1000.0), [(b"A", b"1"), DATE])

    def test_updated(self) -> None:
        """A 304 replaces all lines of what it names, but for what describes the stored content."""
        stored = [(b"ETag", b'"a"'), (b"Content-Length", b"9"), (b"X-A", b"1"), (b"X-A", b"2"), (b"X-B", b"3")]
        newer = [(b"x-a", b"4"), (b"Content-Length", b"0"), (b"etag", b'W/"a"'), DATE]
        self.assertEqual(updated_fields(stored, newer), [*stored[:2], stored[4], (b"x-a", b"4"), DATE])
