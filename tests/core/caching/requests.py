"""Requests as they reach the cache."""

from __future__ import annotations

from llmproxy.apisettings import CacheSettings
from llmproxy.message import (
    Api,
    ApiRequest,
    Field,
    Principal,
    Project,
    Record,
    Route,
    Token,
)
from llmproxy.origin import Origin, Timeouts, Upstream

ORIGIN = Origin("https", "api.test", 443, b"api.test")


def api(name: str = "api", settings: CacheSettings | None = None, prefix: bytes = b"", debug: bool = False) -> Api:
    """An API with its key in C{Authorization}."""
    return Api(
        name,
        (Upstream(ORIGIN, prefix),),
        "proxy",
        Timeouts(),
        None,
        debug,
        {} if settings is None else {"cache": settings},
    )


def principal(project: str = "p1", token: str = "t1") -> Principal:
    return Principal(
        Token(token, "hash", "sk-...", project, None), Project(project, project, {"api": ("upstream-key",)})
    )


def request(
    target: bytes = b"/v1/models",
    fields: list[Field] | None = None,
    *,
    method: bytes = b"GET",
    project: str = "p1",
    of: Api | None = None,
    body: object = None,
) -> ApiRequest:
    """A request that route and authenticate have seen."""
    made = ApiRequest(
        method,
        target,
        [(b"Host", b"llm"), (b"Authorization", b"Bearer sk-x"), *(fields or [])],
        body,  # type: ignore[arg-type]
        Record("r", method.decode(), target.decode("latin-1"), "127.0.0.1", 0.0),
    )
    made.route = Route(of or api(), target, target.partition(b"?")[0], "")
    made.principal = principal(project)
    return made
