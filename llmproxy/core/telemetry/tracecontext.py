"""
W3C Trace Context: the trace that a request is part of, read from its fields and passed on in them.

Read at U{https://www.w3.org/TR/trace-context/} (Recommendation of 23 November 2021) on 30 November 2026. Of a version
that is not known the fields of version 00 are read, as section 3.2.4 has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ...message import Trace
from ..masking import mask
from ..notable import TRACEPARENT, TRACESTATE

if TYPE_CHECKING:
    from ...message import Field, Fields

Passing = Literal["pass", "continue", "add"]
"""
What upstream gets of C{traceparent}: C{pass}, what the client sent, byte for byte; C{continue}, the span of our call in
the place of the client's, where that sent one; C{add}, our span in any case.
"""

_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER = re.compile(_KEY + r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")

_LONGEST_STATE = 512
"""Bytes of a C{tracestate} that is kept: the least that section 3.3.1.5 has everybody pass on."""

_MOST_MEMBERS = 32
"""Section 3.3.1.1."""

_FIELDS = frozenset({TRACEPARENT, TRACESTATE})


def trace_of(parents: list[bytes], states: list[bytes]) -> Trace | None:
    """
    The trace that a client names.

    @param parents: the values of all C{traceparent} fields: more than one is none (section 4.3).
    @param states: likewise of C{tracestate}; one that is not well-formed, or looks like a secret, counts as none.
    """
    found = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    state = _state(b",".join(states)) if states else ""
    return Trace(found[2].decode(), found[3].decode(), int(found[4], 16), state)


def _state(value: bytes) -> str:
    if len(value) > _LONGEST_STATE or not value.isascii():
        return ""
    text = value.decode()
    members = [member for each in text.split(",") if (member := each.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    good = len(keys) == len(members) <= _MOST_MEMBERS and all(map(_MEMBER.fullmatch, members))
    return ",".join(members) if good and mask(text) == text else ""


def traceparent(trace: Trace, span_id: str) -> bytes:
    """The field's value that makes a span of ours the parent of what upstream does."""
    # Of the other flags only `random` has a meaning (level 2 of the specification), which a trace keeps.
    return f"00-{trace.trace_id}-{span_id}-{trace.flags & 3:02x}".encode()


def passed_on(fields: Fields, trace: Trace, span_id: str, passing: Passing, *, restarts: bool = False) -> list[Field]:
    """
    The fields that go to upstream: a new list, what is not changed at its place.

    @param span_id: of the call.
    @param restarts: the trace is not the caller's, whatever that has named.
    """
    if restarts and passing == "continue":
        passing = "add" if any(name.lower() == TRACEPARENT for name, _ in fields) else "pass"
    value = traceparent(trace, span_id)
    if trace.parent_id:
        if passing == "pass":
            return [*fields]
        return [(name, value if name.lower() == TRACEPARENT else old) for name, old in fields]
    if passing != "add":
        return [*fields]
    # Section 4.3: what could not be read goes no further, nor does the state that belongs to it.
    kept = [field for field in fields if field[0].lower() not in _FIELDS]
    return [*kept, (TRACEPARENT, value)]
