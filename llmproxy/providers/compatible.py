"""Vendors that speak as OpenAI does, or of which no more is known than hosts and keys: a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.inspection.whitelist import EACH
from ..core.places import Places
from ..usage import Usage
from .provider import Provider, Setup, starting
from .usage import UsageShape, count, model_among, total

_OLLAMA = ("prompt_eval_count", "eval_count")
_LLAMA = ("tokens_evaluated", "tokens_predicted")
_USAGES = ("usage", "response.usage", "message.usage")
"""Those of its other dialects, which it has beside its C{timings}."""


def usage_of_ollama(found: Mapping[str, Any]) -> Usage | None:
    """Ollama's own API: the last line has two counts at its top (docs/api.md of ollama/ollama)."""
    raw = {name: found[name] for name in _OLLAMA if name in found}
    if not raw:
        return None
    put_in, out = (count(raw, name) for name in _OLLAMA)
    return Usage(input_tokens=put_in, output_tokens=out, served_model=model_among(found, ("model",)), raw=raw)


def usage_of_llama(found: Mapping[str, Any]) -> Usage | None:
    """
    llama.cpp's own API, and its C{timings} where an answer has no C{usage}: C{prompt_n} is what was not in its cache
    (tools/server/README.md of ggml-org/llama.cpp).
    """
    if any(isinstance(found.get(path), dict) for path in _USAGES):
        return None
    timings = found.get("timings")
    raw = {name: found[name] for name in (*_LLAMA, "timings") if name in found}
    cached, fresh = count(timings, "cache_n"), count(timings, "prompt_n")
    put_in, out = (count(raw, name) for name in _LLAMA)
    put_in = total(fresh, cached) if put_in is None and fresh is not None else put_in
    out = count(timings, "predicted_n") if out is None else out
    if put_in is None and out is None:
        return None
    model = model_among(found, ("model",))
    return Usage(input_tokens=put_in, cached_input_tokens=cached, output_tokens=out, served_model=model, raw=raw)


_MODELS = ("model",)

PROVIDERS = (
    Provider(
        "openrouter",
        book="openrouter",
        names=("openrouter",),
        hosts=("openrouter.ai",),
        keys=starting("sk-or-"),
        places=Places(models=(("models", EACH), ("fallbacks", EACH, "model"))),
    ),
    Provider(
        "groq",
        book="groq",
        names=("groq",),
        hosts=("groq.com",),
        keys=starting("gsk_"),
        setup=Setup("https://api.groq.com/openai", ("/v1/chat/completions", "/v1/models")),
    ),
    Provider("xai", book="x-ai", names=("xai", "grok"), hosts=("x.ai",), keys=starting("xai-")),
    Provider("perplexity", book="perplexity", names=("perplexity",), hosts=("perplexity.ai",), keys=starting("pplx-")),
    Provider(
        "huggingface",
        names=("huggingface",),
        hosts=("huggingface.co", "huggingface.cloud"),
        keys=starting("hf_"),
    ),
    Provider("nvidia", names=("nvidia",), hosts=("api.nvidia.com",), keys=starting("nvapi-")),
    Provider("fireworks", book="fireworks", names=("fireworks",), hosts=("fireworks.ai",), keys=starting("fw_")),
    Provider("cerebras", book="cerebras", names=("cerebras",), hosts=("cerebras.ai",), keys=starting("csk-")),
    Provider("replicate", names=("replicate",), hosts=("replicate.com",), keys=starting("r8_")),
    Provider(
        "together", book="together", names=("together",), hosts=("together.ai", "together.xyz"), keys=starting("tgp_")
    ),
    Provider(
        "mistral",
        book="mistral",
        names=("mistral",),
        hosts=("mistral.ai",),
        # Batch
        places=Places(calls=(("requests", EACH, "body"),), lines=(("body",),)),
    ),
    # /ai/run/@cf/meta/X
    Provider("cloudflare", book="cloudflare", places=Places(several=frozenset({"run"}))),
    Provider("elevenlabs", places=Places(models=(("model_id",),))),
    Provider("deepseek", book="deepseek", names=("deepseek",), hosts=("deepseek.com",)),
    # Servers of one's own, wherever they are.
    Provider(
        "ollama",
        names=("ollama",),
        last_events=(b'"done":true', b'"done": true'),
        usages=(UsageShape(_OLLAMA, _MODELS, usage_of_ollama),),
        free=frozenset({b"show", b"pull", b"push", b"copy", b"create"}),
    ),
    Provider(
        "llamacpp",
        names=("llamacpp", "llama.cpp", "llama-server"),
        usages=(UsageShape((*_LLAMA, "timings"), _MODELS, usage_of_llama),),
        # vLLM's and Cohere's too.
        free=frozenset({b"tokenize", b"detokenize", b"apply-template", b"slots"}),
    ),
    Provider("vllm", names=("vllm",)),
)
