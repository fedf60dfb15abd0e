"""
Notable fields: the few of a request that decide how it is framed, who sends it, and what it asks for.

Each layer that asks for some of them would go through all fields of the section. They are found once for all layers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import product
from typing import Any, Protocol

from ..message import Field, Fields
from ..native import mypyc_attr
from .fields import LOWER, Names

TOKEN_FIELD = b"x-llmproxy-token"
"""Where our token comes when the usual place holds a credential that is for upstream; it goes no further."""

KEY_FIELDS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", TOKEN_FIELD})
"""Where SDKs put their key, besides C{?key=}, and the place of our own."""

OFFER = b"sec-websocket-protocol"
"""Where browsers put it: L{llmproxy.core.subprotocols}."""

DECISIVE = frozenset({b"host", b"expect", b"upgrade", b"connection", b"content-length", b"transfer-encoding"})
"""Names that decide about framing, routing or the connection."""

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
"""The trace of the client's that the request belongs to: L{llmproxy.core.telemetry.tracecontext}."""

NAMING = frozenset({b"x-request-id", b"user-agent", TRACEPARENT, TRACESTATE})
"""What the client calls its request, itself, and the trace that it is part of."""

TAGS = b"x-llmproxy-tags"
"""What a request is for: L{llmproxy.core.attributing.tags}."""

CAPTURE = b"x-llmproxy-capture"
"""Whether the client wants its exchange to be captured: C{off} where an API lets it choose."""

SESSION_FIELDS = (b"x-claude-code-session-id", b"session-id", b"session_id", b"thread-id")
"""Where coding agents name their session, the most particular first: Claude Code, Codex, Codex of 2025, Codex."""

ATTRIBUTING = frozenset({TAGS, CAPTURE, *SESSION_FIELDS})
"""What a request is for, what may be kept of it, and the session that it belongs to."""

OVERRIDE_FIELDS = (
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-method",
    "x-forwarded-method",
)
"""Fields that ask for another method: those of OData, Google, ASP.NET and the usual middlewares."""


def _spellings(name: str) -> list[bytes]:
    """A field as servers know it that make variables of names (RFC 3875 section 4.1.18): C{_} is C{-} to them."""
    words = name.encode().split(b"-")
    return [
        b"".join(word + mark for word, mark in zip(words, (*marks, b""), strict=True))
        for marks in product((b"-", b"_"), repeat=len(words) - 1)
    ]


OVERRIDES = frozenset(spelling for name in OVERRIDE_FIELDS for spelling in _spellings(name))

_ALL = KEY_FIELDS | {OFFER} | DECISIVE | NAMING | OVERRIDES | ATTRIBUTING
_NOTABLE = Names(lambda name: name.lower() if name.lower() in _ALL else b"")
"""The name of a notable field in lower case, C{b""} for any other: one look for each field of every request."""


class Notable:
    """
    The notable fields of a section by what they are for, each list in wire order, with names in lower case.

    @ivar credentials: with the fields as they are written.
    @ivar attributing: those of L{ATTRIBUTING}; C{None} for none, which is usual.
    @ivar override: the first one of L{OVERRIDES}, as it is written; C{b""} if there is none.
    """

    __slots__ = ("attributing", "credentials", "decisive", "naming", "override")

    def __init__(self, fields: Fields) -> None:
        self.credentials: list[tuple[bytes, Field]] = []
        self.decisive: list[Field] = []
        self.naming: list[Field] = []
        self.attributing: list[Field] | None = None
        self.override = b""
        notable = _NOTABLE
        for field in fields:
            name = notable[field[0]]
            if not name:
                continue
            if name in DECISIVE:
                self.decisive.append((name, field[1]))
            elif name in NAMING:
                self.naming.append((name, field[1]))
            elif name in OVERRIDES:
                self.override = self.override or field[0]
            elif name in ATTRIBUTING:
                self.attributing = [*(self.attributing or ()), (name, field[1])]
            else:
                self.credentials.append((name, field))


@mypyc_attr(native_class=False)
class Section(list[Field]):
    """
    A header section whose notable fields are known. Whatever changes it in place makes them unknown again.

    @ivar notable: C{None} after a change.
    @ivar known: what is known of sections like this one, where such came before; C{None} otherwise, and after a change.
    @ivar length: the digits of its C{Content-Length}, where C{known} says so.
    """

    __slots__ = ("known", "length", "notable")

    notable: Notable | None
    known: Known | None
    length: bytes


class Keeper(Protocol):
    """Where what is known is kept, within a bound: L{llmproxy.core.headmemory}."""

    def keep(self) -> None:
        """From now on, unless something has been revoked or configured anew in the meantime."""

    def drop(self) -> None:
        """Not any longer."""

    def has_room(self, size: int) -> bool:
        """Whether something of about so many bytes may be kept besides; it counts from now on."""


class Known:
    """
    What is known of all sections that are the same but for the digits of C{Content-Length}.

    Nothing may be in it that does not follow from the bytes of the section and from the configuration: no connection,
    no time, no state of a token, no address, no upstream that was chosen. It holds secrets of clients.

    @ivar facts: answers by what was asked; the questions are values or objects of a configuration.
    """

    __slots__ = ("_at", "_fields", "_name", "_notable", "facts", "keeper")

    def __init__(self, fields: Fields, at: int, notable: Notable | None, keeper: Keeper) -> None:
        """@param at: where the C{Content-Length} stands whose digits change; below 0 where none does."""
        self._fields = list(fields)
        self._at = at
        self._name = fields[at][0] if at >= 0 else b""
        self._notable = notable
        self.keeper = keeper
        self.facts: dict[Any, Any] = {}

    @property
    def is_measured(self) -> bool:
        """The digits of a C{Content-Length} are not part of it."""
        return self._at >= 0

    def section(self, length: bytes) -> Section:
        """Such a section, with these digits: a copy, since a layer may change it."""
        section = Section(self._fields)
        if self._at >= 0:
            _put(section, self._at, (self._name, length))
        section.notable = self._notable
        section.known = self
        section.length = length
        return section

    def remember(self, question: object, answer: object, size: int) -> None:
        """
        Remember a fact, if there is room.

        @param size: of the answer, in bytes.
        """
        if self.keeper.has_room(size + _OF_A_FACT):
            self.facts[question] = answer

    def derive(self, question: object, fields: list[Field]) -> None:
        """Remember what a layer has made of the section: another one, with the same C{Content-Length}, if any."""
        at = -1
        if self._at >= 0:
            at = measured_at(fields)
            if at < 0:
                return
        self.remember(question, Known(fields, at, None, self.keeper), size_of(fields))


_put = list.__setitem__
_OF_A_FACT = 256
"""Bytes that a fact takes besides: its place, its object, its question."""


def measured_at(fields: Fields) -> int:
    """Where the one C{Content-Length} stands; below 0 if there is none, or more than one."""
    lower = LOWER
    at = [number for number, (name, _) in enumerate(fields) if lower[name] == b"content-length"]
    return at[0] if len(at) == 1 else -1


def size_of(fields: Fields) -> int:
    """About how many bytes of memory a section takes."""
    return 512 + sum(144 + len(name) + len(value) for name, value in fields)


def _forgetting(change: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(change)
    def changed(section: Section, *arguments: Any, **keywords: Any) -> Any:
        section.notable = section.known = None
        return change(section, *arguments, **keywords)

    return changed


CHANGES = frozenset(
    {
        "__delitem__",
        "__iadd__",
        "__imul__",
        "__setitem__",
        "append",
        "clear",
        "extend",
        "insert",
        "pop",
        "remove",
        "reverse",
        "sort",
    }
)
"""The methods by which a list is changed."""

for _name in CHANGES:
    setattr(Section, _name, _forgetting(getattr(list, _name)))


def section_of(fields: Fields, notable: Notable | None = None) -> Section:
    """The section with its notable fields found."""
    section = Section(fields)
    section.notable = Notable(fields) if notable is None else notable
    section.known = None
    section.length = b""
    return section


def notable_of(fields: Fields) -> Notable:
    """The notable fields of any section."""
    return (fields.notable if type(fields) is Section else None) or Notable(fields)
