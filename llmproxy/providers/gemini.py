"""Google's Gemini API, and Vertex AI (ai.google.dev/api, cloud.google.com/vertex-ai, read on 30 November 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.inspection.whitelist import EACH
from ..core.places import Places
from ..origin import CredentialPlace
from ..usage import Usage
from .chat import items, member
from .provider import Provider, Setup, starting
from .usage import UsageShape, count, counts, model_among, remainder, total

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(status: int, code: str, message: str, request_id: str) -> dict[str, object]:
    """The status is repeated as a number and by its name in C{google.rpc.Code}."""
    name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return {"error": {"code": status, "message": message, "status": name}}


_COUNTED = (
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """
    C{usageMetadata}: thoughts stand beside the candidates (which the Live API calls the response), prompts of tools
    beside the prompt; 0 is left out.
    """
    raw = found.get("usageMetadata")
    prompt, of_tools, candidates, response, thoughts, cached, whole = counts(raw, _COUNTED)
    if not isinstance(raw, dict) or (prompt is None and whole is None):
        return None
    put_in = None if prompt is None else total(prompt, of_tools)
    out = total(candidates, response, thoughts)
    return Usage(
        input_tokens=put_in,
        cached_input_tokens=cached,
        output_tokens=remainder(whole, put_in) if out is None else out,
        reasoning_tokens=thoughts,
        audio_input_tokens=_audio(raw, "promptTokensDetails"),
        audio_output_tokens=total(_audio(raw, "candidatesTokensDetails"), _audio(raw, "responseTokensDetails")),
        served_model=model_among(found, ("modelVersion",)),
        raw=raw,
    )


def _audio(raw: dict[str, Any], name: str, tokens: str = "tokenCount") -> int | None:
    return (
        None
        if name not in raw
        else total(*(count(each, tokens) for each in items(raw, name) if _is_audio(member(each, "modality"))))
    )


def _is_audio(modality: Any) -> bool:
    return isinstance(modality, str) and modality.lower() == "audio"


_INTERACTIONS = ("interaction.usage", "usage")
_INTERACTION_MODELS = ("interaction.model", "model")


def usage_of_interaction(found: Mapping[str, Any]) -> Usage | None:
    """The Interactions API: thoughts beside the output, prompts of tools beside the input."""
    raw = next(
        (found[path] for path in _INTERACTIONS if count(found.get(path), "total_input_tokens") is not None), None
    )
    if raw is None:
        return None
    thoughts = count(raw, "total_thought_tokens")
    return Usage(
        input_tokens=total(count(raw, "total_input_tokens"), count(raw, "total_tool_use_tokens")),
        cached_input_tokens=count(raw, "total_cached_tokens"),
        output_tokens=total(count(raw, "total_output_tokens"), thoughts),
        reasoning_tokens=thoughts,
        audio_input_tokens=_audio(raw, "input_tokens_by_modality", "tokens"),
        audio_output_tokens=_audio(raw, "output_tokens_by_modality", "tokens"),
        served_model=model_among(found, _INTERACTION_MODELS),
        raw=raw,
    )


_PLACES = Places(
    # .../endpoints/X:predict (Vertex AI)
    one=frozenset({"endpoints"}),
    # /v1beta/models/X:generateContent, /publishers/P/models/X
    several=frozenset({"models", "tunedmodels"}),
    # /endpoints/openapi/chat/completions, where the model stands in the body
    not_names=frozenset({("endpoints", "openapi")}),
    with_methods=frozenset({"models", "tunedmodels", "endpoints"}),
    # Others with a colon are names: llama3:latest (Ollama), X-v1:0 (Bedrock).
    methods=("[a-z]+[A-Z][A-Za-z]*", "predict", "explain"),
    prefixed=(("tunedmodels", "tunedModels/"),),
    naming=("models", "tunedModels"),
    models=(
        ("base_model",),
        ("requests", EACH, "model"),
        ("requests", EACH, "request", "model"),
        ("batch", "model"),
        ("batch", "input_config", "requests", "requests", EACH, "request", "model"),
        ("generate_content_request", "model"),
        ("setup", "model"),
        ("tuned_model_source", "base_model"),
    ),
    lines=(("request",),),
    prefixes=("models/", "publishers/*/models/"),
)
"""Embeddings, Batch, Live, tuning."""

PROVIDERS = (
    Provider(
        "gemini",
        book="google",
        names=("gemini", "google"),
        hosts=("googleapis.com",),
        keys=starting(r"AIza|AQ\.|ya29\."),
        auth="x-goog-api-key",
        credential=CredentialPlace("header", b"x-goog-api-key", b""),
        query_keys=frozenset({b"key"}),
        dialect="gemini",
        error_body=error_body,
        last_events=(b'"finishReason"',),
        request_ids=(b"x-goog-request-id",),
        exposed=("X-Goog-Upload-URL", "X-Goog-Upload-Status", "X-Goog-Upload-Chunk-Granularity"),
        exposed_families=("x-goog-upload-",),
        # Of resumable uploads.
        referring=(b"x-goog-upload-control-url", b"x-goog-upload-url"),
        places=_PLACES,
        free=frozenset(
            b"countTokens computeTokens cachedContents fileSearchStores auth_tokens batchGenerateContent "
            b"asyncBatchEmbedContent operations".split()
        ),
        usages=(
            UsageShape(("usageMetadata",), ("modelVersion",), usage_of, ("responseId",)),
            UsageShape(
                _INTERACTIONS,
                _INTERACTION_MODELS,
                usage_of_interaction,
                ("interaction.id", "interaction.status"),
                frozenset({"total_input_tokens"}),
            ),
        ),
        setup=Setup("https://generativelanguage.googleapis.com", ("/v1beta/models", "/v1beta/openai")),
    ),
)
