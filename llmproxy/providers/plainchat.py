"""
The usage of chat completions that have nothing of a vendor's own in it, made by one conversion: most answers are such.

What it says is what L{llmproxy.providers.openai} says, which reads all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ..core.models import LONGEST
from ..usage import Usage

_convert = msgspec.convert
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]

_ALONE = frozenset({"id", "model", "usage", "service_tier"})
"""All that is found in such an answer."""

_USUAL = frozenset({"auto", "default", None})
"""Ways to be served that cost what others do."""


class _Into(msgspec.Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    audio_tokens: _Count | None = None


class _Out(msgspec.Struct):
    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None


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
    if "service_tier" in found and not _is_usual(found["service_tier"]):
        return None
    try:
        tokens = _convert(raw, _Tokens)
    except msgspec.ValidationError:
        return None
    put_in, came_out = tokens.prompt_tokens, tokens.completion_tokens
    if put_in + came_out != tokens.total_tokens:
        # Some count reasoning beside the output.
        return None
    cached = written = heard = reasoned = spoken = None
    into, out = tokens.prompt_tokens_details, tokens.completion_tokens_details
    if into is not None:
        cached, written, heard = into.cached_tokens, into.cache_write_tokens, into.audio_tokens
    if out is not None:
        reasoned, spoken = out.reasoning_tokens, out.audio_tokens
    model = found.get("model")
    if type(model) is not str or len(model) > LONGEST or not model.isprintable():
        model = ""
    return Usage(put_in, cached, written, came_out, reasoned, heard, spoken, None, None, model, raw)


def _is_usual(tier: Any) -> bool:
    return (tier is None or type(tier) is str) and tier in _USUAL
