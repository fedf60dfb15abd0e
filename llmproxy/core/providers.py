"""
Providers: what tells whose API an address is, and whose key a text is.

The beginnings of keys are those that the providers' own documents show and that scanners for leaked secrets look for.
A beginning that several providers use (C{sk-} alone) tells nothing and is not here.
"""

from __future__ import annotations

import re

from attrs import frozen


@frozen
class Provider:
    """
    @ivar names: what an API that leads there is usually called, in lower case.
    @ivar hosts: the names of its hosts, or their ends after a dot.
    @ivar keys: how its keys begin.
    @ivar query_keys: the parameters of a query, in lower case, that it takes a key in although a field is usual.
    """

    name: str
    names: tuple[str, ...]
    hosts: tuple[str, ...]
    keys: re.Pattern[str] | None = None
    query_keys: frozenset[bytes] = frozenset()


def _starting(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.ASCII)


PROVIDERS: tuple[Provider, ...] = (
    Provider("anthropic", ("anthropic", "claude"), ("anthropic.com",), _starting("sk-ant-")),
    Provider("openrouter", ("openrouter",), ("openrouter.ai",), _starting("sk-or-")),
    Provider(
        "openai",
        ("openai",),
        ("openai.com",),
        # The middle of a key of any age is "OpenAI" in base64.
        _starting(r"sk-(?:proj|svcacct|admin|None)-|sk-[A-Za-z0-9_-]{8,}T3BlbkFJ|sess-"),
    ),
    Provider("gemini", ("gemini", "google"), ("googleapis.com",), _starting(r"AIza|AQ\.|ya29\."), frozenset({b"key"})),
    Provider(
        "azure",
        ("azure",),
        ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
        query_keys=frozenset({b"api-key"}),
    ),
    Provider("bedrock", ("bedrock",), ("amazonaws.com",), _starting("ABSK|AKIA")),
    Provider("groq", ("groq",), ("groq.com",), _starting("gsk_")),
    Provider("xai", ("xai", "grok"), ("x.ai",), _starting("xai-")),
    Provider("perplexity", ("perplexity",), ("perplexity.ai",), _starting("pplx-")),
    Provider("huggingface", ("huggingface",), ("huggingface.co", "huggingface.cloud"), _starting("hf_")),
    Provider("nvidia", ("nvidia",), ("api.nvidia.com",), _starting("nvapi-")),
    Provider("fireworks", ("fireworks",), ("fireworks.ai",), _starting("fw_")),
    Provider("cerebras", ("cerebras",), ("cerebras.ai",), _starting("csk-")),
    Provider("replicate", ("replicate",), ("replicate.com",), _starting("r8_")),
    Provider("together", ("together",), ("together.ai", "together.xyz"), _starting("tgp_")),
    Provider("mistral", ("mistral",), ("mistral.ai",)),
    Provider("deepseek", ("deepseek",), ("deepseek.com",)),
    Provider("cohere", ("cohere",), ("cohere.com", "cohere.ai")),
)


def provider_of(api: str, host: str) -> Provider | None:
    """
    Whose API this is: by its host; where that says nothing (a gateway, a server of one's own), by what it is called.

    @param api: the name of the API in the configuration.
    """
    host = host.lower().rstrip(".")
    for provider in PROVIDERS:
        if any(host == each or host.endswith("." + each) for each in provider.hosts):
            return provider
    return next((provider for provider in PROVIDERS if api.lower() in provider.names), None)


def provider_of_key(key: str) -> str:
    """The name of the provider that a key's shape names; C{""} where it names none."""
    return next((each.name for each in PROVIDERS if each.keys is not None and each.keys.match(key)), "")


@frozen
class Binding:
    """
    Which API a key was given for, where nobody said which: of one configuration.

    @ivar apis: the names of its APIs, each with the name of its provider or C{""}.
    """

    default_api: str
    apis: tuple[tuple[str, str], ...] = ()

    def api_for(self, key: str) -> str:
        """
        The one whose provider the key's shape names, of several the default one or else the first; where the shape
        says nothing the default one.

        @return: the name of an API; C{""} where the shape names a provider that none leads to.
        """
        provider = provider_of_key(key)
        if not provider:
            return self.default_api
        found = [name for name, whose in self.apis if whose == provider]
        return self.default_api if self.default_api in found else next(iter(found), "")
