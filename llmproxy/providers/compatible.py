"""Vendors that speak as OpenAI does, or of which no more is known than hosts and keys: a line each."""

from __future__ import annotations

from ..core.inspection.whitelist import EACH
from ..core.places import Places
from .provider import Provider, Setup, starting

PROVIDERS = (
    Provider(
        "openrouter",
        names=("openrouter",),
        hosts=("openrouter.ai",),
        keys=starting("sk-or-"),
        places=Places(models=(("models", EACH), ("fallbacks", EACH, "model"))),
    ),
    Provider(
        "bedrock",
        names=("bedrock",),
        hosts=("amazonaws.com",),
        keys=starting("ABSK|AKIA"),
        request_ids=(b"x-amzn-requestid",),
        stream_types=(b"application/vnd.amazon.eventstream",),
        # /model/X/invoke, where X can be an ARN; /endpoints/X/invocations (SageMaker)
        places=Places(
            one=frozenset({"endpoints"}), several=frozenset({"model"}), naming=("model",), models=(("model_id",),)
        ),
    ),
    Provider(
        "groq",
        names=("groq",),
        hosts=("groq.com",),
        keys=starting("gsk_"),
        setup=Setup("https://api.groq.com/openai", ("/v1/chat/completions", "/v1/models")),
    ),
    Provider("xai", names=("xai", "grok"), hosts=("x.ai",), keys=starting("xai-")),
    Provider("perplexity", names=("perplexity",), hosts=("perplexity.ai",), keys=starting("pplx-")),
    Provider(
        "huggingface",
        names=("huggingface",),
        hosts=("huggingface.co", "huggingface.cloud"),
        keys=starting("hf_"),
    ),
    Provider("nvidia", names=("nvidia",), hosts=("api.nvidia.com",), keys=starting("nvapi-")),
    Provider("fireworks", names=("fireworks",), hosts=("fireworks.ai",), keys=starting("fw_")),
    Provider("cerebras", names=("cerebras",), hosts=("cerebras.ai",), keys=starting("csk-")),
    Provider("replicate", names=("replicate",), hosts=("replicate.com",), keys=starting("r8_")),
    Provider("together", names=("together",), hosts=("together.ai", "together.xyz"), keys=starting("tgp_")),
    Provider(
        "mistral",
        names=("mistral",),
        hosts=("mistral.ai",),
        # Batch
        places=Places(calls=(("requests", EACH, "body"),), lines=(("body",),)),
    ),
    # /ai/run/@cf/meta/X
    Provider("cloudflare", places=Places(several=frozenset({"run"}))),
    Provider("elevenlabs", places=Places(models=(("model_id",),))),
    Provider("deepseek", names=("deepseek",), hosts=("deepseek.com",)),
    Provider("cohere", names=("cohere",), hosts=("cohere.com", "cohere.ai")),
)
