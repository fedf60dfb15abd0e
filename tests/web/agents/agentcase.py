"""A proxy in memory with what there is for coding agents, and a client of it."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.agents import AgentsConfig, ClaudeConfig
from llmproxy.message import Principal
from llmproxy.testing.proxy import SECRET, MemoryProxy
from llmproxy.web.agents.access import NOBODY, Caller

BEARER = {"Authorization": f"Bearer {SECRET}"}


class KnownCallers:
    """Whose token it is, said by the test."""

    def __init__(self) -> None:
        self.caller: Caller = NOBODY

    def caller_of(self, principal: Principal) -> Deferred[Caller]:
        return succeed(self.caller)


class Got:
    """An answer."""

    def __init__(self, status: int, length: Any, headers: Any, body: bytes) -> None:
        self.status = status
        self.length = length
        self.headers = headers
        self.body = body

    def field(self, name: str) -> str:
        return ",".join(self.headers.getRawHeaders(name) or [])


class AgentTestCase(SynchronousTestCase):
    """
    @ivar claude: what the configuration says for Claude Code.
    """

    claude: ClaudeConfig | None = ClaudeConfig()
    more: AgentsConfig = AgentsConfig()
    apis = {
        "anthropic": APIProviderConfig(
            "https://anthropic.example",
            allowed_endpoints=("/v1/messages",),
            allowed_methods=("POST", "HEAD"),
            dialect="anthropic",
        ),
        "openai": APIProviderConfig(
            "https://openai.example",
            allowed_endpoints=("/v1/responses", "/v1/models"),
            allowed_methods=("GET", "POST"),
            dialect="openai",
        ),
    }

    def setUp(self) -> None:
        agents = evolve(self.more, claude=self.claude)
        self.memory = MemoryProxy(APIConfig(self.apis, "anthropic", agents=agents), **self.parts())
        self.addCleanup(self.memory.stop)
        self.resource = self.memory.proxy.resource()
        self.client = StubTreq(self.resource)

    def parts(self) -> dict[str, Any]:
        """What the proxy is made with besides."""
        return {}

    def ask(self, method: str, path: str, **keywords: Any) -> Got:
        """Ask with the token that is known, unless other fields are given."""
        keywords.setdefault("headers", BEARER)
        asking = self.client.request(method, f"http://proxy.example{path}", **keywords)
        self.client.flush()
        response = self.successResultOf(asking)
        return Got(
            response.code, response.length, response.headers, self.successResultOf(self.client.content(response))
        )
