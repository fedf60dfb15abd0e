"""Configuration of coding agents: what the proxy has for Claude Code and Codex beside the APIs that they ask."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

EVERYBODY = "*"
"""In C{groups}: people of every group, and of none."""


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Telemetry = Literal["off", "drop", "sinks"]
"""C{off}: not taken in, 404; C{drop}: answered and forgotten; C{sinks}: becomes events."""


@frozen
class AgentModelConfig:
    """
    @ivar id: what requests name it.
    @ivar display_name: what people read; C{""} is C{id}.
    @ivar details: further members of its entry in a list, JSON as text; C{""} for none.
    """

    id: str = ""
    display_name: str = ""
    details: str = ""


@frozen
class AgentModelsConfig:
    """
    The models that the people of some groups are shown.

    @ivar groups: any of them is enough; L{EVERYBODY} is all people.
    """

    groups: tuple[str, ...] = field(default=(EVERYBODY,), converter=_tuple)
    models: tuple[AgentModelConfig, ...] = field(default=(), converter=_tuple)


@frozen
class AgentSettingsConfig:
    """
    The settings that Claude Code gets of the people of some groups.

    @ivar groups: likewise.
    @ivar file: where they stand as JSON; read with the configuration.
    @ivar settings: they themselves, JSON as text; C{""} where there is a C{file}.
    @ivar content: what was read of either, JSON as text.
    """

    groups: tuple[str, ...] = field(default=(EVERYBODY,), converter=_tuple)
    file: str = ""
    settings: str = ""
    content: str = field()

    @content.default
    def _said(self) -> str:
        return self.settings


@frozen
class ClaudeConfig:
    """
    @ivar api: whose base URL Claude Code is given; C{""} is the default API.
    @ivar models: the first entry whose groups fit is what C{GET /v1/models} shows; without any the API answers.
    @ivar settings: likewise, what C{GET /managed/settings} gives.
    @ivar telemetry: what becomes of Claude Code's own metrics, logs and traces.
    """

    api: str = ""
    models: tuple[AgentModelsConfig, ...] = field(default=(), converter=_tuple)
    settings: tuple[AgentSettingsConfig, ...] = field(default=(), converter=_tuple)
    telemetry: Telemetry = "off"


@frozen
class CodexConfig:
    """
    @ivar api: whose base URL Codex is given; C{""} is the default API.
    @ivar models: the first entry whose groups fit is what Codex gets that asks for models; without any the API answers.
    """

    api: str = ""
    models: tuple[AgentModelsConfig, ...] = field(default=(), converter=_tuple)


@frozen
class SignInConfig:
    """
    Signing in from a device that has no browser of its own (RFC 8628).

    Durations are seconds.

    @ivar token_lifetime: how long an access token is good.
    @ivar sign_in_lifetime: how long it is refreshed; then the person signs in again, and their provider says whether
        they are still who they were.
    @ivar code_lifetime: how long a person has to enter the code.
    """

    token_lifetime: float = 3600.0
    sign_in_lifetime: float = 7 * 86_400.0
    code_lifetime: float = 600.0


@frozen
class AgentsConfig:
    """What there is for coding agents; C{None} is nothing."""

    claude: ClaudeConfig | None = None
    codex: CodexConfig | None = None
    sign_in: SignInConfig | None = None
