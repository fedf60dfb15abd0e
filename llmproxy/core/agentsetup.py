"""Configuration of coding agents: what they have to know of a proxy, in their own words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import frozen

TOKEN_VARIABLE = "LLMPROXY_TOKEN"  # noqa: S105
"""Where Codex looks for the token, unless a command gives it."""

TOKEN_FIELD = "X-LLMProxy-Token"  # noqa: S105
"""Carries our token where C{Authorization} carries the user's own credential."""

PROVIDER = "llmproxy"
"""The name of our entry among Codex's C{model_providers}."""

Credential = Literal["variable", "command", "own"]
"""C{variable}: the token is in the environment; C{command}: a program prints it; C{own}: the user's own goes on."""


@frozen
class AgentSetup:
    """
    @ivar url: where the proxy is.
    @ivar api: the API that is asked; C{""} is the default one.
    @ivar credential: how the program comes by its token.
    @ivar command: prints it, for C{command}.
    @ivar model: C{""} leaves the choice to the program.
    """

    url: str
    api: str
    credential: Credential = "variable"
    command: Sequence[str] = ()
    model: str = ""

    @property
    def base_url(self) -> str:
        return "/".join([self.url.rstrip("/"), *([self.api] if self.api else [])])


def claude_settings(setup: AgentSetup) -> dict[str, Any]:
    """What belongs in Claude Code's C{settings.json}; no secret."""
    found: dict[str, Any] = {
        "env": {"ANTHROPIC_BASE_URL": setup.base_url, "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    }
    if setup.credential == "command":
        found["apiKeyHelper"] = shlex.join(setup.command)
    if setup.model:
        found["model"] = setup.model
    return found


def claude_gateway(setup: AgentSetup) -> dict[str, Any]:
    """
    What belongs in the C{managed-settings.json} of a machine whose people sign in by Claude Code's own C{/login}. It
    takes an address of no other file, so that nobody but an administrator says where people's tokens go.
    """
    found: dict[str, Any] = {
        "forceLoginMethod": "gateway",
        "forceLoginGatewayUrl": setup.base_url,
        "env": {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"},
    }
    if setup.model:
        found["model"] = setup.model
    return found


CLAUDE_CREDENTIALS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
"""Variables of Claude Code that win over C{apiKeyHelper}."""


def merged(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others put over them, mappings member by member; what only C{before} has is kept."""
    found = dict(before)
    for name, value in more.items():
        there = found.get(name)
        both = isinstance(value, Mapping) and isinstance(there, Mapping)
        found[name] = merged(there, value) if both else value  # type: ignore[arg-type]
    return found


def codex_settings(setup: AgentSetup) -> dict[str, Any]:
    """What belongs in Codex's C{config.toml}; no secret."""
    provider: dict[str, Any] = {
        "name": PROVIDER,
        "base_url": f"{setup.base_url}/v1",
        "wire_api": "responses",
    }
    if setup.credential == "variable":
        provider["env_key"] = TOKEN_VARIABLE
    elif setup.credential == "own":
        provider["requires_openai_auth"] = True
        provider["env_http_headers"] = {TOKEN_FIELD: TOKEN_VARIABLE}
    else:
        provider["auth"] = {"command": setup.command[0], "args": list(setup.command[1:])}
    found: dict[str, Any] = {"model_provider": PROVIDER}
    if setup.model:
        found["model"] = setup.model
    found["model_providers"] = {PROVIDER: provider}
    return found
