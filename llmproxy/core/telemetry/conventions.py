"""
The semantic conventions for generative AI: names of what is said of a call to a model.

Two versions are known, see L{LEGACY} and L{LATEST}. They were read on 30 November 2026. C{docs/tracing.md} has them as
tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

Semconv = Literal["legacy", "latest", "both"]

LEGACY = "1.36.0"
"""
What instrumentations emit unless they are asked for the latest:
U{https://github.com/open-telemetry/semantic-conventions/tree/v1.36.0/docs/gen-ai}.
"""

LATEST = "0.1.0"
"""
Of the repository that the conventions moved to:
U{https://github.com/open-telemetry/semantic-conventions-genai}, which depends on the general conventions 1.45.0.
"""

PROVIDERS: Mapping[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "cohere": "cohere",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "xai": "x_ai",
    "perplexity": "perplexity",
    "mistral": "mistral_ai",
    "deepseek": "deepseek",
}
"""C{gen_ai.provider.name}, by our names; of others the name is our own, which the conventions allow."""

SYSTEMS: Mapping[str, str] = {**PROVIDERS, "xai": "xai"}
"""C{gen_ai.system}, likewise."""

_HOSTS: tuple[tuple[str, str], ...] = (
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "azure.ai.inference"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.moonshot.cn", "moonshot_ai"),
)
"""Where a host says more than the name of its provider."""

OPERATIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"/chat/completions/?$", "chat"),
        (r"/completions?/?$", "text_completion"),
        (r"/responses/?$", "chat"),
        (r"/messages/?$", "chat"),
        (r"/v[12]/chat/?$", "chat"),
        (r"/api/chat/?$", "chat"),
        (r"/api/generate/?$", "text_completion"),
        (r"/converse(-stream)?/?$", "chat"),
        (r"/invoke(-with-response-stream)?/?$", "chat"),
        (r":(streamGenerateContent|generateContent|streamRawPredict|rawPredict)$", "generate_content"),
        (r"/(embeddings|embed)/?$", "embeddings"),
        (r":(embedContent|batchEmbedContents)$", "embeddings"),
        (r"/threads/(runs|[^/]+/runs)/?$", "invoke_agent"),
        (r"/assistants/?$", "create_agent"),
        (r"/vector_stores/[^/]+/search/?$", "retrieval"),
        (r"/images/(generations|edits|variations)/?$", "generate_content"),
        (r"/audio/(speech|transcriptions|translations)/?$", "generate_content"),
        (r"/interactions/?$", "chat"),
    )
)
"""C{gen_ai.operation.name} of a C{POST}, by its path; the first that is found."""

_FETCHED = re.compile(r"/(responses|chat/completions|interactions)/[^/]+$")
_THREAD = re.compile(r"/threads/[^/]+/messages/?$")


@lru_cache(maxsize=1024)
def operation_of(method: str, path: str) -> str:
    """C{gen_ai.operation.name}; C{""} for what asks no model."""
    if method == "GET":
        return "fetch_response" if _FETCHED.search(path) else ""
    if method != "POST" or _THREAD.search(path):
        return ""
    return next((name for pattern, name in OPERATIONS if pattern.search(path)), "")


def provider_name(provider: str, host: str = "") -> str:
    """C{gen_ai.provider.name}; C{_OTHER} for one of which nothing is known."""
    return _by_host(host) or PROVIDERS.get(provider, provider) or "_OTHER"


def system_name(provider: str, host: str = "") -> str:
    """C{gen_ai.system}, likewise."""
    return _by_host(host) or SYSTEMS.get(provider, provider) or "_OTHER"


def _by_host(host: str) -> str:
    return next((name for suffix, name in _HOSTS if host == suffix or host.endswith(("." + suffix, "-" + suffix))), "")


@lru_cache(maxsize=1024)
def named(semconv: Semconv, provider: str, host: str = "") -> Mapping[str, str]:
    """The attributes that say whose a model is; not to be changed, since they are remembered."""
    names = {} if semconv == "latest" else {"gen_ai.system": system_name(provider, host)}
    if semconv != "legacy":
        names["gen_ai.provider.name"] = provider_name(provider, host)
    return names


def semconv_of(opted: str) -> Semconv | None:
    """
    What C{OTEL_SEMCONV_STABILITY_OPT_IN} says; C{None} where it says nothing of these conventions.

    @param opted: words with commas between them.
    """
    words = {each.strip() for each in opted.split(",")}
    if "gen_ai_latest_experimental" in words:
        return "latest"
    return None
