"""
The units that answers are billed by, and how many of each an answer has used.

Units lie within each other: cached tokens are input, cached audio is both. What stands in the words of
L{llmproxy.usage.Usage} is taken from there; the rest from the provider's own object, in whichever shape it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

from attrs import frozen

from ...usage import Usage

Count = Callable[[Usage], "int | Decimal | None"]
"""How many of a unit an answer has used; C{None} if it does not say."""

_MOST = 2**53 - 1


@frozen
class Unit:
    """
    @ivar per: how many of it a price is for.
    @ivar traits: what it is; a unit that has all traits of another and more is a part of that one.
    @ivar count: see L{Count}.
    """

    name: str
    per: int
    traits: frozenset[tuple[str, str]]
    count: Count

    @property
    def family(self) -> str:
        return dict(self.traits)["family"]

    def is_within(self, other: Unit) -> bool:
        """Whether it is a part of C{other}."""
        return other.traits < self.traits


def _number(value: Any, *path: str) -> int | None:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if type(value) is int and 0 <= value <= _MOST else None


def _first(*counts: int | None) -> int | None:
    return next((each for each in counts if each is not None), None)


_DETAILS = {
    "input": ("prompt_tokens_details", "input_tokens_details", "input_token_details"),
    "output": ("completion_tokens_details", "output_tokens_details", "output_token_details"),
}
"""OpenAI's: chat, responses and images, Realtime."""

_GEMINI = {"input": "promptTokensDetails", "output": "candidatesTokensDetails", "cached": "cacheTokensDetails"}
_MODALITIES = {"text": ("TEXT",), "audio": ("AUDIO",), "image": ("IMAGE", "DOCUMENT"), "video": ("VIDEO",)}
"""Gemini's; a document is billed as the pictures of its pages (ai.google.dev/gemini-api/docs/document-processing)."""


def _of_gemini(raw: Any, details: str, modality: str) -> int | None:
    found = raw.get(_GEMINI[details]) if isinstance(raw, Mapping) else None
    counts = [
        _number(each, "tokenCount")
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, Mapping) and each.get("modality") in _MODALITIES[modality]
    ]
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _modality(direction: str, modality: str) -> Count:
    def count(usage: Usage) -> int | None:
        raw = usage.raw
        said = _first(*(_number(raw, each, f"{modality}_tokens") for each in _DETAILS[direction]))
        return _of_gemini(raw, direction, modality) if said is None else said

    return count


def _cached(modality: str) -> Count:
    def count(usage: Usage) -> int | None:
        raw = usage.raw
        names = (f"{modality}_tokens",)
        said = _first(*(_number(raw, each, "cached_tokens_details", *names) for each in _DETAILS["input"]))
        return _of_gemini(raw, "cached", modality) if said is None else said

    return count


def _written_for(lifetime: str) -> Count:
    """Anthropic's C{cache_creation}, Bedrock's C{cacheDetails}."""

    def count(usage: Usage) -> int | None:
        raw = usage.raw
        said = _number(raw, "cache_creation", f"ephemeral_{lifetime}_input_tokens")
        details = raw.get("cacheDetails") if said is None and raw is not None else None
        for each in details if isinstance(details, list) else ():
            if isinstance(each, Mapping) and each.get("ttl") == lifetime:
                return _number(each, "inputTokens")
        return said

    return count


def _seconds(usage: Usage) -> Decimal | None:
    return None if usage.seconds is None else Decimal(repr(usage.seconds))


_SEARCHES = frozenset({"server_tool_use", "num_search_queries", "tool_calls_details"})


def _searches(usage: Usage) -> int | None:
    """Anthropic's, Perplexity's."""
    raw = usage.raw
    if raw is None or _SEARCHES.isdisjoint(raw):
        return None
    return _first(
        _number(raw, "server_tool_use", "web_search_requests"),
        _number(raw, "num_search_queries"),
        _number(raw, "tool_calls_details", "search_web", "invocation"),
    )


def _output(usage: Usage) -> int | None:
    """Perplexity's citations, and the reasoning beside them, are no part of what it says came out."""
    raw = usage.raw
    cited = None if raw is None or "citation_tokens" not in raw else _number(raw, "citation_tokens")
    if cited is None or usage.output_tokens is None:
        return usage.output_tokens
    beside = _number(usage.raw, "reasoning_tokens") or 0
    return (
        usage.output_tokens + cited + (beside if usage.output_tokens == _number(usage.raw, "completion_tokens") else 0)
    )


def _reasoning(usage: Usage) -> int | None:
    return _first(usage.reasoning_tokens, _number(usage.raw, "reasoning_tokens"))


def unsaid(usage: Usage) -> None:
    """No answer that is read says it."""


def _tokens(name: str, count: Count, **traits: str) -> Unit:
    return Unit(name, 1_000_000, frozenset({"family": "tokens", **traits}.items()), count)


def _of(family: str, name: str, per: int, count: Count, **traits: str) -> Unit:
    return Unit(name, per, frozenset({"family": family, **traits}.items()), count)


def _all() -> tuple[Unit, ...]:
    into, out = {"direction": "input"}, {"direction": "output"}
    cached, written = {**into, "kind": "cache_read"}, {**into, "kind": "cache_write"}
    return (
        _tokens("input_tokens", attrgetter("input_tokens"), **into),
        _tokens("cache_read_tokens", attrgetter("cached_input_tokens"), **cached),
        _tokens("cache_write_tokens", attrgetter("cache_write_tokens"), **written),
        _tokens("cache_write_5m_tokens", _written_for("5m"), **written, cache_ttl="5m"),
        _tokens("cache_write_1h_tokens", _written_for("1h"), **written, cache_ttl="1h"),
        _tokens("output_tokens", _output, **out),
        _tokens("output_reasoning_tokens", _reasoning, **out, kind="reasoning"),
        _tokens("output_citation_tokens", lambda usage: _number(usage.raw, "citation_tokens"), **out, kind="citation"),
        _tokens("input_audio_tokens", attrgetter("audio_input_tokens"), **into, modality="audio"),
        _tokens("output_audio_tokens", attrgetter("audio_output_tokens"), **out, modality="audio"),
        *(
            _tokens(f"input_{each}_tokens", _modality("input", each), **into, modality=each)
            for each in ("text", "image", "video")
        ),
        *(
            _tokens(f"output_{each}_tokens", _modality("output", each), **out, modality=each)
            for each in ("text", "image", "video")
        ),
        *(_tokens(f"cache_{each}_read_tokens", _cached(each), **cached, modality=each) for each in _MODALITIES),
        _of("durations", "audio_seconds", 3600, _seconds, modality="audio"),
        _of("durations", "input_audio_seconds", 3600, _seconds, modality="audio", direction="input"),
        _of("durations", "output_audio_seconds", 3600, unsaid, modality="audio", direction="output"),
        _of("images", "images", 1, attrgetter("images")),
        _of("requests", "requests", 1000, lambda usage: 1),
        _of("tool_calls", "web_searches", 1000, _searches, tool_type="web_search"),
        _of("tool_calls", "storage_searches", 1000, unsaid, tool_type="storage_search"),
        _of("tool_calls", "social_searches", 1000, unsaid, tool_type="social_search"),
        _of("tool_calls", "code_executions", 1000, unsaid, tool_type="code_execution"),
        _of("characters", "input_characters", 1_000_000, unsaid, direction="input"),
        _of("messages", "input_text_messages", 1000, unsaid, direction="input", modality="text"),
        _of("document_pages", "input_document_pages", 1000, unsaid, direction="input"),
        _of("document_pages", "input_annotated_document_pages", 1000, unsaid, direction="input", page_type="annotated"),
    )


UNITS: Mapping[str, Unit] = {unit.name: unit for unit in _all()}
"""By the names that the book has for what it prices (genai-prices 0.2, C{data_units.py}), and C{images}."""
