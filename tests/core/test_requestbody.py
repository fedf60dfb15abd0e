"""Tests for L{llmproxy.core.requestbody}."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.contenttype import MediaType, media_type
from llmproxy.core.inspection.folding import member
from llmproxy.core.inspection.forms import MOST_FIELDS
from llmproxy.core.inspection.whitelist import LONGEST_VALUE, Whitelist
from llmproxy.core.requestbody import inspect, inspect_query
from llmproxy.errors import BadRequest, ParamNotAllowed, ProxyError, UnsupportedMediaType

from ..properties import examples
from ..tables import row

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=xYz"


def rules(**patterns: list[str]) -> Whitelist:
    return Whitelist.compile(patterns)


MODELS = rules(model=["gpt-4o", "gpt-4o-*", "org/*"], n=["1", "2"], stream=["true"])


def part(name: str, value: str, more: str = "", filename: str = "") -> bytes:
    extra = f'; filename="{filename}"' if filename else ""
    return f'--xYz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n{more}\r\n{value}\r\n'.encode()


def kind(content_type: bytes | None) -> MediaType:
    return media_type([] if content_type is None else [content_type])


class InspectCase(SynchronousTestCase):
    def passes(self, content_type: bytes | None, body: bytes) -> None:
        inspect(kind(content_type), body, MODELS)

    def refuses(self, refusal: type[ProxyError], content_type: bytes | None, body: bytes) -> ProxyError:
        error: ProxyError = self.assertRaises(refusal, lambda: inspect(kind(content_type), body, MODELS))
        return error


class JsonTests(InspectCase):
    def test_allowed(self) -> None:
        """Listed values pass, also behind a slash; a parameter that is absent passes too."""
        for body in (
            b'{"model":"gpt-4o"}',
            b'{"model":"gpt-4o-mini"}',
            b'{"model":"org/a/b"}',
            b'{"\\u006dodel":"gpt-4o"}',
            b"{}",
            b'{"messages":[{"model":"evil"}],"other":1}',
            b'{"n":1,"stream":true}',
            b'{"a":{"b":1,"b":2}}',
        ):
            self.passes(JSON, body)

    def test_refused(self) -> None:
        """Any other value is refused, of whatever type."""
        for body in (
            b'{"model":"gpt-5"}',
            b'{"model":"gpt-4o "}',
            b'{"\\u006dodel":"gpt-5"}',
            b'{"model":""}',
            b'{"model":null}',
            b'{"model":4}',
            b'{"model":["gpt-4o"]}',
            b'{"model":{"gpt-4o":1}}',
            b'{"n":3}',
            b'{"n":1.0}',
            b'{"n":1e0}',
            b'{"stream":false}',
            json.dumps({"model": "gpt-4o-" + "x" * LONGEST_VALUE}).encode(),
        ):
            self.refuses(ParamNotAllowed, JSON, body)

    def test_words(self) -> None:
        """The client is told the parameter, the value and what is allowed, as by the reference."""
        error = self.refuses(ParamNotAllowed, JSON, b'{"model":"gpt-5"}')
        self.assertEqual(
            error.message,
            "Parameter 'model' value 'gpt-5' is not allowed. Allowed patterns: [gpt-4o gpt-4o-* org/*]",
        )
        self.assertEqual((error.status, error.code), (400, "param_not_allowed"))

    def test_long_value(self) -> None:
        """A long value is told in part."""
        error = self.refuses(ParamNotAllowed, JSON, json.dumps({"model": "x" * 10_000}).encode())
        self.assertLess(len(error.message), 300)

    def test_media_types(self) -> None:
        """JSON is recognised however its media type is written."""
        for content_type in (
            b"application/json; charset=utf-8",
            b'Application/JSON;charset="UTF-8"',
            b"application/vnd.api+json",
            b"text/json",
            None,
        ):
            self.passes(content_type, b'{"model":"gpt-4o"}')
            self.refuses(ParamNotAllowed, content_type, b'{"model":"gpt-5"}')

    def test_other_media_types(self) -> None:
        """A body that cannot be checked is refused, an empty one has nothing to check."""
        for content_type in (
            b"text/plain",
            b"application/octet-stream",
            b"application/json; charset=utf-7",
        ):
            self.refuses(UnsupportedMediaType, content_type, b'{"model":"gpt-4o"}')
            self.passes(content_type, b"")

    def test_ambiguous(self) -> None:
        """What parsers could read in two ways is refused."""
        for body in (
            b'{"model":"gpt-4o","model":"gpt-4o"}',
            b'{"model":"gpt-4o","m\\u006fdel":"gpt-5"}',
            b'{"model":"gpt-4o"',
            b'{"model":"gpt-4o"}{}',
            b'\xef\xbb\xbf{"model":"gpt-4o"}',
            b'{"a":NaN}',
            b'{"a":"\xff"}',
            b"[]",
            b'[{"model":"gpt-4o"}]',
            b'"model"',
            b"1",
            b"[" * 200_000,
            '{"model":"gpt-4o"}'.encode("utf-16"),
        ):
            self.refuses(BadRequest, JSON, body)
        self.refuses(BadRequest, b"application/json; charset=utf-8; charset=utf-16", b"{}")

    @given(
        st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.none() | st.text(max_size=9) | st.floats(allow_nan=False, allow_infinity=False),
                lambda inner: st.lists(inner, max_size=4),
                max_leaves=10,
            ),
        )
    )
    @settings(max_examples=examples(50), deadline=None)
    def test_any_object(self, document: dict[str, object]) -> None:
        """An object without the parameters passes, whatever else it holds."""
        others = {name: value for name, value in document.items() if member(name) not in MODELS.root.members}
        self.passes(JSON, json.dumps(others, allow_nan=False).encode())


class FormTests(InspectCase):
    def test_values(self) -> None:
        """Forms are checked as JSON is; every value of a repeated name."""
        self.passes(FORM, b"model=gpt%2D4o&prompt=a+b")
        self.passes(FORM, b"tag=a&tag=b&model=gpt-4o")
        self.refuses(ParamNotAllowed, FORM, b"model=gpt-5")
        self.refuses(ParamNotAllowed, FORM, b"%6dodel=gpt-5")
        self.refuses(BadRequest, FORM, b"model=gpt-4o&model=gpt-4o")
        self.refuses(ParamNotAllowed, FORM, b"model=")

    def test_malformed(self) -> None:
        """A form that is none, or has too many fields, is refused."""
        self.refuses(BadRequest, FORM, b"\xff=1")
        self.refuses(BadRequest, FORM, b"a=1&" * (MOST_FIELDS + 1))


class MultipartTests(InspectCase):
    def test_values(self) -> None:
        """The fields of an upload are checked, its files are not read."""
        file = part("file", "--anything--\r\n\x00", filename="a.mp3")
        self.passes(MULTIPART, file + part("model", "gpt-4o") + b"--xYz--\r\n")
        self.passes(MULTIPART, part("tags[]", "a") + part("tags[]", "b") + b"--xYz--")
        self.refuses(ParamNotAllowed, MULTIPART, file + part("model", "gpt-5") + b"--xYz--\r\n")
        self.refuses(BadRequest, MULTIPART, part("model", "gpt-4o") + part("model", "gpt-4o") + b"--xYz--\r\n")

    def test_disguises(self) -> None:
        """A name is checked however it is written, and a file is no value."""
        end = b"--xYz--\r\n"
        for body in (
            part("model", "gpt-4o", filename="x"),
            part("%6dodel", "gpt-5"),
            part("x", "1").replace(b'name="x"', b"name=model"),
            part("Model", "gpt-5"),
        ):
            self.refuses(ParamNotAllowed, MULTIPART, body + end)

    def test_ambiguous(self) -> None:
        """What another parser could read as other fields is refused."""
        end = b"--xYz--\r\n"
        good = part("a", "b")
        for body in (
            b"",
            good,
            b"preamble\r\n" + good + end,
            good.replace(b"--xYz\r\n", b"--xYzz\r\n") + end,
            good + end + good + end,
            part("a", 'b\n--xYz\nContent-Disposition: form-data; name="model"\n\ngpt-5') + end,
            part("a", 'b\r--xYz\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-5') + end,
            part("a", "b", "Content-Disposition: form-data; name=model\r\n") + end,
            part("a", "b", "Content-Transfer-Encoding: base64\r\n") + end,
            part("a", "b", " folded: x\r\n") + end,
            part("mo\\del", "b") + end,
            good.replace(b'name="a"', b"name*=utf-8''model") + end,
            good.replace(b'name="a"', b'name="a"; name="model"') + end,
            good.replace(b'; name="a"', b"") + end,
            b"--xYz\r\nno head" + b"\r\n" + end,
            good * (MOST_FIELDS + 1) + end,
        ):
            if body:
                self.refuses(BadRequest, MULTIPART, body)
        self.refuses(BadRequest, b"multipart/form-data", good + end)

    @given(st.binary(max_size=50))
    @settings(max_examples=examples(50), deadline=None)
    def test_any_bytes(self, data: bytes) -> None:
        """No body makes the check itself fail."""
        for body in (data, part("a", "b") + data, b"--xYz\r\n" + data + b"\r\n--xYz--"):
            for content_type in (JSON, FORM, MULTIPART):
                try:
                    inspect(kind(content_type), body, MODELS)
                except ProxyError:
                    pass


class QueryTests(SynchronousTestCase):
    def test_values(self) -> None:
        """A parameter in the query is checked as one in the body; others are nobody's business."""
        inspect_query(b"", MODELS)
        inspect_query(b"model=gpt-4o&x=%ff&y&&", MODELS)
        for query in (
            b"model=gpt-5",
            b"a=1&mo%64el=gpt-5",
            b"model",
            b"a=1;model=gpt-5",
            b"MODEL=gpt-5",
            b"model[]=gpt-5",
        ):
            with row(query):
                self.assertRaises(ParamNotAllowed, inspect_query, query, MODELS)
        self.assertRaises(BadRequest, inspect_query, b"model=gpt-4o&model=gpt-4o", MODELS)
