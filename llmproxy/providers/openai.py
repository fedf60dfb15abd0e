"""OpenAI's API, and what most others have taken over from it (platform.openai.com/docs, read on 30 November 2026)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.inspection.whitelist import EACH
from ..core.places import Places
from ..usage import Usage
from .chat import Message, Wishes, items, limits_of, member, text
from .provider import Provider, Setup, starting
from .usage import UsageShape, counts, model_among, number, remainder, total

_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


def error_body(status: int, code: str, message: str, request_id: str) -> dict[str, object]:
    """All four members that its SDKs expect."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(status: int, code: str, message: str) -> dict[str, object]:
    """C{error} of Realtime, which clients of Responses over WebSocket know too."""
    return {"type": "error", "event_id": "event_llmproxy", **error_body(status, code, message, "")}


class Chat:
    """Chat completions, as OpenAI and most others have them."""

    path = "/v1/chat/completions"

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        system = [{"role": "system", "content": wishes.system}] if wishes.system else []
        return {"model": wishes.model, "messages": [*system, *messages], "stream": wishes.stream} | limits_of(wishes)

    def text_of_event(self, event: Any) -> str:
        return "".join(text(member(choice, "delta"), "content") for choice in items(event, "choices"))

    def text_of_answer(self, answer: Any) -> str:
        return "".join(text(member(choice, "message"), "content") for choice in items(answer, "choices"))


_USAGES = ("response.usage", "usage", "x_groq.usage", "result.usage")
_MODELS = ("response.model", "model")
_NAMES = ("prompt_tokens", "completion_tokens")
_OTHER_NAMES = ("input_tokens", "output_tokens")
_OTHERS_BESIDE = ("total_tokens", "input_tokens_details", "input_token_details")
"""One of them stands beside the latter."""

_SIGNS = frozenset({*_NAMES, *_OTHERS_BESIDE, "seconds"})
_IDENTITY = tuple(f"{outer}{name}" for outer in ("", "response.") for name in ("id", "status", "background"))


_TIERS = frozenset({"response.service_tier", "service_tier"})
_USUAL = frozenset({"auto", "default"})


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """
    Chat completions, completions, embeddings: C{prompt_tokens}. Responses, decisions, images, audio, Realtime:
    C{input_tokens} beside C{total_tokens}, or C{seconds}.
    """
    for path in _USAGES:
        raw = found.get(path)
        if type(raw) is dict:
            usage = _of_tokens(raw, found) or _of_seconds(raw, "seconds", found)
            if usage is not None:
                return usage
    # Verbose transcriptions of before 2025, and of those who have taken them over.
    return _of_seconds(found, "duration", found) if found.get("task") in ("transcribe", "translate") else None


_COUNTED = (
    *_NAMES,
    "total_tokens",
    # Perplexity's
    "reasoning_tokens",
    # DeepSeek's
    "prompt_cache_hit_tokens",
    # Moonshot's
    "cached_tokens",
)


def _of_tokens(raw: dict[str, Any], found: Mapping[str, Any]) -> Usage | None:
    put_in, came_out, whole, reasoning, hits, cached = counts(raw, _COUNTED)
    cached = cached if hits is None else hits
    written = heard = spoken = into = out = None
    if put_in is None and came_out is None:
        if raw.keys().isdisjoint(_OTHERS_BESIDE):
            return None
        put_in, came_out = counts(raw, _OTHER_NAMES)
        into, out = _details(raw, "input_token"), _details(raw, "output_token")
        if put_in is None and came_out is None and raw.keys().isdisjoint(_OTHER_NAMES):
            # Embeddings and reranking of Voyage and Jina, which put out no tokens.
            put_in = whole
    elif "prompt_tokens_details" in raw or "completion_tokens_details" in raw:
        into, out = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    if into is not None:
        read, written, heard = counts(into, ("cached_tokens", "cache_write_tokens", "audio_tokens"))
        cached = cached if read is None else read
    if out is not None:
        reasoned, spoken = counts(out, ("reasoning_tokens", "audio_tokens"))
        reasoning = reasoning if reasoned is None else reasoned
    if came_out is None:
        came_out = remainder(whole, put_in)
    elif reasoning and whole is not None and total(put_in, came_out, reasoning) == whole:
        # xAI's reasoning is no part of what it says came out.
        came_out += reasoning
    model = model_among(found, _MODELS)
    if not _TIERS.isdisjoint(found):
        raw = _with_tier(raw, found)
    # All by their places: it is made for every answer.
    return Usage(put_in, cached, written, came_out, reasoning, heard, spoken, None, None, model, raw)


def _with_tier(raw: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The way it was served, which decides what it costs, stands beside the usage, and is kept with it."""
    tier = found.get("response.service_tier") or found.get("service_tier")
    if type(tier) is not str or tier in _USUAL or "service_tier" in raw:
        return raw
    return {**raw, "service_tier": tier}


def _details(raw: dict[str, Any], name: str) -> Any:
    """Transcriptions and Realtime have them in the singular."""
    found = raw.get(name + "s_details")
    return raw.get(name + "_details") if found is None else found


def _of_seconds(raw: Mapping[str, Any], name: str, found: Mapping[str, Any]) -> Usage | None:
    seconds = number(raw, name)
    if seconds is None:
        return None
    said = {name: raw[name]} if raw is found else raw
    return Usage(seconds=seconds, served_model=model_among(found, _MODELS), raw=said)


_TRANSCRIPTION = ("audio", "input", "transcription")

_PLACES = Places(
    # /v1/engines/X/completions, before 2022; /v1/fine_tuning/checkpoints/X/permissions
    one=frozenset({"engines", "checkpoints"}),
    # /v1/models/X, where X of others may be ORG/X
    several=frozenset({"models"}),
    # A fine-tuned model: ft:gpt-4o:acme::7pXy
    without_methods=("ft:",),
    unseen=frozenset({"uploads"}),
    naming=("engines", "models"),
    calls=(
        # events of Realtime and of Responses over WebSocket
        ("session",),
        ("response",),
    ),
    models=(
        ("tools", EACH, "model"),
        ("session", "tools", EACH, "model"),
        ("session", *_TRANSCRIPTION, "model"),
        ("session", "input_audio_transcription", "model"),
        (*_TRANSCRIPTION, "model"),
        ("input_audio_transcription", "model"),
        ("response", "tools", EACH, "model"),
        # evaluations, and fine-tuning with a grader
        ("data_source", "model"),
        ("testing_criteria", EACH, "model"),
        ("grader", "model"),
        ("method", "reinforcement", "grader", "model"),
    ),
    lines=(("body",),),
)
"""Batch, Responses, Realtime, Evals, Graders."""

PROVIDERS = (
    Provider(
        "openai",
        book="openai",
        names=("openai",),
        hosts=("openai.com",),
        # The middle of a key of any age is "OpenAI" in base64.
        keys=starting(r"sk-(?:proj|svcacct|admin|None)-|sk-(?!ant-|or-)[A-Za-z0-9_-]{8,}T3BlbkFJ|sess-"),
        error_body=error_body,
        error_event=error_event,
        last_events=(
            b"data: [DONE]",
            b"response.completed",
            b"response.incomplete",
            b"image_generation.completed",
            b"image_edit.completed",
            b"speech.audio.done",
            b"transcript.text.done",
        ),
        request_ids=(b"x-request-id",),
        exposed=(
            "X-Request-ID",
            *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
            "openai-model",
            "openai-organization",
            "openai-processing-ms",
            "openai-version",
        ),
        exposed_families=("openai-",),
        chat=Chat(),
        usages=(UsageShape((*_USAGES, "duration", "task"), (*_MODELS, *sorted(_TIERS)), usage_of, _IDENTITY, _SIGNS),),
        places=_PLACES,
        free=frozenset(
            b"moderations files uploads batches fine_tuning vector_stores conversations containers assistants evals "
            b"skills voices voice_consents organization input_tokens cancel client_secrets sessions "
            b"transcription_sessions content_provenance_checks".split()
        ),
        setup=Setup(
            "https://api.openai.com",
            ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/v1/files"),
        ),
    ),
)
