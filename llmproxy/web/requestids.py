"""Ids of requests: the client's, or new ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from ..core.identifiers import good_id
from ..core.notable import TRACEPARENT, Section, notable_of
from ..core.telemetry.tracecontext import trace_of

if TYPE_CHECKING:
    from ..message import Field, Fields, Trace


def request_ids() -> Callable[[], str]:
    """
    Make ids that are unique among all processes and cost no system call each.

    64 random bits name the process, a counter the request.
    """
    prefix = os.urandom(8).hex()
    return map((prefix + "-{:08x}").format, count(1)).__next__


_KNOWN_AS = "known as"


def known_as(fields: Fields) -> tuple[str, str, Trace | None]:
    """
    The request id and the user agent that the client sent, C{""} where there is none, and the trace that it names.

    An id that is too long, or holds more than visible ASCII, counts as none: it would end up in logs.
    """
    known = fields.known if type(fields) is Section else None
    if known is not None:
        found: tuple[str, str, Trace | None] | None = known.facts.get(_KNOWN_AS)
        if found is not None:
            return found
    request_id = user_agent = ""
    parents: list[bytes] = []
    states: list[bytes] = []
    for name, value in notable_of(fields).naming:
        if name == b"user-agent":
            user_agent = value[:256].decode("latin-1")
        elif name == b"x-request-id":
            request_id = good_id(value) or request_id
        elif name == TRACEPARENT:
            parents.append(value)
        else:
            states.append(value)
    made = request_id, user_agent, trace_of(parents, states) if parents else None
    if known is not None:
        known.remember(_KNOWN_AS, made, 1024)
    return made


def id_fields(request_id: str) -> tuple[Field, Field]:
    """The fields of an answer that carry it: the one that OpenAI's SDK reads, and the one that Anthropic's does."""
    value = request_id.encode("latin-1")
    return (b"X-Request-ID", value), (b"request-id", value)
