"""
Programs by what they call themselves: few names, whatever clients send.

Read from the sources of the programs, or seen (November 2026).
"""

from __future__ import annotations

import re
from collections.abc import Collection

OTHER = "other"
"""A program that is none of those that are known."""

_BY_PRODUCT = {
    "claude-cli": "claude-code",
    "claude-code": "claude-code",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex-tui": "codex",
    "codex_vscode": "codex",
    "codex_sdk_ts": "codex",
    "codex": "codex",
    "geminicli": "gemini-cli",
    "gemini-cli": "gemini-cli",
    "opencode": "opencode",
    "cline": "cline",
    "roocode": "roo-code",
    "roo-code": "roo-code",
    "kilo-code": "kilo-code",
    "aider": "aider",
    "continue": "continue",
    "cursor": "cursor",
    "zed": "zed",
    "goose": "goose",
    "githubcopilotchat": "github-copilot",
    "openai/python": "openai-python",
    "asyncopenai/python": "openai-python",
    "azureopenai/python": "openai-python",
    "asyncazureopenai/python": "openai-python",
    "openai/js": "openai-node",
    "azureopenai/js": "openai-node",
    "openai/java": "openai-java",
    "openai/go": "openai-go",
    "openai": "openai-dotnet",
    "anthropic/python": "anthropic-python",
    "asyncanthropic/python": "anthropic-python",
    "anthropicvertex/python": "anthropic-python",
    "anthropicbedrock/python": "anthropic-python",
    "anthropic/js": "anthropic-node",
    "anthropic/java": "anthropic-java",
    "anthropic/go": "anthropic-go",
    "google-genai-sdk": "google-genai",
    "google-api-nodejs-client": "google-api-node",
    "mistral-client-python": "mistral-python",
    "groq/python": "groq-python",
    "asyncgroq/python": "groq-python",
    "cohere-python": "cohere-python",
    "litellm": "litellm",
    "langchain": "langchain",
    "langchainjs": "langchain",
    "llama-index": "llama-index",
    "pydantic-ai": "pydantic-ai",
    "ai": "vercel-ai",
    "ai-sdk": "vercel-ai",
    "open-webui": "open-webui",
    "librechat": "librechat",
    "n8n": "n8n",
    "dify": "dify",
    "llmproxy": "llmproxy",
    "curl": "curl",
    "wget": "wget",
    "httpie": "httpie",
    "python-requests": "python-requests",
    "python-httpx": "python-httpx",
    "python-urllib": "python-urllib",
    "aiohttp": "aiohttp",
    "node": "node",
    "node-fetch": "node",
    "undici": "node",
    "axios": "axios",
    "bun": "bun",
    "deno": "deno",
    "go-http-client": "go",
    "okhttp": "okhttp",
    "java-http-client": "java",
    "apache-httpclient": "java",
    "reqwest": "rust-reqwest",
    "postmanruntime": "postman",
    "insomnia": "insomnia",
    "mozilla": "browser",
}

PROGRAMS = frozenset({*_BY_PRODUCT.values(), OTHER})

_PRODUCT = re.compile(r"\s*([^\s/(]+)(?:/([^\s/(]+))?")


def program_of(user_agent: str, own: Collection[str] = ()) -> str:
    """
    The program that a C{User-Agent} names (RFC 9110 section 10.1.5), without its version: one of L{PROGRAMS} or of
    C{own}; C{""} where there is none.

    @param own: names of products that are known besides, in lower case.
    """
    first = _PRODUCT.match(user_agent)
    if first is None:
        return ""
    product, rest = first[1].lower(), (first[2] or "").lower()
    if product in own:
        return product
    # SDKs made by Stainless name the language where others have the version.
    return _BY_PRODUCT.get(f"{product}/{rest}") or _BY_PRODUCT.get(product, OTHER)
