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

    from ...record import Attribution, Record
    from ...usage import Usage

LONGEST_RAW = 4096
"""Bytes of a provider's own usage object; a longer one is not kept."""

LONGEST_TEXT = 128
MOST_TEXTS = 8
"""Of an entry that would be too long: characters of a text, and how many tags or metadata."""


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


class Tried(msgspec.Struct, frozen=True, array_like=True):
    """
    One attempt of several at an exchange.

    @ivar upstream: its name.
    @ivar status: of its answer; 0 for none.
    @ivar cause: why there was none, see L{llmproxy.record.Cause}; C{cancelled} where another attempt was faster.
    @ivar took: milliseconds until either.
    """

    upstream: str = ""
    status: int = 0
    cause: str = ""
    took: float = 0.0


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
    @ivar tried: the attempts, where there was more than one: what is counted is of the last of them that answered.
    @ivar answer_id: the provider's id of an answer that can be fetched later and again: it is counted once.
    @ivar claims: it counts only if it is noted under C{answer_id} that it is owed; another process may have asked for
        it.
    @ivar person_id: whose token it was, where somebody got it by signing in.
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
    tried: tuple[Tried, ...] = ()
    answer_id: str = ""
    claims: bool = False
    person_id: str = ""


_NO_USAGE: tuple[Any, ...] = ("", *(None,) * 9)
_NOBODY: tuple[Any, ...] = ("", "", "", {}, {})


def entry_of(record: Record, id: str) -> Entry:
    """The entry of an exchange that has ended; see L{ended_values}."""
    return msgspec.convert(ended_values(record, id), Entry)


def ended_values(record: Record, id: str) -> tuple[Any, ...]:
    """
    The members of the L{Entry} of an exchange that has ended, in their order: they are encoded as an entry is, at half
    the price.

    @param record: masked already; it is not changed and not kept.
    @param id: its id, as L{Entry.id}.
    """
    usage, asked, saved, cost, cost_saved = (
        record.usage,
        record.attribution,
        record.saved,
        record.cost,
        record.cost_saved,
    )
    claims = usage is None and record.claimed is not None
    if claims:
        usage = record.claimed
    if usage is None:
        counts, unknown, raw = _NO_USAGE, False, None
    else:
        counts = _counts(usage)
        # As L{Usage.is_known} says, which takes four times as long.
        unknown = usage.input_tokens is usage.output_tokens is usage.seconds is usage.images is None
        raw = None if usage.raw is None else _raw(usage.raw)
    return (
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
        *counts,
        unknown,
        record.estimated,
        record.truncated,
        raw,
        None if saved is None else (*_counts(saved)[1:], saved.served_model),
        None if cost is None else _decimal(cost),
        None if cost_saved is None else _decimal(cost_saved),
        record.book,
        record.provider,
        *(_NOBODY if asked is None else _asked(asked)),
        record.upstream_request_id,
        record.user_agent,
        record.client,
        () if record.details is None else _tried(record.details),
        record.answer_id,
        claims,
        record.person_id,
    )


_INTERRUPTED = ("interrupted", "", "", 0)
_NOTHING_YET = ("", False, 0, 0, 0.0, None, None)
_NOT_YET = (*_NO_USAGE, False, False, False, None, None, None, None, "")


def begun_values(record: Record, id: str) -> tuple[Any, ...]:
    """The same of one that has begun: what is to be kept of it if its process ends before it does."""
    asked = record.attribution
    return (
        id,
        record.started_at,
        None,
        record.request_id,
        record.project_id,
        record.token_id,
        record.api,
        record.upstream,
        record.endpoint,
        record.method,
        0,
        *_INTERRUPTED,
        record.counted,
        *_NOTHING_YET,
        record.model,
        *_NOT_YET,
        record.provider,
        *(_NOBODY if asked is None else _asked(asked)),
        "",
        record.user_agent,
        record.client,
        (),
        "",
        False,
        record.person_id,
    )


def encodable(value: Any) -> Any:
    """
    The same without what cannot be written: halves of a character become question marks, numbers beyond 63 bits are
    not known. Neither is anything that a provider means.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, tuple):
        return tuple(map(encodable, value))
    if isinstance(value, Mapping):
        return {encodable(name): encodable(each) for name, each in value.items()}
    return value


def bounded(entry: Entry) -> Entry:
    """The same with short texts, some kilobytes in all, and without the provider's own object."""
    short = {name: value[:LONGEST_TEXT] for name, value in msgspec.structs.asdict(entry).items() if type(value) is str}
    named = {"tags": _bounded(entry.tags), "metadata": _bounded(entry.metadata)}
    tried = tuple(msgspec.structs.replace(each, upstream=each.upstream[:LONGEST_TEXT]) for each in entry.tried)
    return msgspec.structs.replace(entry, raw=None, tried=tried[:MOST_TEXTS], **named, **short)


def _bounded(texts: Mapping[str, str]) -> dict[str, str]:
    kept = list(texts.items())[:MOST_TEXTS]
    return {name[:LONGEST_TEXT]: value[:LONGEST_TEXT] for name, value in kept}


def _tried(details: Mapping[str, Any]) -> tuple[tuple[Any, ...], ...]:
    """As L{llmproxy.middleware.attempt.Attempt.as_detail} has them."""
    return tuple(
        (each["upstream"], each.get("status", 0), each.get("cause", ""), each["took"])
        for each in details.get("tried", ())
    )


def _asked(asked: Attribution) -> tuple[Any, ...]:
    return asked.user, asked.session, asked.program, dict(asked.tags), dict(asked.metadata)


def _counts(usage: Usage) -> tuple[Any, ...]:
    """C{served_model}, and what was counted."""
    return (
        usage.served_model,
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
    try:
        written = _json(usage)
    except (ValueError, TypeError, OverflowError):
        return None
    return written if len(written) <= LONGEST_RAW else None


def _decimal(value: Decimal) -> str:
    """Without an exponent, as people and databases read it."""
    return format(value, "f")
