"""The one way in which a value is written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.encoding import decode, encode

from ...properties import examples
from ...tables import row

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


class EncodingTests(SynchronousTestCase):
    def test_one_way(self) -> None:
        """The order in which names were given, and the alphabet of a text, change nothing in how it is written."""
        self.assertEqual(encode({"b": "é\n", "a": [1, True]}), b'{"a":[1,true],"b":"\\u00e9\\n"}')
        self.assertEqual(encode({"a": 1, "b": 2}), encode({"b": 2, "a": 1}))

    def test_other_ways(self) -> None:
        """The same value written in another way is not taken for it."""
        for data in (
            b'{"a": 1}',
            b'{"b":1,"a":1}',
            b'{"a":1,"a":1}',
            b'{"a":1.0e0}',
            b'{"a":"\xc3\xa9"}',
            b'{"a":NaN}',
            b'{"a":1} ',
            b"[1]",
            b"1",
            b"",
            b"{",
            b'{"a":' + b"[" * 100_000,
        ):
            with row(data):
                self.assertRaises(ValueError, decode, data)

    def test_no_number(self) -> None:
        self.assertRaises(ValueError, encode, float("nan"))

    @settings(max_examples=examples(50), deadline=None)
    @given(st.dictionaries(st.text(), _scalars | st.lists(_scalars)))
    def test_round_trip(self, value: dict[str, object]) -> None:
        """What was written is read as it was, whatever it holds."""
        assert decode(encode(value)) == value
