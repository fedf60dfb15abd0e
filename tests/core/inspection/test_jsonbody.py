"""Tests for L{llmproxy.core.inspection.jsonbody}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.jsonbody import MOST_NESTED, in_order, inspection
from llmproxy.core.inspection.jsongrammar import LONGEST_BLANK, LONGEST_NAME
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import EACH, Whitelist
from llmproxy.errors import BadRequest, ParamNotAllowed, ProxyError

from ...properties import examples

MODEL = Whitelist.compile({"model": ["ok", "1"]})
BATCH = Whitelist.compile({("requests", EACH, "params", "model"): ["ok"], ("session", "model"): ["ok"]})


class JsonCase(SynchronousTestCase):
    whitelist = MODEL

    def passes(self, body: bytes) -> None:
        finish(inspection(body, self.whitelist.root))

    def refuses(self, kind: type[ProxyError], body: bytes, words: str = "") -> None:
        error: ProxyError = self.assertRaises(kind, self.passes, body)
        self.assertIn(words, error.message + error.description)


class NameTests(JsonCase):
    def test_folded(self) -> None:
        """A member that any reader takes for the parameter is judged as the parameter."""
        for name in ("MODEL", "Model", "m\\u006fdel", "MODE\\u004c", "mo_del", "model\\u0000x"):
            self.refuses(ParamNotAllowed, b'{"%b":"evil"}' % name.encode())
            self.refuses(BadRequest, b'{"model":"ok","%b":"ok"}' % name.encode(), "twice")
            self.passes(b'{"%b":"ok"}' % name.encode())

    def test_others_repeat(self) -> None:
        """Only what a rule names must not stand twice."""
        self.passes(b'{"a":1,"a":2,"model":"ok","b":{"model":"x","model":"y"}}')


class ValueTests(JsonCase):
    def test_spelled(self) -> None:
        """A value is what it says; a number as it is spelled."""
        for value in (b'"ok"', b'"\\u006fk"', b"1", b'"1"'):
            self.passes(b'{"a":[{}],"model": %b }' % value)
        for value in (b"1.0", b"-1", b"null", b"true", b"{}", b'["ok"]', b'"ok\\n"', b'""', b'"%b"' % (b"ok" * 9999)):
            self.refuses(ParamNotAllowed, b'{"model":%b}' % value)

    def test_surrogates(self) -> None:
        """Half a character is the client's fault; a pair is one character."""
        for value in ("\\ud800", "\\udc00", "ok\\ud83d", "\\ude00\\ud83d"):
            self.refuses(BadRequest, b'{"model":"%b"}' % value.encode(), "Unicode")
        self.refuses(ParamNotAllowed, b'{"model":"\\ud83d\\ude00"}')
        self.passes(b'{"other":"\\ud800"}')

    def test_anything(self) -> None:
        """A star alone takes objects and arrays too."""
        whitelist = Whitelist.compile({"a": ["*"]})
        for value in (b'{"b":[1]}', b"[[]]", b"null", b"1e5", b'"%b"' % (b"x" * 9999)):
            finish(inspection(b'{"a":%b}' % value, whitelist.root))


class ModelTests(JsonCase):
    def test_named(self) -> None:
        """The model is known by its name at the top, whether a rule names it or not."""
        for whitelist in (MODEL, BATCH):
            for value, model in ((b'"ok"', "ok"), (b' "\\u006fk" ', "ok"), (b"1", "")):
                body = b'{"a":{"model":"x"},"model":%b,"session":{"model":"ok"}}' % value
                self.assertEqual(finish(inspection(body, whitelist.root)), model, (value, model))
        for value in (b'{"a":1}', b'"%b"' % (b"x" * 9999), b"[]", b'"\\ud800"', b"null"):
            self.assertEqual(finish(inspection(b'{"model":%b}' % value, BATCH.root)), "", value)


class PathTests(JsonCase):
    whitelist = BATCH

    def test_deeper(self) -> None:
        """Every element of an array is looked at, and nothing beside the path."""
        for body in (
            b"{}",
            b'{"requests":[],"session":null}',
            b'{"requests":[{"params":{"model":"ok"}},{"params":{}},{}],"model":"x"}',
            b'{"session":{"model":"ok","x":{"model":"evil"}}}',
        ):
            self.passes(body)
        for body in (
            b'{"requests":[{"params":{"model":"ok"}},{"params":{"model":"evil"}}]}',
            b'{"Requests":[{"PARAMS":{"Model":"evil"}}]}',
            b'{"session":{"model":["ok"]}}',
        ):
            self.refuses(ParamNotAllowed, body)

    def test_other_shapes(self) -> None:
        """Where the shape is not the one that is known, the parameter could stand anywhere."""
        for body in (
            b'{"requests":{"0":{"params":{"model":"ok"}}}}',
            b'{"session":[{"model":"ok"}]}',
            b'{"session":{},"session":{}}',
        ):
            self.refuses(BadRequest, body)
        for value in (b'"[]"', b"1", b"null", b"true"):
            self.passes(b'{"requests":%b,"session":%b}' % (value, value))

    def test_array_at_the_top(self) -> None:
        """A document that is an array is read where a rule looks into one."""
        whitelist = Whitelist.compile({(EACH, "model"): ["ok"]})
        finish(inspection(b'[{"model":"ok"},{}]', whitelist.root))
        self.assertRaises(ParamNotAllowed, finish, inspection(b'[{},{"model":"x"}]', whitelist.root))
        self.assertRaises(BadRequest, finish, inspection(b"{}", whitelist.root))


class MalformedTests(JsonCase):
    def test_words(self) -> None:
        """The client learns what is wrong, and where."""
        for body, words in (
            (b'\xef\xbb\xbf{"model":"ok"}', "byte order mark"),
            ('{"model":"ok"}'.encode("utf-16"), "UTF-16"),
            ('{"model":"ok"}'.encode("utf-16-le"), "not valid JSON"),
            ('{"model":"ok"}'.encode("utf-32-le"), "not valid JSON"),
            (b'{"a":"\xff"}', "not UTF-8 (byte 6)"),
            (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
            (b'{"model":ok}', "(byte 9)"),
            (b"[]", "not a JSON object"),
            (b'{"a":%b}' % (b"[" * 99_999), "too deeply"),
            (b'{"%b":1}' % (b"x" * (LONGEST_NAME + 1)), "a name"),
            (b'{"a":%b1}' % (b" " * 2 * LONGEST_BLANK), "white space"),
        ):
            self.refuses(BadRequest, body, words)

    def test_not_the_grammar(self) -> None:
        """What some readers take and others do not is refused, at any depth."""
        for text in (
            *(b"[1,]", b'{"a":1,}', b"[,1]", b"[1 2]", b"NaN", b"Infinity", b"-", b"01", b"1.", b".5", b"+1", b"0x1"),
            *(b"1e", b"'a'", b'"\n"', b'"\x00"', b'"\\x41"', b'"\\u12"', b'"\\', b'"', b"tru", b"True", b"nul"),
            *(
                b"/**/1",
                b"1//",
                b"[1}",
                b'{"a":1]',
                b'{"a" 1}',
                b'{"a"}',
                b"{1:2}",
                b"{a:1}",
                b"]",
                b"\x0c1",
                b"\xc2\xa01",
            ),
        ):
            for around in (b'{"a":%b}', b'{"a":[%b]}', b'{"a":[[[[[%b]]]]]}', b'{"a":[{"b":%b}],"model":"ok"}'):
                self.refuses(BadRequest, around % text)
        for body in (b"", b" ", b"{} {}", b"{}x", b"{}\0", b'{"a":1', b'{"a":1,', b"{"):
            self.refuses(BadRequest, body)


def _values() -> st.SearchStrategy[Any]:
    simple = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        simple | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
        max_leaves=30,
    )


class AgreementTests(JsonCase):
    """The standard library's parser, strict, is what this reader is compared with."""

    @given(st.dictionaries(st.text(max_size=5), _values(), max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
    @settings(max_examples=examples(150), deadline=None)
    def test_documents(self, document: dict[str, Any], indent: Any, escaped: bool) -> None:
        """Every document passes, however it is written."""
        self.passes(json.dumps({"x": document, "model": "ok"}, indent=indent, ensure_ascii=escaped).encode())

    @given(
        st.lists(st.sampled_from('[]{}:," \n\\01-.eEtrunfalsé"model"ok'), max_size=12).map("".join), st.integers(0, 9)
    )
    @settings(max_examples=examples(500), deadline=None)
    def test_fragments(self, text: str, depth: int) -> None:
        """Both take the same for JSON, at any depth."""
        self._agree(('{"x":' + "[" * depth + text + "]" * depth + "}").encode())

    @given(_values(), st.integers(0, 200), st.sampled_from(list(b'[]{}:," \\0x')))
    @settings(max_examples=examples(300), deadline=None)
    def test_one_byte_changed(self, value: Any, at: int, byte: int) -> None:
        """Both notice the same damage."""
        body = bytearray(json.dumps({"x": value}).encode())
        body[at % len(body)] = byte
        self._agree(bytes(body))

    def _agree(self, body: bytes) -> None:
        try:
            expected = type(json.loads(body, parse_constant=_no_constant)) is dict
        except ValueError:
            expected = False
        try:
            self.passes(body)
            found = True
        except BadRequest:
            found = False
        self.assertEqual(found, expected, body)


def _no_constant(name: str) -> None:
    raise ValueError(name)


class DepthTests(JsonCase):
    def test_bound(self) -> None:
        """As deep as the bound, and no deeper."""
        self.passes(b'{"a":' + b"[" * MOST_NESTED + b"]" * MOST_NESTED + b"}")
        deeper = MOST_NESTED + 4
        self.refuses(BadRequest, b'{"a":' + b"[" * deeper + b"]" * deeper + b"}")


class SliceTests(JsonCase):
    def test_slices(self) -> None:
        """However a document is made that is read in order, a slice passes over no more than a bounded part of it."""
        for item in (
            b"[],",
            b"[[[[[0]]]]],",
            b'"\\n",',
            b'{"":{}},',
            b'"%b",' % (b"x" * 70_000),
            b"1,",
            b'["\\u0000", {}],',
        ):
            body = b'{"a":[' + item * (1_000_000 // len(item)) + b"0]}"
            self.assertGreater(sum(1 for _ in in_order(body, MODEL.root)), 10, item)
        body = b'{"a":0' + b',"a":0' * 60_000 + b"}"
        self.assertGreater(sum(1 for _ in in_order(body, MODEL.root)), 100)
