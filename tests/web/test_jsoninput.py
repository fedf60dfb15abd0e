"""What is asked of an API of JSON, read and checked; whole requests are in L{tests.web.test_jsonresource}."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import BadRequest, ContentTooLarge, ProxyError, UnsupportedMediaType
from llmproxy.web.jsoninput import content_of, query_of
from llmproxy.web.operations import Call, NoQuery, Operation

from ..properties import examples


class Search(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 5
    project: str = msgspec.field(default="", name="projectId")
    active: bool | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str = "none"
    uses: int | None = None
    tags: dict[str, str] = {}


class Request:
    def __init__(self, content: bytes | None, content_type: str | bytes | None = None) -> None:
        self.content = None if content is None else io.BytesIO(content)
        self._content_type = content_type

    def getHeader(self, name: bytes) -> Any:
        assert name == b"content-type"
        return self._content_type


async def _respond(call: Call) -> None:
    return None


class QueryTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A parameter goes by the name that the document gives it, and is decoded once."""
        self.assertEqual(query_of(b"/x?projectId=a%2520b+c&active=1", Search), Search(5, "a%20b c", True))
        self.assertRaises(BadRequest, query_of, b"/x?project=a", Search)

    def test_none(self) -> None:
        """What takes no parameters refuses them all."""
        self.assertEqual(query_of(b"/x?", NoQuery), NoQuery())
        self.assertRaises(BadRequest, query_of, b"/x?a=1", NoQuery)

    @settings(max_examples=examples(200), deadline=None)
    @given(st.binary(max_size=60))
    def test_anything(self, query: bytes) -> None:
        """Whatever is sent is understood or refused as a bad request, and nothing else."""
        try:
            self.assertIsInstance(query_of(b"/x?" + query, Search), Search)
        except BadRequest:
            pass


class ContentTests(SynchronousTestCase):
    def read(self, content: bytes | None, kind: str | bytes | None = None, **more: Any) -> Any:
        try:
            return content_of(Request(content, kind), Operation(_respond, Body, **more), 64)
        except ProxyError as error:
            return type(error)

    def test_table(self) -> None:
        """Bytes and what they say; what is too long, of another kind, or not what is wanted, is told apart."""
        named = b'{"name": "x"}'
        for read, meant in (
            (self.read(named), (named, Body("x"))),
            (self.read(named, b"application/json; charset=utf-8"), (named, Body("x"))),
            (self.read(b""), BadRequest),
            (self.read(None), BadRequest),
            (self.read(b"", may_be_empty=True), (b"", Body())),
            (self.read(b"", "text/plain", may_be_empty=True), (b"", Body())),
            (self.read(b" " * 65), ContentTooLarge),
            (self.read(named, "text/plain"), UnsupportedMediaType),
            (self.read(b"x", "text/plain", may_be_empty=True), UnsupportedMediaType),
        ):
            self.assertEqual(read, meant, (read, meant))

    def test_unwanted(self) -> None:
        """The content of what takes none is not looked at."""
        self.assertEqual(content_of(Request(b"x" * 99, "text/plain"), Operation(_respond), 64), (b"", None))

    def test_value(self) -> None:
        """A refusal names the place and never what stood there."""
        try:
            content_of(Request(b'{"name": ["sk-canary"]}'), Operation(_respond, Body), 64)
        except BadRequest as error:
            self.assertEqual(error.description, "Expected `str`, got `array` - at `$.name`")
        else:
            self.fail("it was accepted")

    def refused(self, content: bytes) -> str:
        with self.assertRaises(BadRequest) as caught:
            content_of(Request(content), Operation(_respond, Body), 1024)
        return caught.exception.description

    def test_members_that_stand_twice(self) -> None:
        """Readers differ in which one they take, so neither is taken, however the name is spelt and wherever it is."""
        for content, name in (
            (b'{"name": "a", "name": "b"}', "name"),
            (b'{"name": "a", "n\\u0061me": "a"}', "name"),
            (b'{"tags": {"t": "1", "u": "2", "t": "1"}}', "t"),
            (b'{"name": {"deep": [{"x": 1, "x": 1}]}}', "x"),
            (b'{"": 1, "": 1}', ""),
        ):
            self.assertEqual(self.refused(content), f"the member {name!r} stands twice in one object", (content, name))

    def test_whole_numbers(self) -> None:
        """JSON has one kind of number: an integer may be written with a point or an exponent."""
        for text, uses in (
            (b"101263.0", 101263),
            (b"1e3", 1000),
            (b"-0.0", 0),
            (b"12.50e2", 1250),
            (b"7", 7),
        ):
            content = b'{"uses": %b}' % text
            self.assertEqual(
                content_of(Request(content), Operation(_respond, Body), 64)[1], Body(uses=uses), (text, uses)
            )

    def test_other_numbers(self) -> None:
        """What is no integer, or none that every reader keeps, is refused for what it is."""
        for text in (
            b"1.5",
            b"1e400",
            b"1e-400",
            b"1e-99999999999999999999",
            b"1.0000000000000000000001",
            b"NaN",
            b"Infinity",
            b"1" * 900,
            b"1e999999999",
        ):
            self.refused(b'{"uses": %b}' % text)

    def test_no_json(self) -> None:
        for content in (
            b"",
            b"{",
            b'{"name": "\\ud800"}',
            b"\xff{}",
            b"\xef\xbb\xbf{}",
            b"{}x",
            b"[" * 1000,
            b'{"uses": 01}',
        ):
            self.assertTrue(self.refused(content), content)

    @settings(max_examples=examples(200), deadline=None)
    @given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE-ntu\\\\', max_size=60).map(str.encode))
    def test_anything(self, content: bytes) -> None:
        """Whatever is sent is understood or refused as a bad request, and nothing else."""
        try:
            self.assertIsInstance(content_of(Request(content), Operation(_respond, Body), 64)[1], Body)
        except BadRequest as error:
            error.description.encode()
