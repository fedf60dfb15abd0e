"""Tests for L{llmproxy.core.modelrename}."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.modelrename import IN_ANSWERS, IN_REQUESTS, LONGEST, ModelRename
from tests.tables import row

from ..properties import examples


def renamed(name: str) -> str | None:
    return "fast" + name[2:] if name.startswith("to") else None


def changed(content: bytes, *cuts: int, wanted: Any = IN_ANSWERS, is_stream: bool = False) -> bytes:
    rename = ModelRename(wanted, renamed, is_stream=is_stream)
    places = [0, *sorted(cuts), len(content)]
    pieces = [content[a:b] for a, b in pairwise(places)]
    return b"".join(map(rename.feed, pieces)) + rename.end()


TABLE = (
    (b'{"model":"to"}', b'{"model":"fast"}'),
    (b' {\n "id" : 1, "model" : "to-2024" }\n', b' {\n "id" : 1, "model" : "fast-2024" }\n'),
    (b'{"model":"other"}', None),
    (b'{"model":"a to"}', None),
    (b'{"model":null,"x":"to"}', None),
    (b'{"model":{"model":"to"}}', None),
    (b'{"model":["to"]}', None),
    (b'{"x":"model","to":"to"}', None),
    (b'{"x":{"model":"to"}}', None),
    (b'{"x":[{"model":"to"}],"model":"to"}', b'{"x":[{"model":"to"}],"model":"fast"}'),
    (b'{"x":"}{\\"model\\":\\"to\\"","model":"to"}', b'{"x":"}{\\"model\\":\\"to\\"","model":"fast"}'),
    (b'{"m\\u006fdel":"\\u0074o"}', b'{"m\\u006fdel":"fast"}'),
    (b'{"model":"to","model":"to"}', b'{"model":"fast","model":"fast"}'),
    (b'[{"model":"to"},\n{"model":"to"}]', b'[{"model":"fast"},\n{"model":"fast"}]'),
    (b'{"model":"to"}\n{"model":"to"}\n', b'{"model":"fast"}\n{"model":"fast"}\n'),
    (b'{"message":{"id":"x","model":"to"},"a":1}', b'{"message":{"id":"x","model":"fast"},"a":1}'),
    (
        b'{"response":{"output":[{"model":"to"}],"model":"to"}}',
        b'{"response":{"output":[{"model":"to"}],"model":"fast"}}',
    ),
    (b'{"model":"to', None),
    (b'{"model":"to\\', None),
    (b'{"model":"' + b"to" * LONGEST + b'"}', None),
    (b"no JSON, to", None),
    (b'\xff\xfe{"model":"to\xff"}', None),
    (b"", None),
)

STREAM = (
    b'event: x\ndata: {"model":"to","choices":[]}\n\n: ping {"\n\ndata: {"a":"to"}\r\n\r\n'
    b'data: {"message":{"model":"to-1"}}\r\rdata: {"model":"unended\n\ndata: {"model":"to"}\n\ndata: [DONE]\n\n'
)


class RenameTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Only what is a model by its place and its name, and no other byte, wherever it is cut."""
        for content, expected in TABLE:
            with row(content[:60]):
                wanted = content if expected is None else expected
                self.assertEqual(changed(content), wanted)
                if len(content) < 200:
                    for cut in range(len(content)):
                        self.assertEqual(changed(content, cut), wanted, cut)
                    self.assertEqual(changed(content, *range(len(content))), wanted)

    def test_stream(self) -> None:
        """Each event begins anew, whatever was left open before it; bytes are compared, cut anywhere."""
        expected = STREAM.replace(b'"model":"to', b'"model":"fast')
        for cut in range(len(STREAM)):
            self.assertEqual(changed(STREAM, cut, is_stream=True), expected, cut)
        self.assertEqual(changed(STREAM, *range(len(STREAM)), is_stream=True), expected)

    def test_requests(self) -> None:
        """In a request only the one at the top counts."""
        content = b'{"message":{"model":"to"},"model":"to"}'
        self.assertEqual(changed(content, wanted=IN_REQUESTS), b'{"message":{"model":"to"},"model":"fast"}')

    def test_bound(self) -> None:
        """What is held of a text without an end is bounded."""
        rename = ModelRename(IN_ANSWERS, renamed)
        passed = rename.feed(b'{"model":"') + b"".join(rename.feed(b"x" * 100) for _ in range(100))
        self.assertEqual(len(passed), 10_010)

    VALUES = st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["to", "to-1", '"', "\\", "{", "\u00e9", "\n"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["model", "message", "response", "x", 'mo"del']), inner, max_size=4)
        ),
        max_leaves=12,
    )


class PropertyTests(SynchronousTestCase):
    @given(RenameTests.VALUES, st.lists(st.integers(0, 400), max_size=6), st.sampled_from([None, 1]), st.booleans())
    @settings(max_examples=examples(400), deadline=None)
    def test_any(self, value: Any, cuts: list[int], indent: int | None, ascii_: bool) -> None:
        """Of any document exactly the names in their places are changed."""
        content = json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()
        found = changed(content, *(min(cut, len(content)) for cut in cuts))
        self.assertEqual(json.loads(found), _expected(value), content)


def _expected(value: Any) -> Any:
    """Every object of an array at the top is a document."""
    if isinstance(value, list):
        return [_expected(each) for each in value]
    return _of_object(value, ("message", "response")) if isinstance(value, dict) else value


def _of_object(value: dict[str, Any], inner: tuple[str, ...]) -> dict[str, Any]:
    def one(name: str, each: Any) -> Any:
        if name == "model" and isinstance(each, str):
            return renamed(each) or each
        return _of_object(each, ()) if name in inner and isinstance(each, dict) else each

    return {name: one(name, each) for name, each in value.items()}
