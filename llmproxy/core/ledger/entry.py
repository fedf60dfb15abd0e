"""
The entries of the ledger: what is kept for good of each exchange of a caller who is known.

They stand in files as MessagePack arrays, by the order of the members: a new member comes last and has a default, and
none is taken out or moved, so that what another version has left behind can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from decimal import Decimal

    from ...record import Record
    from ...usage import Usage

LONGEST_RAW = 4096
"""Bytes of a provider's own usage object; a longer one is not kept."""


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """What an answer had used, in the words of L{llmproxy.usage.Usage}; what is not known is C{None}, never 0."""

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


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """
    One exchange that has ended. Moments are seconds since the epoch, durations seconds, sizes bytes of content.

    What is not known is C{None}, never 0; a text that is not known is empty.

    @ivar id: 128 bit, hexadecimal: of one exchange of all processes and machines.
    @ivar ended_at: C{None} where it was cut by the end of its process.
    @ivar ending: a L{llmproxy.record.Ending}, or C{interrupted}: its process died.
    @ivar counted: it used up one of the requests of its token, as C{request_count} counts them.
    @ivar unknown: the answer was looked at, and says nothing of what it used.
    @ivar raw: the provider's own usage object as JSON.
    @ivar saved: what the answer from the cache had used when it came.
    @ivar cost: USD, a decimal number; likewise C{cost_saved}.
    @ivar book: the version of the prices that C{cost} is made with.
    @ivar provider: whose the upstream is, a name of L{llmproxy.providers.registry}.
    """

    id: str
    started_at: float
    ended_at: float | None = None
    request_id: str = ""
    project_id: str = ""
    token_id: str = ""
    api: str = ""
    upstream: str = ""
    endpoint: str = ""
    method: str = ""
    status: int = 0
    ending: str = "interrupted"
    error_code: str = ""
    cause: str = ""
    attempts: int = 0
    counted: bool = False
    cache: str = ""
    streamed: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    duration: float = 0.0
    first_byte: float | None = None
    first_token: float | None = None
    model: str = ""
    served_model: str = ""
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    images: int | None = None
    seconds: float | None = None
    unknown: bool = False
    estimated: bool = False
    truncated: bool = False
    raw: bytes | None = None
    saved: Counts | None = None
    cost: str | None = None
    cost_saved: str | None = None
    book: str = ""
    provider: str = ""
    user: str = ""
    session: str = ""
    program: str = ""
    tags: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    upstream_request_id: str = ""
    user_agent: str = ""
    client: str = ""


_Count = int | None
_Counted = tuple[_Count, _Count, _Count, _Count, _Count, _Count, _Count, _Count, float | None]

_NO_COUNTS: _Counted = (None, None, None, None, None, None, None, None, None)
_NOBODY: tuple[str, str, str, dict[str, str], dict[str, str]] = ("", "", "", {}, {})


def entry_of(record: Record, id: str) -> Entry:
    """
    The entry of an exchange that has ended.

    @param record: masked already; it is not changed and not kept.
    @param id: its id, as L{Entry.id}.
    """
    usage, asked = record.usage, record.attribution
    return Entry(
        id,
        record.started_at,
        record.started_at + record.duration,
        record.request_id,
        record.project_id,
        record.token_id,
        record.api,
        record.upstream,
        record.endpoint,
        record.method,
        record.status,
        record.ended,
        record.error_code,
        record.cause,
        record.attempts,
        record.counted,
        record.cache,
        record.streamed,
        record.bytes_in,
        record.bytes_out,
        record.duration,
        record.first_byte,
        record.first_token,
        record.model,
        "" if usage is None else usage.served_model,
        *(_NO_COUNTS if usage is None else _counts(usage)),
        usage is not None and not usage.is_known,
        record.estimated,
        record.truncated,
        None if usage is None or usage.raw is None else _raw(usage.raw),
        None if record.saved is None else Counts(*_counts(record.saved), record.saved.served_model),
        None if record.cost is None else _decimal(record.cost),
        None if record.cost_saved is None else _decimal(record.cost_saved),
        record.book,
        record.provider,
        *(
            _NOBODY
            if asked is None
            else (asked.user, asked.session, asked.program, dict(asked.tags), dict(asked.metadata))
        ),
        record.upstream_request_id,
        record.user_agent,
        record.client,
    )


def _counts(usage: Usage) -> _Counted:
    """The members of L{Counts} but the last."""
    return (
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        usage.images,
        usage.seconds,
    )


_json = msgspec.json.Encoder().encode


def _raw(usage: Mapping[str, Any]) -> bytes | None:
    written = _json(usage)
    return written if len(written) <= LONGEST_RAW else None


def _decimal(value: Decimal) -> str:
    """Without an exponent, as people and databases read it."""
    return format(value, "f")
