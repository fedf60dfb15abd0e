"""C{/manage/agents}: models and settings of coding agents, group by group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ...core.agentversions import SettingsVersion, version_of
from ...core.masking import mask
from ..operations import Call, NoQuery, Operation, Routes
from .responses import Moment, moment

if TYPE_CHECKING:
    from ...config.agents import AgentModelsConfig, AgentsConfig, AgentSettingsConfig

_GROUPS = Annotated[list[str], Meta(description='Any of them is enough; "*" is everybody.')]


class AgentModelView(Struct):
    id: str
    display_name: str


class AgentModelsView(Struct):
    """The models that the people of some groups are shown."""

    groups: _GROUPS
    models: list[AgentModelView]


class AgentSettingsView(Struct):
    """The settings that Claude Code gets of the people of some groups."""

    groups: _GROUPS
    source: Annotated[str, Meta(description="The file that they stand in; empty for the configuration itself.")]
    version: Annotated[str, Meta(description="What the ETag of a client names; the same settings have the same.")]
    settings: Annotated[dict[str, Any], Meta(description="With what looks like a key masked.")]


class ClaudeView(Struct):
    api: str
    models: list[AgentModelsView]
    settings: list[AgentSettingsView]
    telemetry: Annotated[str, Meta(description="off, drop or sinks")]


class CodexView(Struct):
    api: str
    models: list[AgentModelsView]


class SignInView(Struct):
    """Signing in from a device; all are seconds."""

    token_lifetime: float
    sign_in_lifetime: float
    code_lifetime: float


class AgentsView(Struct):
    """What is null is off."""

    claude: ClaudeView | None
    codex: CodexView | None
    sign_in: SignInView | None


class AgentSettingsVersionView(Struct):
    """
    @ivar groups: whom it is for, with commas.
    @ivar version: null: there are none from then on.
    @ivar version_before: null: there were none.
    @ivar settings: with what looks like a key masked; null for none.
    """

    noted_at: Moment
    groups: str
    version: str | None
    version_before: str | None
    settings: dict[str, Any] | None


class VersionsFilter(NoQuery, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 50


class AgentRoutes:
    """
    @param config: gives what is served now, with the name of the default API; C{None} for nothing.
    @param versions: gives at most so many versions of managed settings, the last ones first; C{None} where they are not
        kept.
    """

    def __init__(
        self,
        config: Callable[[], tuple[AgentsConfig | None, str]],
        versions: Callable[[int], Awaitable[Sequence[SettingsVersion]]] | None = None,
    ) -> None:
        self._config = config
        self._versions = versions

    def routes(self) -> Routes:
        return {
            "/agents": {
                b"GET": Operation(
                    self.show,
                    answer=AgentsView,
                    needs="config.read",
                    action="agents.show",
                    summary="Show what coding agents get: models and managed settings by group.",
                ),
            },
            "/agents/settings/versions": {
                b"GET": Operation(
                    self.list_versions,
                    query=VersionsFilter,
                    answer=list[AgentSettingsVersionView],
                    needs="config.read",
                    action="agents.versions",
                    summary="List the versions of managed settings that there were, the last ones first.",
                ),
            },
        }

    async def list_versions(self, call: Call) -> list[AgentSettingsVersionView]:
        query: VersionsFilter = call.query
        found = [] if self._versions is None else await self._versions(query.limit)
        return [
            AgentSettingsVersionView(
                moment(each.noted_at),
                each.groups,
                each.version or None,
                each.version_before or None,
                msgspec.json.decode(each.content, type=dict[str, Any]) if each.content else None,
            )
            for each in found
        ]

    async def show(self, call: Call) -> AgentsView:
        config, default = self._config()
        if config is None:
            return AgentsView(None, None, None)
        claude, codex, sign_in = config.claude, config.codex, config.sign_in
        return AgentsView(
            None
            if claude is None
            else ClaudeView(
                claude.api or default,
                _models(claude.models),
                [_settings(each) for each in claude.settings],
                claude.telemetry,
            ),
            None if codex is None else CodexView(codex.api or default, _models(codex.models)),
            None
            if sign_in is None
            else SignInView(sign_in.token_lifetime, sign_in.sign_in_lifetime, sign_in.code_lifetime),
        )


def _models(entries: tuple[AgentModelsConfig, ...]) -> list[AgentModelsView]:
    return [
        AgentModelsView(
            list(entry.groups), [AgentModelView(each.id, each.display_name or each.id) for each in entry.models]
        )
        for entry in entries
    ]


def _settings(entry: AgentSettingsConfig) -> AgentSettingsView:
    shown = msgspec.json.decode(mask(entry.content or "{}"), type=dict[str, Any])
    return AgentSettingsView(list(entry.groups), entry.file, version_of(entry.content), shown)
