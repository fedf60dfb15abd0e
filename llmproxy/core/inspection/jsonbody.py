"""
A reader of JSON that looks for the parameters of a whitelist, and passes over all else.

By RFC 8259 to the letter, in UTF-8: what is not by the grammar is refused, because readers that take it differ in what
they make of it. Nothing is built of what no rule names, so that the memory a document takes is its own size; and
every slice is short, which no parser in C can offer: none gives back the interpreter before its end.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping

from ...errors import BadRequest
from ..models import LONGEST, named
from . import jsongrammar as grammar
from .charset import check_utf8
from .folding import member
from .steps import SLICE, Steps
from .whitelist import LONGEST_VALUE, SHOWN, Kind, Node, repeated
from .wholejson import members_of

MOST_NESTED = 256
"""Arrays and objects within each other; readers with a stack end between 128 and 10,000."""

_WINDOW = 16 * 1024
"""Bytes in which a value is looked for that can be passed over at once; a longer one is read piece by piece."""

_LONGEST_SPELLED = 6 * LONGEST_VALUE
"""Bytes of a value's spelling that is decoded: each character can be an escape of six."""

_LONGEST_MODEL = 6 * LONGEST

_TURN = 300
"""What a turn of a loop costs, in bytes that C passes over in that time."""

_MOST_SPENT = SLICE // 4

_OBJECT, _ARRAY = ord("{"), ord("[")
_CLOSING = {_OBJECT: ord("}"), _ARRAY: ord("]")}
_SHOWN_AS: dict[int, Kind] = {_OBJECT: "{...}", _ARRAY: "[...]"}


def inspection(body: bytes, root: Node) -> Steps[str]:
    """
    Check the values that C{root} asks about.

    @return: the C{model} of the document; C{""} for none.
    @raise ParamNotAllowed: a value matches no pattern.
    @raise BadRequest: the document is malformed, or a name that a rule knows stands twice.
    """
    _check_begin(body)
    yield from check_utf8(body)
    members = members_of(body) if root.members else None
    if members is not None:
        try:
            return (yield from _at_once(members, root))
        except BadRequest:
            # What is wrong, and where, is found by reading it in order.
            pass
    return (yield from in_order(body, root))


def _at_once(members: Mapping[str, bytes], root: Node) -> Steps[str]:
    """The same of an object whose members are known, each of them whole and valid."""
    seen: set[str] = set()
    model = ""
    for name, value in members.items():
        folded = member(name)
        wanted = root.members.get(folded)
        if wanted is not None:
            if folded in seen:
                raise repeated(name)
            seen.add(folded)
            yield from _Reader(value, root).value(wanted, name)
        if folded == "model":
            model = _short_text(value[:_LONGEST_MODEL])
    return model


def in_order(body: bytes, root: Node) -> Steps[str]:
    """The same of any document, from its begin to its end."""
    reader = _Reader(body, root)
    if not reader.opens():
        raise BadRequest("the body is not a JSON object" if root.members else "the body is not a JSON array")
    yield from reader.value(root, "the body")
    reader.end()
    return reader.model


def _check_begin(body: bytes) -> None:
    if body.startswith(BOM_UTF8):
        raise BadRequest("the body begins with a byte order mark, which RFC 8259 section 8.1 forbids: send it without")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadRequest("the body is UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1)")


class _Reader:
    """
    @ivar at: what stands before it was read.
    @ivar model: the name of a model, once it was read.
    """

    def __init__(self, body: bytes, root: Node) -> None:
        self._body = body
        self.at = 0
        self.model = ""
        self._root = root
        self._spent = 0
        self._seen_to = 0

    def value(self, node: Node, name: str) -> Steps[None]:
        """A value that is asked about."""
        match = grammar.VALUE.match(self._body, self.at) or self._fail()
        self._judge(node, match)
        self.at = match.end()
        kind = self._body[self.at - 1] if match[1] else 0
        if match[2]:
            yield from self._text(node)
        elif kind == _OBJECT and node.members:
            yield from self._object(node)
        elif kind == _ARRAY and node.each:
            yield from self._array(node, name)
        elif kind:
            self._must_be_simple(node, name)
            yield from self._skip(kind)

    def opens(self) -> bool:
        """Whether the document is what is looked into."""
        node = self._root
        at = (grammar.BLANK.match(self._body) or self._fail()).end()
        begin = self._body[at : at + 1]
        return (begin == b"{" and bool(node.members)) or (begin == b"[" and bool(node.each))

    def end(self) -> None:
        """Nothing but white space is left."""
        if (grammar.BLANK.match(self._body, self.at) or self._fail()).end() != len(self._body):
            self._fail()

    def _judge(self, node: Node, match: re.Match[bytes]) -> None:
        for rule in node.rules:
            if rule.anything:
                continue
            if match[1]:
                raise rule.refusal(_SHOWN_AS[match[1][0]])
            if match[3]:
                # Numbers as they are spelled: what a pattern sees is what upstream sees.
                rule.check(match[3].decode("ascii"))

    def _must_be_simple(self, node: Node, name: str) -> None:
        # In an object where an array is looked into, or the reverse, a generous reader could still find the parameter.
        # A text or number of the same name holds none: it is another API's.
        if node.inner:
            raise BadRequest(f"'{name}' is not {'an object' if node.members else 'an array'}")

    def _text(self, node: Node) -> Steps[None]:
        begin = self.at
        yield from self._pass_text()
        # A generous reader takes one value for an array of it.
        rules = node.rules or [rule for each in node.each for rule in each.rules]
        if not rules:
            return
        if self.at - begin > _LONGEST_SPELLED:
            shown = self._body[begin : begin + SHOWN + 1].decode("utf-8", "replace")
            if not all(rule.anything for rule in rules):
                raise next(rule for rule in rules if not rule.anything).refusal(shown)
            return
        text: str = json.loads(self._body[begin - 1 : self.at])
        for rule in rules:
            rule.check(text)

    def _object(self, node: Node) -> Steps[None]:
        seen: set[str] = set()
        if self._closes(_OBJECT):
            return
        while True:
            match = grammar.NAME.match(self._body, self.at) or self._fail_name()
            self.at = match.end()
            name = _spelled(match[1])
            folded = member(name)
            begin = self.at
            wanted = node.members.get(folded)
            if wanted is None:
                if not self._pass_shallow():
                    yield from self._skip_value()
            elif folded in seen:
                raise repeated(name)
            else:
                seen.add(folded)
                yield from self.value(wanted, name)
            if folded == "model" and node is self._root:
                self.model = _short_text(self._body[begin : min(self.at, begin + _LONGEST_MODEL)])
            if self._pause():
                yield
            if self._ends(_OBJECT):
                return

    def _array(self, node: Node, name: str) -> Steps[None]:
        if self._closes(_ARRAY):
            return
        while True:
            yield from self.value(node.each[0], f"{name}[]")
            if self._pause():
                yield
            if self._ends(_ARRAY):
                return

    def _pass_shallow(self) -> bool:
        """Whether a short value could be passed over at once."""
        match = grammar.SHALLOW.match(self._body, self.at, self.at + _WINDOW)
        if match is None:
            return False
        self.at = match.end()
        return True

    def _skip_value(self) -> Steps[None]:
        match = grammar.VALUE.match(self._body, self.at) or self._fail()
        self.at = match.end()
        if match[2]:
            yield from self._pass_text()
        elif match[1]:
            yield from self._skip(match[1][0])

    def _skip(self, kind: int) -> Steps[None]:
        """Pass over what is left of an object or array that has been opened."""
        open_ = bytearray()
        while True:
            if kind:
                if len(open_) >= MOST_NESTED:
                    raise BadRequest("the JSON is nested too deeply")
                open_.append(kind)
                closed = self._closes(kind)
            else:
                closed = self._ends(open_[-1])
            if self._pause():
                yield
            while closed:
                open_.pop()
                if not open_:
                    return
                closed = self._ends(open_[-1])
            yield from self._pass_simple(open_[-1])
            match = grammar.VALUE.match(self._body, self.at) or self._fail()
            self.at = match.end()
            kind = match[1][0] if match[1] else 0
            if match[2]:
                yield from self._pass_text()

    def _pass_simple(self, kind: int) -> Steps[None]:
        """Pass over members or elements that are neither long nor nested, and over the name of the next one."""
        run = grammar.ELEMENTS if kind == _ARRAY else grammar.MEMBERS
        end = -1
        while end != self.at:
            end = self.at
            self.at = run.match(self._body, end, end + _WINDOW).end()  # type: ignore[union-attr]
            if self._pause():
                yield
        if kind == _OBJECT:
            self.at = (grammar.QUOTE.match(self._body, self.at) or self._fail()).end()
            yield from self._pass_text()
            self.at = (grammar.COLON.match(self._body, self.at) or self._fail()).end()

    def _pass_text(self) -> Steps[None]:
        """Pass over a string whose opening quote has been read, its closing one too."""
        begin = -1
        while begin != self.at:
            begin = self.at
            self.at = grammar.TEXT.match(self._body, begin).end()  # type: ignore[union-attr]
            if self._pause():
                yield
        if self._body[self.at : self.at + 1] != b'"':
            self._fail()
        self.at += 1

    def _closes(self, kind: int) -> bool:
        """Whether what was just opened is empty."""
        at = (grammar.BLANK.match(self._body, self.at) or self._fail()).end()
        if self._body[at : at + 1] != b"%c" % _CLOSING[kind]:
            return False
        self.at = at + 1
        return True

    def _ends(self, kind: int) -> bool:
        """Whether what is open ends here; if not, another member follows."""
        match = grammar.NEXT.match(self._body, self.at) or self._fail()
        self.at = match.end()
        if match[1] == b",":
            return False
        if match[1][0] != _CLOSING[kind]:
            self._fail()
        return True

    def _pause(self) -> bool:
        """Whether the slice is over."""
        self._spent += _TURN + self.at - self._seen_to
        self._seen_to = self.at
        if self._spent < _MOST_SPENT:
            return False
        self._spent = 0
        return True

    def _fail_name(self) -> re.Match[bytes]:
        quote = grammar.QUOTE.match(self._body, self.at)
        end = quote and grammar.TEXT.match(self._body, quote.end())
        if quote and end and end.end() - quote.end() > grammar.LONGEST_NAME:
            raise BadRequest(f"a name in the JSON is longer than {grammar.LONGEST_NAME} bytes")
        return self._fail()

    def _fail(self) -> re.Match[bytes]:
        at = (grammar.BLANK.match(self._body, self.at) or re.match(b"", b"")).end()  # type: ignore[union-attr]
        if at - self.at >= grammar.LONGEST_BLANK:
            raise BadRequest(f"the JSON holds more than {grammar.LONGEST_BLANK} bytes of white space in a row")
        raise BadRequest(f"the body is not valid JSON (byte {at})")


def _short_text(value: bytes) -> str:
    try:
        return named(json.loads(value))
    except ValueError:
        return ""


def _spelled(quoted: bytes) -> str:
    if b"\\" in quoted:
        name: str = json.loads(quoted)
        return name
    return quoted[1:-1].decode("utf-8")
