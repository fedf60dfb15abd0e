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


class Search(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 5
    project: str = msgspec.field(default="", name="projectId")
    active: bool | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str = "none"


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

    @settings(max_examples=200, deadline=None)
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
            self.assertEqual(read, meant)

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
