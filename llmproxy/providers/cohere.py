"""Cohere's own API (docs.cohere.com/reference, read on 30 November 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..usage import Usage
from .chat import member
from .provider import Provider
from .usage import UsageShape, count

_USAGES = ("delta.usage", "usage", "response.meta", "meta")
"""Of version 2: the last event of a stream, and an answer; of version 1 likewise, and of embeddings and reranking."""

_SIGNS = frozenset({"billed_units", "tokens"})


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """What is billed, which is less than what went in where Cohere puts in words of its own."""
    for path in _USAGES:
        raw = found.get(path)
        billed, tokens = member(raw, "billed_units"), member(raw, "tokens")
        if not isinstance(billed, dict) and not isinstance(tokens, dict):
            continue
        put_in, out = (_tokens(billed, tokens, name) for name in ("input_tokens", "output_tokens"))
        return Usage(input_tokens=put_in, cached_input_tokens=_count(raw, "cached_tokens"), output_tokens=out, raw=raw)
    return None


def _tokens(billed: Any, tokens: Any, name: str) -> int | None:
    found = _count(billed, name)
    return _count(tokens, name) if found is None else found


def _count(value: Any, name: str) -> int | None:
    """Its schema has numbers that need not be whole."""
    found = member(value, name)
    whole = int(found) if isinstance(found, float) and found.is_integer() else found
    return count({name: whole}, name)


PROVIDERS = (
    Provider(
        "cohere",
        book="cohere",
        names=("cohere",),
        hosts=("cohere.com", "cohere.ai"),
        usages=(UsageShape(_USAGES, (), usage_of, signs=_SIGNS),),
    ),
)
