"""
The usage of chat completions that have nothing of a vendor's own in it, made by one conversion: most answers are such.

What it says is what L{llmproxy.providers.openai} says, which reads all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ..core.models import named
from ..usage import Usage

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]

_ALONE = frozenset({"id", "model", "usage"})
"""All that is found in such an answer."""


class _Into(msgspec.Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    audio_tokens: _Count | None = None


class _Out(msgspec.Struct):
    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None


_NOTHING, _NO_OUT = _Into(), _Out()


class _Tokens(msgspec.Struct):
    """The last ones are vendors' own."""

    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count
    prompt_tokens_details: _Into | None = None
    completion_tokens_details: _Out | None = None
    reasoning_tokens: None = None
    prompt_cache_hit_tokens: None = None
    cached_tokens: None = None
    billed_units: None = None
    tokens: None = None
    total_input_tokens: None = None
    inputTokens: None = None


def usage_of_chat(found: Mapping[str, Any]) -> Usage | None:
    """
    @param found: see L{llmproxy.providers.documents.Documents}.
    @return: C{None} for what is none of these.
    """
    raw = found.get("usage")
    if type(raw) is not dict or "prompt_tokens" not in raw or not _ALONE.issuperset(found):
        return None
    try:
        tokens = msgspec.convert(raw, _Tokens)
    except msgspec.ValidationError:
        return None
    if tokens.prompt_tokens + tokens.completion_tokens != tokens.total_tokens:
        # Some count reasoning beside the output.
        return None
    into, out = tokens.prompt_tokens_details or _NOTHING, tokens.completion_tokens_details or _NO_OUT
    return Usage(
        tokens.prompt_tokens,
        into.cached_tokens,
        into.cache_write_tokens,
        tokens.completion_tokens,
        out.reasoning_tokens,
        into.audio_tokens,
        out.audio_tokens,
        None,
        None,
        named(found.get("model")),
        raw,
    )
