"""Tests for L{llmproxy.core.inspection.wholejson}: what it finds at once is what is found in order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.charset import check_utf8
from llmproxy.core.inspection.jsonbody import MOST_NESTED, in_order, inspection
from llmproxy.core.inspection.jsongrammar import LONGEST_BLANK, LONGEST_NAME, LONGEST_NUMBER
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import EACH, Whitelist
from llmproxy.core.inspection.wholejson import LONGEST, members_of
from llmproxy.errors import BadRequest, ProxyError

from ...properties import examples
from ...tables import row

RULES = Whitelist.compile(
    {"model": ["ok", "1"], "user_name": ["*"], ("format", "type"): ["text"], ("list", EACH, "model"): ["ok"]}
)

AT_ONCE: tuple[Any, ...] = (
    {},
    {"model": "ok"},
    {"model": 1},
    {"model": 2},
    {"model": "evil", "x": 1},
    {"Model": "evil"},
    {"mo_del": "ok", "model": "ok"},
    {"model": ["ok"]},
    {"model": None},
    {"format": {"type": "text"}, "model": "ok"},
    {"format": {"type": "other"}},
    {"format": {"Type": "text", "type": "text"}},
    {"format": ["text"]},
    {"format": "text"},
    {"list": [{"model": "ok"}, {"model": "evil"}]},
    {"list": {"model": "evil"}},
    {"user-name": {"any": ["thing"]}},
    {"": 1, " ": 2, "\x7f": 3, "\u00e4\u20ac": "\u00e4\u20ac"},
    {"messages": [{"role": "user", "content": "[{" * 2}] * 3000},
    {"image": "5" * 200 + "data:image/png;base64," + "A1b2" * 200_000},
    {"deep": {"a": [[[[{"b": [{}]}]]]]}},
)
"""As libraries write it."""

OTHERWISE: tuple[bytes, ...] = (
    b"",
    b"[]",
    b"1",
    b'"model"',
    b"{",
    b"{} ",
    b" {}",
    b'{"model":"ok",}',
    b'{"model":"ok" }',
    b'{"model" :"ok"}',
    b'{"model":  "ok"}',
    b'{"model":"ok", "x":1}',
    b'{"model": "ok","x": 1}',
    b'{"model":"ok"}{}',
    b'{"model":"ok"},',
    b'{"model":"ok","model":"ok"}',
    b'{"x":1,"model":"evil","model":"ok"}',
    b'{"model":"ok","x":1,"x":2}',
    b'{"m\\u006fdel":"evil"}',
    b'{"model":"ok","m\\u006fdel":"evil"}',
    b'{"\\"":1}',
    b'{"\\ud800":1}',
    b'{"\\ud800\\u0041":1}',
    b'{"\\ud83d\\ude00":1}',
    b"{'model':1}",
    b'{"a":"\xff"}',
    b'{"a":01}',
    b'{"a":+1}',
    b'{"a":.5}',
    b'{"a":5.}',
    b'{"a":1e}',
    b'{"a":NaN}',
    b'{"a":"\n"}',
    b'{"a":"\\x"}',
    b'{"a":[1,]}',
    b'{"a":tru}',
    b'{"a":{"b" 1}}',
    b'{"a":/**/1}',
    b'{"a":1}\x00',
    b'{"%b":1}' % (b"x" * (LONGEST_NAME + 1)),
    b'{"a":%b}' % (b"1" * (LONGEST_NUMBER // 2 + 2)),
    b'{"a":[0,-%b]}' % (b"1" * (LONGEST_NUMBER // 2 + 2)),
    b'{"a":1.%b}' % (b"1" * (LONGEST_NUMBER // 2 + 1)),
    b'{"a":1e%b}' % (b"1" * (LONGEST_NUMBER // 2 + 1)),
    b'{"a":[1,%b2]}' % (b" " * (LONGEST_BLANK + 1)),
    b'{"a":[1%b,2]}' % (b"\t\n\r " * (LONGEST_BLANK // 4 + 1)),
    b'{"a":%b1%b}' % (b"[" * (MOST_NESTED + 1), b"]" * (MOST_NESTED + 1)),
    b'{"a":[0,%b1%b]}' % (b"[" * MOST_NESTED, b"]" * MOST_NESTED),
    b'{"a":%b1%b}' % (b'{"b":' * (MOST_NESTED + 1), b"}" * (MOST_NESTED + 1)),
    b'{"a":[%b0]}' % (b"[]," * 300_000),
    b'{"a":"%b"}' % (b"x" * LONGEST),
    b"{%b}" % b",".join(b'"%d":1' % number for number in range(20_001)),
)
"""Malformed, ambiguous, near a bound, or written as hardly any library does."""

STYLES: tuple[dict[str, Any], ...] = ({}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"indent": 1})


def outcome(body: bytes, read: Any) -> tuple[str, str]:
    """The model, or what is wrong."""
    try:
        return "model", finish(read(body, RULES.root))
    except ProxyError as error:
        return type(error).__name__, f"{error.message} {error.description}"


class WholeJsonTests(SynchronousTestCase):
    def agrees(self, body: bytes) -> None:
        """What is found at once is found in order; a body that is not UTF-8 comes to neither."""
        try:
            finish(check_utf8(body))
        except BadRequest:
            return
        self.assertEqual(outcome(body, inspection), outcome(body, in_order))

    def test_at_once(self) -> None:
        """What libraries write is found so, and says the same as when it is read in order."""
        for value in AT_ONCE:
            for style in ({"separators": (",", ":")}, {}):
                for ascii in (True, False):
                    body = json.dumps(value, ensure_ascii=ascii, **style).encode()
                    with row(body[:80]):
                        if ascii and not all(name.isascii() for name in value):
                            self.assertIsNone(members_of(body))
                        else:
                            members = members_of(body)
                            assert members is not None
                            self.assertEqual({name: json.loads(each) for name, each in members.items()}, value)
                        self.agrees(body)

    def test_otherwise(self) -> None:
        """Anything else is left to who reads in order."""
        for body in OTHERWISE:
            with row(body[:80]):
                if b"\xff" not in body:
                    self.assertIsNone(members_of(body))
                self.agrees(body)

    def test_bounds(self) -> None:
        """What is within the bounds is taken either way, also where it has to be read in order."""
        for value in (
            b"1" * (LONGEST_NUMBER // 2),
            b"1e" + b"1" * (LONGEST_NUMBER // 2),
            b"[" * MOST_NESTED + b"]" * MOST_NESTED,
            b"[0" + b" " * LONGEST_BLANK + b"]",
            b'"' + b"1" * 100_000 + b'"',
            b'"' + b" " * 100_000 + b'"',
            b'"' + b"[" * 100_000 + b'"',
        ):
            with row(value[:20]):
                self.assertEqual(outcome(b'{"model":"ok","a":%b}' % value, inspection), ("model", "ok"))
                self.agrees(b'{"model":"ok","a":%b}' % value)

    _names = st.sampled_from(
        ["model", "Model", "mo_del", "m\u017fdel", "format", "list", "user_name", "x", "y", "\u00e4"]
    )
    _values = st.recursive(
        st.sampled_from(["ok", "evil", "text", "", 1, 2, 1.5, True, None, "\U0001f600", "[{", 10**600]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "model", "x"]), inner),
        max_leaves=12,
    )

    @given(st.lists(st.tuples(_names, _values), max_size=5), st.sampled_from(STYLES))
    @settings(max_examples=examples(1500), deadline=None)
    def test_any(self, pairs: list[tuple[str, Any]], style: dict[str, Any]) -> None:
        """Names may stand twice, and everything is written in one of four ways."""
        between, colon = style.get("separators", (", ", ": "))
        said = [f"{json.dumps(name, **style)}{colon}{json.dumps(value, **style)}" for name, value in pairs]
        self.agrees(("{" + between.join(said) + "}").encode("utf-8", "surrogatepass"))

    @given(st.lists(st.tuples(_names, _values), max_size=4), st.integers(0, 300), st.binary(min_size=1, max_size=2))
    @settings(max_examples=examples(1500), deadline=None)
    def test_damaged(self, pairs: list[tuple[str, Any]], at: int, put: bytes) -> None:
        """A byte or two are others."""
        body = bytearray(json.dumps(dict(pairs), separators=(",", ":"), ensure_ascii=False).encode())
        at %= len(body)
        body[at : at + len(put)] = put
        self.agrees(bytes(body))

    @given(st.text(alphabet='{}[]":,\\ \n01eE+-.model', max_size=40))
    @settings(max_examples=examples(1500), deadline=None)
    def test_fragments(self, text: str) -> None:
        self.agrees(('{"model":"ok"' + text).encode())
        self.agrees(("{" + text + "}").encode())
