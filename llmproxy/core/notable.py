"""
Notable fields: the few of a request that decide how it is framed, who sends it, and what it asks for.

Each layer that asks for some of them would go through all fields of the section. They are found once for all layers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import product
from typing import Any

from ..message import Field, Fields
from ..native import mypyc_attr
from .fields import Names

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
    """

    __slots__ = ("notable",)

    def __init__(self, fields: Fields, notable: Notable) -> None:
        super().__init__(fields)
        self.notable: Notable | None = notable


def _forgetting(change: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(change)
    def changed(section: Section, *arguments: Any, **keywords: Any) -> Any:
        section.notable = None
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


def section_of(fields: Fields) -> Section:
    """The section with its notable fields found."""
    return Section(fields, Notable(fields))


def notable_of(fields: Fields) -> Notable:
    """The notable fields of any section."""
    return (fields.notable if type(fields) is Section else None) or Notable(fields)
