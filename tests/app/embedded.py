"""An embedded proxy in memory: an application's own parts, a clock, and an upstream that a test answers for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from treq.testing import StringStubbingResource, StubTreq
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from llmproxy.app.proxy import TransparentProxy
from llmproxy.config import CacheConfig, ProxyConfig
from llmproxy.errors import InvalidToken, RateLimitExceeded
from llmproxy.interfaces import IProjectActiveChecker, ITokenValidator
from llmproxy.message import ApiRequest, ApiResponse, Project, Record

from ..store.databases import clock_at

SECRET = "a token of the application's own"
PROJECT = Project("p1", "one", {"llm": ("sk-upstream-canary",)})


@implementer(ITokenValidator)
class Validator:
    """@ivar uses: how many are left."""

    def __init__(self, uses: int = 1000) -> None:
        self.uses = uses
        self.asked: list[tuple[str, str]] = []

    def validate_token(self, secret: str) -> Deferred[str]:
        self.asked.append(("validate", secret))
        return succeed("p1") if secret == SECRET else fail(InvalidToken())

    def validate_token_with_tracking(self, secret: str) -> Deferred[str]:
        self.asked.append(("track", secret))
        if not self.uses:
            return fail(RateLimitExceeded())
        self.uses -= 1
        return succeed("p1")


class Projects:
    """All of a store of projects that requests need."""

    def __init__(self, *projects: Project) -> None:
        self._projects = {project.id: project for project in projects or (PROJECT,)}

    def get(self, project_id: str) -> Deferred[Project | None]:
        return succeed(self._projects.get(project_id))


@implementer(IProjectActiveChecker)
class Checker:
    def __init__(self, answer: Any = True) -> None:
        self.answer = answer

    def is_project_active(self, project_id: str) -> Deferred[bool]:
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)


def an_upstream(*answers: Any) -> StubTreq:
    """@param answers: status, fields and body of each; without any it always says C{hello}."""
    left = list(answers)
    return StubTreq(StringStubbingResource(lambda *_: left.pop(0) if answers else (200, {}, b"hello")))


def a_config(**changes: Any) -> ProxyConfig:
    values: dict[str, Any] = {
        "api_name": "llm",
        "base_url": "http://192.0.2.9",
        "allowed_endpoints": ["/v1"],
        "allowed_methods": ["GET", "POST"],
        "cache": CacheConfig(False),
    }
    return ProxyConfig(**{**values, **changes})


def embedded(clock: Clock | None = None, config: Any = None, **given: Any) -> TransparentProxy:
    """A proxy without a database, which is started."""
    parts = {
        "token_validator": Validator(),
        "project_store": Projects(),
        "upstream_client": an_upstream(),
        **given,
    }
    proxy = TransparentProxy(clock_at() if clock is None else clock, a_config() if config is None else config, **parts)
    proxy.startService()
    return proxy


def a_request(path: bytes = b"/v1/x", secret: str | None = SECRET, *fields: tuple[bytes, bytes]) -> ApiRequest:
    known: Sequence[tuple[bytes, bytes]] = () if secret is None else [(b"Authorization", b"Bearer " + secret.encode())]
    return ApiRequest(b"GET", path, [(b"Host", b"x"), *known, *fields], None, Record("id", "GET", "/v1/x", "", 0.0))


class Body:
    """Reads a response to its end."""

    def __init__(self, response: ApiResponse) -> None:
        self.read = b""
        self.ended: Deferred[None] = succeed(None) if response.body is None else response.body.startProducing(self)

    def write(self, data: bytes) -> None:
        self.read += data
