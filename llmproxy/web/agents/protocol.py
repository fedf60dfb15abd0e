"""C{GET /protocol}: which parts of Claude Code's contract with gateways there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ...core import agentpaths
from ..answerresource import AnswerResource, WholeAnswer

if TYPE_CHECKING:
    from twisted.web.server import Request

_ALWAYS = ("POST /v1/messages", "POST /v1/messages/count_tokens")
_OF_KINDS = {
    agentpaths.PROTOCOL: ("GET /protocol",),
    agentpaths.METADATA: (
        "GET /.well-known/oauth-authorization-server",
        "POST /oauth/device_authorization",
        "POST /oauth/token",
        "POST /oauth/revoke",
    ),
    agentpaths.SETTINGS: ("GET /managed/settings",),
    agentpaths.MODELS: ("GET /v1/models",),
    agentpaths.TELEMETRY: ("POST /v1/metrics", "POST /v1/logs", "POST /v1/traces"),
}


class ProtocolBody(msgspec.Struct):
    """
    @ivar endpoints: methods and paths, below the base URL.
    @ivar not_implemented: what the contract has besides, and is not here.
    """

    name: str
    contract: str
    endpoints: list[str]
    not_implemented: list[str]
    errors: str
    sign_in: bool


class Protocol(AnswerResource):
    """
    It is for everybody, and names nothing of the installation, the version neither.

    @param kinds: of L{llmproxy.core.agentpaths}: what there is.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        super().__init__()
        there = set(kinds)
        body = ProtocolBody(
            "llmproxy",
            "claude-code-gateway",
            [*_ALWAYS, *(path for kind, paths in _OF_KINDS.items() if kind in there for path in paths)],
            [path for kind, paths in _OF_KINDS.items() if kind not in there for path in paths],
            "anthropic",
            agentpaths.METADATA in there,
        )
        self._content = msgspec.json.encode(body) + b"\n"

    async def answer(self, request: Request) -> WholeAnswer:
        return WholeAnswer(content=self._content)
