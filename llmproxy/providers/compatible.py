"""Vendors that speak as OpenAI does, or of which no more is known than hosts and keys: a line each."""

from __future__ import annotations

from .provider import Provider, Setup, starting

PROVIDERS = (
    Provider("openrouter", names=("openrouter",), hosts=("openrouter.ai",), keys=starting("sk-or-")),
    Provider(
        "bedrock",
        names=("bedrock",),
        hosts=("amazonaws.com",),
        keys=starting("ABSK|AKIA"),
        request_ids=(b"x-amzn-requestid",),
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
    Provider("mistral", names=("mistral",), hosts=("mistral.ai",)),
    Provider("deepseek", names=("deepseek",), hosts=("deepseek.com",)),
    Provider("cohere", names=("cohere",), hosts=("cohere.com", "cohere.ai")),
)
