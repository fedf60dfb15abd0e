"""Tests for L{llmproxy.providers.usagereader}."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ProxyError
from llmproxy.providers.readers import reader_for
from llmproxy.providers.registry import USAGE_SHAPES
from llmproxy.providers.usagereader import LONGEST_EVENT, UsageReader, media_type_of
from llmproxy.usage import UNKNOWN, Usage

from ..core.test_codings import ENCODERS, MISSING
from ..properties import examples
from .answers import GOLDEN, JSON, SSE


def read(media_type: bytes, pieces: Iterable[bytes], *codings: bytes) -> Usage:
    reader = reader_for(media_type, codings)
    assert reader is not None, media_type
    for piece in pieces:
        reader.feed(piece)
    return reader.usage()


class GoldenTests(SynchronousTestCase):
    def check(self, name: str, usage: Usage, where: object = "") -> None:
        golden = GOLDEN[name]
        self.assertEqual(evolve(usage, raw=None), golden.usage, (name, where))
        self.assertEqual(set(usage.raw or ()), golden.raw, (name, where))

    def test_cut_anywhere(self) -> None:
        """Each answer says the same whole, in two pieces cut at any byte, and byte by byte."""
        for name, golden in GOLDEN.items():
            body = golden.body
            self.check(name, read(golden.media_type, [body]))
            reader = reader_for(golden.media_type, ())
            assert reader is not None, name
            reader.whole(body)
            self.check(name, reader.usage())
            self.check(name, read(golden.media_type, [body[at : at + 1] for at in range(len(body))]))
            for at in range(len(body)):
                self.check(name, read(golden.media_type, [body[:at], body[at:]]), at)

    def test_codings(self) -> None:
        """And in every coding, cut at any byte."""
        for name, golden in GOLDEN.items():
            for coding, compress in ENCODERS.items():
                coded = compress(golden.body)
                for at in range(len(coded)):
                    self.check(name, read(golden.media_type, [coded[:at], coded[at:]], coding), (coding, at))

    def test_two_codings(self) -> None:
        golden = GOLDEN["chat"]
        coded = ENCODERS[b"gzip"](ENCODERS[b"br"](golden.body))
        self.check("chat", read(JSON, [coded], b"br", b"gzip"))

    test_codings.skip = test_two_codings.skip = MISSING  # type: ignore[attr-defined]


_PATHS = [path for shape in USAGE_SHAPES for path in (*shape.members, *shape.models, *shape.identity)]
_NAMES = sorted({part for path in _PATHS for part in path.split(".")}) + sorted(
    {name for golden in GOLDEN.values() for name in golden.raw}
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**60) | st.floats() | st.sampled_from(["", "m", "completed"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=20,
)


class AnythingTests(SynchronousTestCase):
    @given(st.dictionaries(st.sampled_from(_NAMES), _values, max_size=5), st.integers(1, 50))
    @settings(max_examples=examples(300), deadline=None)
    def test_any(self, document: dict[str, Any], size: int) -> None:
        """Whatever stands where a usage could, nothing fails, and the same is read at once, in pieces and in events."""
        body = json.dumps(document).encode()
        whole = UsageReader(JSON)
        whole.whole(body)
        found = whole.usage()
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        for usage in (read(JSON, pieces), read(SSE, [b"data: " + body + b"\n\n"])):
            # Of what says nothing it is of no interest how.
            same = found if found.is_known else UNKNOWN
            self.assertEqual(str(usage if usage.is_known else UNKNOWN), str(same), body)
        counts = [getattr(found, name) for name in ("input_tokens", "output_tokens", "cached_input_tokens")]
        self.assertTrue(all(each is None or each >= 0 for each in counts), found)


class UsageReaderTests(SynchronousTestCase):
    def test_unknown(self) -> None:
        """What says nothing, or nothing that can be, is unknown and not 0."""
        for body in (
            b"",
            b"{}",
            b"[]",
            b"null",
            b"<html>{usage}</html>",
            b'{"usage":null}',
            b'{"usage":{}}',
            b'{"usage":[1]}',
            b'{"usage":{"prompt_tokens":-1,"completion_tokens":true}}',
            b'{"usage":{"prompt_tokens":"7"}}',
            b'{"usage":{"prompt_tokens":1e400}}',
            b'{"usage":{"prompt_tokens":99999999999999999999}}',
            b'{"usage":{"seconds":-1}}',
            b'{"usage":{"prompt_tokens":1',
            b'{"choices":[{"usage":{"prompt_tokens":1}}]}',
            b'{"usage":{"input_tokens":null,"output_tokens":null}}',
            b'{"usageMetadata":{"promptTokenCount":null}}',
        ):
            usage = read(JSON, [body])
            self.assertFalse(usage.is_known, body)
            self.assertIsNone(usage.output_tokens, body)

    def test_notations(self) -> None:
        """What is JSON is read as JSON, whatever it looks like; so is what stands beside something of another shape."""
        for body in (
            b'{"us\\u0061ge":{"prompt_tokens":1}}',
            b'{"response":"text","message":[],"usage":{"prompt_tokens":1},"x_groq":1}',
            b'[1,[],{"usage":{"prompt_tokens":1}},null]',
            b'{"usage":{"prompt_tokens":2}}\n\n{"usage":{"prompt_tokens":1}}',
            b' \r\n{"usage"\t:\n{ "prompt_tokens" : 1 } } ',
        ):
            self.assertEqual(read(JSON, [body]).input_tokens, 1, body)

    def test_late_name(self) -> None:
        """The model is found where the first event does not name it, as Azure's do not."""
        first = b'data: {"model":"","choices":[],"prompt_filter_results":[]}\n\n'
        rest = b'data: {"model":"m"}\n\ndata: {"usage":{"prompt_tokens":1}}\n\ndata: [DONE]\n\n'
        for pieces in ([first + rest], [first, rest], [first[:9], first[9:], b": wait\n\n", rest]):
            self.assertEqual(read(SSE, pieces).served_model, "m", pieces)

    def test_whole(self) -> None:
        """A stream is whole if its last event is the last one of some vendor, wherever it was cut."""
        last = b"event: message_stop\ndata: {}\n\n"
        for stream, is_whole in (
            (last, True),
            (b"data: {}\n\n" + last, True),
            (b"data: {}\n\ndata: [DONE]", True),
            (b"data: {}\r\n\r\ndata: [DONE]\r\n\r\n", True),
            (last + b"data: {}\n\n", False),
            (b'data: {"type":"response.completed","text":"%b"}\n\n' % (b"x" * 2 * LONGEST_EVENT), True),
            (b'data: {"text":"%b","finishReason":"STOP"}\n\n' % (b"x" * 2 * LONGEST_EVENT), True),
            (b"data: {}\n\n", False),
            (b"", False),
        ):
            for size in (1, 7, 1000, 1 << 20):
                reader = UsageReader(SSE)
                for at in range(0, len(stream), size):
                    reader.feed(stream[at : at + size])
                self.assertEqual(reader.is_whole(), is_whole, (stream[:40], size))

    def test_whole_lines(self) -> None:
        """So are lines: Ollama's own answers say that they are done."""
        for lines, is_whole in (
            (b'{"done":false}\n{"done":true,"eval_count":1}\n', True),
            (b'{"done":false}\n', False),
        ):
            for size in (1, 7, 1000):
                reader = UsageReader(b"application/x-ndjson")
                for at in range(0, len(lines), size):
                    reader.feed(lines[at : at + size])
                self.assertEqual(reader.is_whole(), is_whole, (lines, size))

    def test_cut_short(self) -> None:
        """Of what broke off stays what was said whole."""
        events = GOLDEN["messages, streamed"].body.partition(b"event: message_delta")[0]
        usage = read(SSE, [events])
        self.assertEqual((usage.input_tokens, usage.output_tokens, usage.served_model), (543, 1, "claude-x"))
        whole = GOLDEN["chat, streamed"]
        usage = read(SSE, [whole.body.partition(b"\n\ndata: [DONE]")[0]])
        self.assertEqual(evolve(usage, raw=None), whole.usage)

    def test_model_alone(self) -> None:
        """A stream that tells no usage is unknown, but for the model that answers."""
        usage = read(SSE, [b'data: {"model":"m","choices":[]}\n\n', b"data: [DONE]\n\n"])
        self.assertEqual(usage, Usage(served_model="m"))

    def test_long_event(self) -> None:
        """An event is read that is longer than what is held, and what follows it."""
        text = b"x" * LONGEST_EVENT
        event = b'data: {"type":"response.completed","response":{"output":"%b","usage":{"input_tokens":1,' % text
        last = b'"output_tokens":2,"total_tokens":3}}}\n\n'
        for pieces in (
            [event + last],
            [event, last],
            [event[:-5], event[-5:], last[:-1], last[-1:], b"data: [DONE]\n\n"],
        ):
            usage = read(SSE, [b'data: {"response":{"model":"m"}}\n\n', *pieces])
            self.assertEqual((usage.input_tokens, usage.output_tokens, usage.served_model), (1, 2, "m"), pieces)

    def test_bad_event(self) -> None:
        """An event that is no JSON hides none behind it."""
        good = GOLDEN["chat, streamed"]
        usage = read(SSE, [b'data: {"usage": "[{\n\n' + good.body])
        self.assertEqual(evolve(usage, raw=None), good.usage)

    def test_bounded(self) -> None:
        """An answer of any size takes no memory, nor does a member without an end."""
        piece = b'{"embedding":[' + b"0.123456," * 7000 + b'1],"text":"' + b"\\n" * 1000 + b'"},'
        huge = [b'{"data":[', *[piece] * 40, b'{}],"usage":{"prompt_tokens":5,"total_tokens":5}}']
        endless = [b'{"usage":{"a":"', *[piece.replace(b'"', b"'")] * 40]
        deep = [b'{"data":', *[b"[" * 10_000] * 10]
        for media_type, body in (
            (JSON, huge),
            (JSON, endless),
            (SSE, [b"data: ", *huge]),
            (SSE, endless),
            (JSON, deep),
        ):
            tracemalloc.start()
            try:
                usage = read(media_type, body)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertEqual(usage.input_tokens, 5 if huge[1] in body else None, (media_type, body))
            self.assertLess(peak, 1_000_000, media_type)

    def test_malformed_coding(self) -> None:
        """What cannot be read in its coding says so."""
        self.assertRaises(ProxyError, read, JSON, [b"no gzip at all"], b"gzip")
        self.assertRaises(ProxyError, UsageReader, JSON, [b"other"])

    def test_media_type(self) -> None:
        self.assertEqual(media_type_of(b"Text/Event-Stream ; charset=utf-8"), SSE)
