"""A stored response without its content."""

from __future__ import annotations

import re

import msgspec
from attrs import define

from ...message import Field, Fields
from ...usage import Usage
from .. import fields as sections
from .content import Content
from .dates import date_field

_NOT_STORED = frozenset(
    (
        b"age",
        b"alt-svc",
        b"anthropic-organization-id",
        b"cf-ray",
        b"nel",
        b"openai-organization",
        b"openai-processing-ms",
        b"openai-project",
        b"report-to",
        b"request-id",
        b"server-timing",
        b"set-cookie",
        b"traceparent",
        b"tracestate",
        b"trailer",
        b"warning",
        b"x-amz-cf-id",
        b"x-amzn-requestid",
        b"x-amzn-trace-id",
        b"x-correlation-id",
        b"x-envoy-upstream-service-time",
        b"x-goog-request-id",
        b"x-request-id",
        b"x-response-time",
        b"x-runtime",
        b"x-should-retry",
        b"x-trace-id",
    )
)
"""
What belongs to the caller that the answer was made for or to the connection it came on, and C{Age} and
C{Warning}, which are made anew or no more (RFC 9111 section 5.5).
"""

_NOT_STORED_PREFIXES = re.compile(rb"access-control-|x-ratelimit-|ratelimit|anthropic-ratelimit-|x-b3-|proxy-")


def _stored_as(name: bytes) -> bytes:
    lower = name.lower()
    if lower == b"connection":
        return lower
    left_out = lower in _NOT_STORED or lower in sections.HOP_BY_HOP or _NOT_STORED_PREFIXES.match(lower)
    return b"" if left_out else lower


_STORED_AS = sections.Names(_stored_as)
"""The name in lower case of a field that may be stored, and C{connection}, which names others; C{b""} for any other."""

_NOT_FRESHENED = frozenset(
    (
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"digest",
        b"etag",
        b"repr-digest",
        b"transfer-encoding",
    )
)
"""What describes the stored bytes, RFC 9111 section 3.2 and RFC 9530."""


class Used(msgspec.Struct, array_like=True, frozen=True):
    """
    What an answer had used when it came: the members of a L{Usage} in their order, without the provider's own object.
    A new one comes last.
    """

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    images: int | None = None
    seconds: float | None = None
    served_model: str = ""

    @classmethod
    def of(cls, usage: Usage | None) -> Used | None:
        """C{None} where nothing is known."""
        return cls(*(getattr(usage, name) for name in cls.__struct_fields__)) if usage and usage.is_known else None

    def usage(self) -> Usage:
        return Usage(*(getattr(self, name) for name in self.__struct_fields__))


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """
    What is known of a stored response; moments are seconds since the epoch, durations seconds.

    @ivar fields: what may be replayed to another caller.
    @ivar response_time: when the head came, or the 304 that made it fresh again.
    @ivar initial_age: its age then.
    @ivar lifetime: how long it is fresh, counted from its generation.
    @ivar always_validate: C{no-cache}.
    @ivar never_stale: C{must-revalidate}, C{proxy-revalidate} or C{s-maxage}.
    @ivar while_revalidate: C{stale-while-revalidate}.
    @ivar if_error: C{stale-if-error}.
    @ivar size: bytes of content.
    @ivar used: C{None} where it is not known, as in what another release has stored.
    """

    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]
    response_time: float
    initial_age: float
    lifetime: float
    always_validate: bool
    never_stale: bool
    while_revalidate: float
    if_error: float
    size: int
    used: Used | None = None

    def age(self, now: float) -> float:
        """C{current_age} of RFC 9111 section 4.2.3."""
        resident = now - self.response_time
        return self.initial_age + resident if resident > 0 else self.initial_age

    def fresh_for(self, now: float) -> float:
        """How long it remains fresh; negative is how long it has been stale."""
        # As in age(): this is asked for several times for each answer.
        return self.lifetime - self.initial_age - max(0.0, now - self.response_time)

    def field(self, name: bytes) -> bytes | None:
        return sections.first(self.fields, name)


@define
class Found:
    """
    What a store has for a primary key. It is never changed; that it could be makes it for half of the time.

    @ivar entry: C{None} if there are variants, but not the one that was asked for.
    @ivar variant: what the store calls it.
    @ivar names: what tells the variants apart, where the store is asked by others that keep a copy.
    """

    entry: Entry | None
    body: Content = b""
    variant: bytes = b""
    names: tuple[bytes, ...] = ()


_decoder = msgspec.msgpack.Decoder(Entry)


_encode = msgspec.msgpack.Encoder().encode
_OF_BEFORE = bytes([0x90 | len(Entry.__struct_fields__) - 1])
"""MessagePack: an array with one member less."""


def pack(entry: Entry) -> bytes:
    """
    An entry as a store keeps it.

    One that says nothing of its use is as releases before wrote it: a store compares the bytes of a head that it
    replaces.
    """
    packed = _encode(entry)
    return packed if entry.used is not None else _OF_BEFORE + packed[1:-1]


def unpack(data: bytes) -> Entry | None:
    """C{None} for what L{pack} did not write."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError):
        return None


def storable_fields(fields: Fields, excluded: frozenset[bytes], response_time: float) -> list[Field]:
    """
    What of a response is kept, RFC 9111 section 3.1.

    @param excluded: the names in a qualified C{private} or C{no-cache}.
    """
    kept: list[Field] = []
    dated = connection = False
    stored_as = _STORED_AS
    for pair in fields:
        name = stored_as[pair[0]]
        if name == b"connection":
            connection = True
        elif name and name not in excluded:
            kept.append(pair)
            dated = dated or name == b"date"
    if connection:
        kept = sections.without_named(kept, fields)
    if not dated:
        # RFC 9110 section 6.6.1: who receives a message without a date and caches it notes when it came.
        kept.append(date_field(response_time // 1))
    return kept


def updated_fields(stored: Fields, fields: Fields) -> list[Field]:
    """
    Stored fields after a 304 or an answer to HEAD with C{fields}, RFC 9111 section 3.2.

    What describes the stored content itself stays as it is.
    """
    newer = [pair for pair in fields if pair[0].lower() not in _NOT_FRESHENED]
    return [*sections.without(stored, {pair[0].lower() for pair in newer}), *newer]
