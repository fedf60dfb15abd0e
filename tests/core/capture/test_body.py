"""Bodies as events have them."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.capture.body import Body, Half, body_of
from llmproxy.core.masking import MASKED, Masking
from llmproxy.core.redaction.patterns import MARK
from llmproxy.core.redaction.redactor import Redactor
from llmproxy.core.redaction.rules import rule_of
from tests.tables import row

JSON, SSE, TEXT, FORM = b"application/json", b"text/event-stream", b"text/plain", b"application/x-www-form-urlencoded"


def redactor(*rules: Any) -> Redactor:
    return Redactor([rule_of(rule) for rule in rules], Masking(), time.monotonic)


def read(content: bytes, media_type: bytes = JSON, *rules: Any, **half: Any) -> Body:
    values = {"size": len(content), "most": 100_000, **half}
    return body_of(Half(content, media_type, **values), redactor(*rules))


class BodyTests(SynchronousTestCase):
    def test_table(self) -> None:
        """JSON is JSON, a form its fields, a text a text, a stream its answer."""
        stream = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        for content, media_type, value in (
            (b'{"a": [1, 2.5, null, true, "\\u00e9"]}', JSON, {"a": [1, 2.5, None, True, "é"]}),
            (b'"text"', JSON, "text"),
            (b'{"big": 123456789012345678901234567890}', JSON, {"big": 123456789012345678901234567890}),
            (b"no JSON", JSON, "no JSON"),
            (b"{'a': 1}", JSON, "{'a': 1}"),
            (b'{"a": 1}', b"", {"a": 1}),
            (b"  [1]", b"", [1]),
            (b"hello", b"", "hello"),
            (b"h\xc3\xa9", TEXT, "hé"),
            (b"h\xe9llo", TEXT, "h\ufffdllo"),
            (b"a=1&b=x+y&b=%C3%A9&c=", FORM, {"a": "1", "b": ["x y", "é"], "c": ""}),
            (b'{"a":"\xff"}', JSON, {"a": "\ufffd"}),
            (b'{"a":"\\ud800 \\ud83d\\ude00 \\udc00"}', JSON, {"a": "\ufffd \U0001f600 \ufffd"}),
            (b'{"a":Infinity}', JSON, {"a": float("inf")}),
            (b"password: hunter2", TEXT, f"password: {MASKED}"),
        ):
            with row(content):
                self.assertEqual(read(content, media_type), Body(value))
        found = read(stream, SSE)
        self.assertEqual((found.is_merged, found.is_truncated), (True, False))
        self.assertEqual(found.value["choices"][0]["message"], {"role": "assistant", "content": "a"})

    def test_nothing(self) -> None:
        """No body is none, of whatever type."""
        for media_type in (JSON, SSE, b"image/png", b""):
            self.assertEqual(read(b"", media_type), Body(), media_type)

    def test_left_out(self) -> None:
        """What is no text is left out, with its type and size."""
        for content, media_type, omitted in (
            (b"x", b"image/png", "binary (image/png, 1 bytes)"),
            (b"x", b"multipart/form-data", "multipart (multipart/form-data, 1 bytes)"),
            (b"\x89PNG\r\n\x00\x00", b"", "binary (unknown type, 8 bytes)"),
            (b"\xff\xfe\xfd\xfc\xfb", b"", "binary (unknown type, 5 bytes)"),
        ):
            with row(content, media_type):
                self.assertEqual(read(content, media_type), Body(omitted=omitted))

    def test_array(self) -> None:
        """Gemini's array of parts is a stream, any other array is none."""
        parts = [{"candidates": [{"content": {"parts": [{"text": each}]}}]} for each in "ab"]
        found = read(json.dumps(parts).encode())
        self.assertEqual(found.value, {"candidates": [{"content": {"parts": [{"text": "ab"}]}}]})
        self.assertTrue(found.is_merged)
        self.assertEqual(read(b'[{"a":1}]'), Body([{"a": 1}]))


class OtherwiseTests(SynchronousTestCase):
    """What a body is, is not what it says that it is."""

    def test_json(self) -> None:
        """JSON by another name is JSON: a path holds in it."""
        for media_type in (TEXT, FORM, b"", JSON):
            for begun in (b"", b" \n", b"\xef\xbb\xbf"):
                with row(media_type, begun):
                    found = read(begun + b'{"user":"jo"}', media_type, "$.user")
                    self.assertEqual(found, Body({"user": MARK}))

    def test_events(self) -> None:
        """Events by another name are a stream: what is said in pieces is found."""
        stream = b": hi\n\n" + b"".join(
            b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": each}}]}).encode()
            for each in ("jo@ex", "ample.com")
        )
        for media_type in (TEXT, b""):
            found = read(stream, media_type, "email")
            self.assertEqual(found.value["choices"][0]["message"]["content"], MARK, media_type)

    def test_lines(self) -> None:
        """So are documents of a line each that are called one document."""
        lines = b'{"response":"jo@ex","done":false}\n{"response":"ample.com","done":true}\n'
        self.assertEqual(read(lines, JSON, "email"), Body({"response": MARK, "done": True}, is_merged=True))
        self.assertEqual(read(lines, JSON, "$.response").value["response"], MARK)

    def test_wide(self) -> None:
        """In UTF-16 nothing would be found: it is left out."""
        for media_type in (TEXT, JSON, FORM):
            found = read("jo@example.com".encode("utf-16"), media_type, "email")
            self.assertTrue(found.omitted.startswith("binary"), media_type)

    def test_still_text(self) -> None:
        """A text that only begins like them stays one, unless something could not be found in it."""
        self.assertEqual(read(b"[1] a footnote", TEXT), Body("[1] a footnote"))
        self.assertEqual(read(b"{not} JSON", TEXT), Body("{not} JSON"))
        self.assertTrue(read(b"{not} JSON", TEXT, "$.user").omitted.startswith("unredactable"))


class CutTests(SynchronousTestCase):
    def test_json(self) -> None:
        """What was there of JSON that was cut is JSON, and what was cut amid a word is not shown."""
        whole = json.dumps({"user": "jo", "messages": [{"content": "this is my key sk-abcdefghijklmnop, keep it"}]})
        for at in range(1, len(whole)):
            with row(whole[:at]):
                found = read(whole[:at].encode(), is_whole=False, size=len(whole))
                self.assertTrue(found.is_truncated)
                self.assertNotIn("sk-", str(found.value))

    def test_text(self) -> None:
        """A text likewise: half a secret, or half a number, is not known by its look."""
        for text, shown in (
            (b"my key is sk-abc", "my key is"),
            (b"call +49 171 12", "call"),
            (b"4111 1111 11", ""),
            (b"write to jo@exa", "write to"),
            (b"h\xc3", ""),
        ):
            with row(text):
                self.assertEqual(read(text, TEXT, "phone", is_whole=False).value.rstrip(), shown)

    def test_character(self) -> None:
        """A character that was cut is left out."""
        self.assertEqual(read(b'{"a": "h\xc3', is_whole=False).value, {"a": ""})

    def test_form(self) -> None:
        """The last field of a form that was cut is left out."""
        self.assertEqual(read(b"a=1&b=secr", FORM, is_whole=False), Body({"a": "1"}, True))


class RedactedTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """Paths hold in JSON that was cut too; where there is no JSON, nothing is shown."""
        for content, media_type, whole, expected in (
            (b'{"user":"jo","a":1}', JSON, True, Body({"user": MARK, "a": 1})),
            (b'{"a":1,"user":"jo', JSON, False, Body({"a": 1, "user": MARK}, True)),
            (b'{"a":1,"user":{"name":"jo', JSON, False, Body({"a": 1, "user": MARK}, True)),
            (b"user=jo&a=1", FORM, True, Body({"user": MARK, "a": "1"})),
            (b"user: jo", TEXT, True, Body("user: jo")),
            (b"user: jo", JSON, True, Body(omitted="unredactable (no JSON for a path to be found in)")),
        ):
            with row(content):
                self.assertEqual(read(content, media_type, "$.user", is_whole=whole), expected)

    def test_merged(self) -> None:
        """In a stream what is said in pieces is found."""
        parts = ["to jo@ex", "ample", ".com sk-abcd", "efghijkl"]
        stream = b"".join(
            b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": each}}]}).encode()
            for each in parts
        )
        message = read(stream, SSE, "email").value["choices"][0]["message"]
        self.assertEqual(message["content"], f"to {MARK} {MASKED}")

    def test_too_slow(self) -> None:
        """An expression that does not end shows nothing."""
        found = read(b'{"a":"%b!"}' % (b"a" * 900), JSON, {"regex": "(a|aa)+$"})
        self.assertEqual(found, Body(omitted="redaction_timeout"))

    def test_deep(self) -> None:
        """What is nested too deeply shows nothing, whole or cut."""
        for depth in (900, 5000, 100_000):
            for content in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
                for cut in (content, content[: len(content) // 2 + 3]):
                    found = read(cut, JSON, "$.user", is_whole=cut is content, most=1 << 24)
                    self.assertIn(found.omitted[:8], ("too_deep", "unredact", ""), depth)
                    json.dumps(found.value)


class CodedTests(SynchronousTestCase):
    def test_codings(self) -> None:
        """Codings are undone, one over the other."""
        content = json.dumps({"a": "b" * 100}).encode()
        for codings, coded in (
            ((b"gzip",), gzip.compress(content)),
            ((b"deflate",), zlib.compress(content)),
            ((b"deflate", b"gzip"), gzip.compress(zlib.compress(content))),
        ):
            with row(codings):
                self.assertEqual(read(coded, codings=codings), Body({"a": "b" * 100}))

    def test_cut(self) -> None:
        """Of one that was cut there is what came out."""
        coded = zlib.compress(json.dumps({"a": [str(each) for each in range(2000)]}).encode())
        found = read(coded[: len(coded) // 2], codings=(b"deflate",), is_whole=False)
        self.assertTrue(found.is_truncated)
        self.assertEqual(found.value["a"][:2], ["0", "1"])

    def test_wrong(self) -> None:
        """What cannot be undone is left out, and says why."""
        for coded, codings, omitted in (
            (b"no gzip", (b"gzip",), "undecodable (broken content coding)"),
            (b"x", (b"sk-abcdefghijklmnop",), f"undecodable (content coding {MASKED})"),
            (b"x", (b"gzip",) * 4, "undecodable (content coding gzip, gzip, gzip, gzip)"),
        ):
            with row(codings):
                self.assertEqual(read(coded, codings=codings), Body(omitted=omitted))

    def test_bomb(self) -> None:
        """No more comes out than is kept, and in no time."""
        bomb = gzip.compress(gzip.compress(b"a " * 20_000_000))
        begun = time.perf_counter()
        found = read(bomb, TEXT, codings=(b"gzip", b"gzip"))
        self.assertLess(time.perf_counter() - begun, 5)
        self.assertTrue(found.is_truncated)
        self.assertLessEqual(len(found.value or ""), 100_000)
