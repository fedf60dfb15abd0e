"""Tests for L{llmproxy.core.streamusage}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.streamusage import LONGEST, UsageTaken, asked_for_usage

from ..properties import examples

OPTIONS = '"stream_options":{"include_usage":true}'


class AskedTests(SynchronousTestCase):
    def test_written(self) -> None:
        """The words are put in, and no other byte changes."""
        for body, expected in (
            ('{"stream":true}', "{" + OPTIONS + ',"stream":true}'),
            (' {\n "model": "m", "stream" : true }\n', " {" + OPTIONS + ',\n "model": "m", "stream" : true }\n'),
            ('{"stream":true,"stream_options":null}', '{"stream":true,' + OPTIONS + "}"),
            ('{"stream_options": {} ,"stream":true}', '{"stream_options": {"include_usage":true} ,"stream":true}'),
            (
                '{"stream":true,"stream_options":{"a":[{"include_usage":false}]}}',
                '{"stream":true,"stream_options":{"include_usage":true,"a":[{"include_usage":false}]}}',
            ),
            (
                '{"a":{"stream_options":{}},"stream":true,"stream_options":{"include_usage" : false }}',
                '{"a":{"stream_options":{}},"stream":true,"stream_options":{"include_usage" : true }}',
            ),
            (
                '{"stream":true,"stream\\u005foptions":{"b":"}\\"","include_usage":null}}',
                '{"stream":true,"stream\\u005foptions":{"b":"}\\"","include_usage":true}}',
            ),
            # The last of two is the one that is read.
            (
                '{"stream":false,"stream_options":7,"stream":true,"stream_options":{}}',
                '{"stream":false,"stream_options":7,"stream":true,"stream_options":{"include_usage":true}}',
            ),
        ):
            self.assertEqual(asked_for_usage(body.encode()), expected.encode(), body)

    def test_nothing_to_ask(self) -> None:
        """What asks for no stream, for its usage already, or is no such call."""
        for body in (
            '{"stream":true,"stream_options":{"include_usage":true}}',
            '{"stream":false}',
            '{"stream":1}',
            '{"stream":"true"}',
            "{}",
            "",
            "[]",
            '[{"stream":true}]',
            '{"stream":true',
            '{"stream":true}}',
            '{"stream":true,"stream_options":[]}',
            "\ufeff" + '{"stream":true}',
        ):
            self.assertIsNone(asked_for_usage(body.encode()), body)
        self.assertIsNone(asked_for_usage(b'{"stream":true,"a":"\xff' + b"[" * 100_000))

    _values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=8)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )

    @given(
        st.dictionaries(st.sampled_from(["a", 'b"', "c\\", "d{", "é"]), _values, max_size=4),
        st.sampled_from([None, {}, {"include_usage": False}, {"x": [1, "}"]}, {"x": {}, "include_usage": None}]),
        st.booleans(),
        st.sampled_from([None, 1]),
        st.booleans(),
    )
    @settings(max_examples=examples(200), deadline=None)
    def test_any(self, call: dict[str, Any], options: Any, given_first: bool, indent: int | None, ascii: bool) -> None:
        """Of any call, what upstream reads is the same but for this; and the first and the last bytes are."""
        members = {"stream_options": options} if options is not None else {}
        call = {**members, **call, "stream": True} if given_first else {**call, "stream": True, **members}
        body = json.dumps(call, indent=indent, ensure_ascii=ascii).encode()
        asked = asked_for_usage(body)
        assert asked is not None
        expected = {**call, "stream_options": {**(options or {}), "include_usage": True}}
        self.assertEqual(json.loads(asked), expected)
        same = next((at for at, (one, two) in enumerate(zip(body, asked, strict=False)) if one != two), len(body))
        rest = len(body) - same
        while rest and not asked.endswith(body[len(body) - rest :]):
            rest -= 1
        self.assertLessEqual(len(body) - same - rest, len("false"))


def event(data: str, end: str = "\n\n", name: str = "") -> bytes:
    lines = "".join(f"data: {line}{end[: len(end) // 2]}" for line in data.split("\n"))
    return (name + lines + end[len(end) // 2 :]).encode()


USAGE = '{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
STAY = (
    '{"id":"c","choices":[{"delta":{"content":"\\"usage\\":{"}}],"usage":null}',
    '{"choices":[],"usage":null,"prompt_filter_results":[]}',
    '{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}',
    '{"usage":{"prompt_tokens":1}}',
    '{"choices":[],"usage":{"a":1',
    "[DONE]",
)


def taken(data: bytes, size: int = 1 << 20) -> bytes:
    stream = UsageTaken()
    found = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
    return found + stream.end()


class TakenTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """Only the one event goes, wherever it stands, however lines end, and wherever the bytes are cut."""
        for end in ("\n\n", "\r\n\r\n", "\r\r"):
            others = [event(each, end) for each in STAY]
            for at in range(len(others) + 1):
                usages = [event(USAGE, end), event(USAGE.replace(",", ",\n"), end), event(USAGE, end, ": x\n")]
                before, after = b"".join(others[:at]), b"".join(others[at:])
                for usage in usages:
                    data = before + usage + after
                    for size in (1, 2, 3, 7, 50, len(data)):
                        self.assertEqual(taken(data, size), before + after, (end, at, size, usage))

    def test_cut_anywhere(self) -> None:
        """In two pieces."""
        for end in ("\n\n", "\r\n\r\n"):
            data = event(STAY[0], end) + event(USAGE, end) + event("[DONE]", end)
            for at in range(len(data)):
                stream = UsageTaken()
                found = stream.feed(data[:at]) + stream.feed(data[at:]) + stream.end()
                self.assertEqual(found, event(STAY[0], end) + event("[DONE]", end), (end, at))

    def test_never_late(self) -> None:
        """An event leaves with its last byte."""
        for end in ("\n\n", "\r\n\r\n", "\r\r"):
            stream, passed = UsageTaken(), b""
            for number, each in enumerate([*STAY, *STAY], 1):
                data = event(each, end)
                for at in range(len(data)):
                    passed += stream.feed(data[at : at + 1])
                whole = b"".join(event(one, end) for one in [*STAY, *STAY][:number])
                # Of CR LF the second one may be what follows.
                self.assertIn(whole.removeprefix(passed), (b"", b"\n"), (end, number))

    def test_long(self) -> None:
        """An event that is longer than what is held passes as it comes, and the next one is looked at."""
        huge = event('{"choices":[],"usage":{"a":"%s"}}' % ("x" * 2 * LONGEST))
        data = huge + event(USAGE) + event("[DONE]")
        for size in (1000, LONGEST - 1, LONGEST + 5, len(huge) - 1, len(huge) + 1):
            self.assertEqual(taken(data, size), huge + event("[DONE]"), size)

    def test_no_end(self) -> None:
        """What breaks off passes, unless it is the usage whole."""
        for rest, expected in ((b"data: [DO", b"data: [DO"), (b"data: " + USAGE.encode(), b""), (b"\n", b"\n")):
            self.assertEqual(taken(event(STAY[0]) + rest, 5), event(STAY[0]) + expected, rest)

    @given(
        st.lists(st.sampled_from([b"\r", b"\n", b"a", b"data: ", b"{}", USAGE.encode()[:30]]), max_size=30),
        st.integers(1, 9),
    )
    @settings(max_examples=examples(300), deadline=None)
    def test_any(self, pieces: list[bytes], size: int) -> None:
        """What tells no usage passes, byte for byte."""
        data = b"".join(pieces)
        self.assertEqual(taken(data, size), data)
