"""Tests for L{llmproxy.providers.messagereader}."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.websocket import BINARY, CONTINUATION, PING, TEXT, frame
from llmproxy.errors import ProxyError
from llmproxy.providers.messagereader import MessageReader
from llmproxy.providers.usagereader import LONGEST_EVENT
from llmproxy.usage import UNKNOWN, Usage

from ..tables import row

DEFLATE = b"permessage-deflate; server_max_window_bits=12"


def done(put_in: int, out: int, **more: Any) -> dict[str, Any]:
    usage = {
        "total_tokens": put_in + out,
        "input_tokens": put_in,
        "output_tokens": out,
        "input_token_details": {"text_tokens": 1, "audio_tokens": 2, "cached_tokens": 3},
        "output_token_details": {"text_tokens": 1, "audio_tokens": 4},
    }
    return {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": usage, **more}}


SESSION = {"type": "session.created", "session": {"type": "realtime", "model": "gpt-realtime"}}
CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "usage": None}}
DELTA = {"type": "response.output_audio.delta", "delta": "QUFBQQ=="}
HEARD = {
    "type": "conversation.item.input_audio_transcription.completed",
    "transcript": '"usage"',
    "usage": {"type": "duration", "seconds": 2.5},
}
TALK = [SESSION, CREATED, DELTA, done(10, 5), HEARD, CREATED, DELTA, done(20, 7), HEARD]
TALKED = Usage(30, 6, None, 12, None, 4, 8, served_model="gpt-realtime")


def sent(messages: Iterable[Any], opcode: int = TEXT) -> bytes:
    return b"".join(frame(opcode, json.dumps(message).encode()) for message in messages)


def deflated(messages: Iterable[Any], forgets: bool = False) -> bytes:
    compress = zlib.compressobj(wbits=-12)
    found = b""
    for message in messages:
        payload = compress.compress(json.dumps(message).encode()) + compress.flush(zlib.Z_SYNC_FLUSH)
        whole = bytearray(frame(TEXT, payload.removesuffix(b"\0\0\xff\xff")))
        whole[0] |= 0x40
        found += whole
        if forgets:
            compress = zlib.compressobj(wbits=-12)
    return found


def read(data: bytes, size: int = 1 << 20, extensions: bytes = b"") -> MessageReader:
    reader = MessageReader(extensions)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader


class MessageReaderTests(SynchronousTestCase):
    def check(self, reader: MessageReader, where: object) -> None:
        usage = reader.usage()
        raw = usage.raw
        assert raw is not None, where
        for name in (
            "input_tokens",
            "cached_input_tokens",
            "output_tokens",
            "audio_input_tokens",
            "audio_output_tokens",
        ):
            self.assertEqual(getattr(usage, name), getattr(TALKED, name), (name, where))
        self.assertEqual((usage.served_model, raw["total_tokens"]), ("gpt-realtime", 42), where)
        self.assertEqual(raw["input_audio_transcription"]["seconds"], 5, where)
        self.assertTrue(reader.is_whole(), where)

    def test_cut_anywhere(self) -> None:
        """Answers of a session are added up, cut at any byte; what another model has used stands beside them."""
        data = sent(TALK)
        self.check(read(data), "whole")
        self.check(read(data, 1), "byte by byte")
        for at in range(len(data)):
            reader = MessageReader()
            reader.feed(data[:at])
            reader.feed(data[at:])
            self.check(reader, at)

    def test_deflated(self) -> None:
        """In messages that are compressed too, with or without the memory of those before."""
        for forgets in (False, True):
            extensions = DEFLATE + b"; server_no_context_takeover" * forgets
            for size in (1, 2, 50, 1 << 20):
                self.check(read(deflated(TALK, forgets), size, extensions), (forgets, size))
        # And one that is not compressed.
        self.check(read(sent(TALK), 3, DEFLATE), "not compressed")

    def test_fragments(self) -> None:
        """A message in fragments, with a ping between them."""
        text = json.dumps(done(10, 5)).encode()
        first = bytearray(frame(TEXT, text[:40]))
        first[0] &= 0x7F
        reader = read(bytes(first) + frame(PING, b'"usage"') + frame(CONTINUATION, text[40:]))
        self.assertEqual(reader.usage().input_tokens, 10)

    def test_gemini(self) -> None:
        """Gemini Live, in binary messages, has an object for each turn."""
        turn = {"promptTokenCount": 5, "responseTokenCount": 7, "totalTokenCount": 12}
        details = {"responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 7}]}
        messages = [{"setupComplete": {}}, {"serverContent": {}}, {"usageMetadata": {**turn, **details}}]
        usage = read(sent([*messages, {"usageMetadata": turn}], BINARY)).usage()
        self.assertEqual((usage.input_tokens, usage.output_tokens, usage.audio_output_tokens), (10, 14, 7))

    def test_live(self) -> None:
        """A session that says its own sum each time counts with the last one."""
        messages = [{"type": "session.usage.updated", "usage": {"seconds": each}} for each in (5, 9)]
        closed = {"type": "session.closed", "session": {"model": "live"}, "usage": {"seconds": 12}}
        usage = read(sent([SESSION, *messages, closed])).usage()
        self.assertEqual((usage.seconds, usage.input_tokens, usage.served_model), (12, None, "live"))

    def test_responses(self) -> None:
        """Responses over a WebSocket; the answer is longer than what is held."""
        answer = done(10, 5, model="big", output=["x" * LONGEST_EVENT])
        answer["type"] = "response.completed"
        for size in (1000, 1 << 20):
            reader = read(sent([CREATED, answer]), size)
            self.assertEqual((reader.usage().output_tokens, reader.usage().served_model), (5, "big"), size)
            self.assertTrue(reader.is_whole(), size)

    def test_truncated(self) -> None:
        """While an answer is under way, something is missing."""
        self.assertFalse(read(sent([SESSION, CREATED, DELTA])).is_whole())
        long_delta = {"type": "response.output_audio.delta", "delta": "A" * LONGEST_EVENT}
        self.assertFalse(read(sent([CREATED, long_delta])).is_whole())

    def test_unknown(self) -> None:
        """A session that says nothing is unknown, and so are messages that are no JSON."""
        for messages in ([], [SESSION], [SESSION, CREATED], [[1]], [{"usage": {}}]):
            self.assertFalse(read(sent(messages)).usage().is_known, messages)
        self.assertEqual(read(frame(TEXT, b'{"usage":') + frame(BINARY, b'\xff"usage"')).usage(), UNKNOWN)

    def test_transcription_session(self) -> None:
        """A session that only writes down what it hears."""
        usage = read(sent([HEARD, HEARD])).usage()
        self.assertEqual((usage.seconds, usage.input_tokens), (5, None))
        tokens = {"type": "tokens", "total_tokens": 9, "input_tokens": 7, "output_tokens": 2}
        usage = read(sent([SESSION, {**HEARD, "usage": tokens}])).usage()
        self.assertEqual((usage.input_tokens, usage.output_tokens, usage.served_model), (7, 2, "gpt-realtime"))

    def test_unreadable(self) -> None:
        """Extensions that are not known, what is no frame, no compression, or too much of it."""
        for extensions in (b"x-webkit-deflate-frame", b"permessage-deflate, other", b"permessage-bzip2"):
            with row(extensions):
                self.assertRaises(ProxyError, MessageReader, extensions)
        bomb = [json.dumps({"a": "x" * 50_000_000})]
        for data, extensions in ((b"\xc1\x00", b""), (b"\xc1\x02ab", DEFLATE), (deflated(bomb), DEFLATE)):
            with row(data):
                self.assertRaises(ProxyError, read, data, 1 << 16, extensions)
