"""Tests for L{llmproxy.core.inspection.forms}."""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.forms import LONGEST_NAME, MOST_FIELDS, inspect_query, inspection
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import LONGEST_VALUE, Whitelist
from llmproxy.errors import BadRequest, ParamNotAllowed

from ...properties import examples
from ...tables import row

MODEL = Whitelist.compile({"model": ["ok", "org/*", "a b"], "tags[]": ["x", "y"]})


class FormTests(SynchronousTestCase):
    def passes(self, body: bytes) -> None:
        finish(inspection(body, MODEL))

    def test_values(self) -> None:
        """A parameter is judged however its name and value are spelled."""
        for body in (b"model=ok", b"a=1&model=org%2Fx&b=", b"%6dodel=a+b", b"tags[]=x&tags%5B%5D=y", b"a=%00&a=2"):
            self.passes(body)
        for body in (
            b"model=evil",
            b"model=",
            b"a=1&%6Dodel=evil",
            b"Model=evil",
            b"model[]=evil",
            b"model[0]=evil",
            b"+model=evil",
            b"mode%E2%84%AA=1&mo_del=evil",
            b"model%00x=evil",
            b"tags[]=x&tags[]=z",
            b"model=" + b"%61" * (LONGEST_VALUE + 1),
            b"model=" + b"x" * 1_000_000,
        ):
            with row(body):
                self.assertRaises(ParamNotAllowed, self.passes, body)

    def test_model(self) -> None:
        """The model is known, whether a rule names it or not."""
        for whitelist in (MODEL, Whitelist.compile({"n": ["1"]})):
            self.assertEqual(finish(inspection(b"a=1&model=%6fk&n=1", whitelist)), "ok", whitelist)
            self.assertEqual(finish(inspection(b"a=1&n=1", whitelist)), "", whitelist)

    def test_twice(self) -> None:
        """The one server takes the first, the other the last."""
        for body in (b"model=ok&model=ok", b"model=ok&MODEL=ok", b"model=ok&model[]=ok"):
            with row(body):
                self.assertRaises(BadRequest, self.passes, body)

    def test_other_content(self) -> None:
        """What is JSON, or of another charset, is not a form because a media type says so."""
        for body in (
            b'{"model":"evil","x":"="}',
            b' {"a=":1,"model":"evil"}',
            b"\xef\xbb\xbf{=",
            b"\xef\xbb\xbfmodel=evil",
            "model=evil".encode("utf-16-le"),
            b"model=ok;model=evil",
            b"a=1;model=evil",
            b"model=%zz",
            b"mo%del=evil",
            b"model=%ff",
            b"a=\xff&model=ok",
            b"_charset_=utf-7&model=ok",
            b"%ff=1",
            b"a",
            b"=a",
            b"a=1&&b=2",
            b"a=1&",
            b"a" * (LONGEST_NAME + 1) + b"=1",
            b"a=1&" * MOST_FIELDS + b"b=1",
        ):
            with row(body):
                self.assertRaises(BadRequest, self.passes, body)

    def test_words(self) -> None:
        """Who lets curl say that JSON is a form learns what to say instead."""
        error = self.assertRaises(BadRequest, self.passes, b' {"model":"ok"}')
        self.assertIn("send application/json", error.description)

    @given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.text(max_size=9)), min_size=1, max_size=5))
    @settings(max_examples=examples(100), deadline=None)
    def test_encoded(self, pairs: list[tuple[str, str]]) -> None:
        """Whatever an encoder makes passes."""
        self.passes(urlencode([("x" + name, value) for name, value in pairs]).encode())


class QueryTests(SynchronousTestCase):
    def test_values(self) -> None:
        """A query is judged as a form is, but what no rule names may be written in any way."""
        for query in (b"", b"model=ok", b"a;b&c=%zz&\xff=1&{}=&model=ok&", b"a=1&a=2", b"tags[]=x&tags[]=y"):
            inspect_query(query, MODEL)
        for query in (b"model=evil", b"model", b"x=1;model=evil", b"%6dodel=evil", b"MODEL[]=evil", b"tags[]=z"):
            with row(query):
                self.assertRaises(ParamNotAllowed, inspect_query, query, MODEL)
        for query in (b"model=ok&model=ok", b"model=ok;model=ok", b"model=ok&x=1;model=ok", b"model=%", b"model=%ff"):
            with row(query):
                self.assertRaises((BadRequest, ParamNotAllowed), inspect_query, query, MODEL)
