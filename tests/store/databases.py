"""Real databases for tests, opened in the thread of the test."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from llmproxy.message import Project, Token
from llmproxy.providers.registry import Binding
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.threads import NoThreads

KEY = bytes(range(32))
BINDING = Binding("openai", (("openai", "openai"), ("anthropic", "anthropic"), ("local", "")))
NOW = 1_700_000_000.25
"""A moment with a fraction that is exact in binary."""


def clock_at(now: float = NOW) -> Clock:
    """A clock whose seconds are since the epoch."""
    clock = Clock()
    clock.advance(now)
    return clock


def opened(
    test: Any,
    url: str = ":memory:",
    *,
    key: bytes | None = KEY,
    clock: Clock | None = None,
    binding: Binding | None = BINDING,
) -> Database:
    """A started database, closed when the test ends."""
    database = open_database(clock or clock_at(), url, encryption_key=key, threads=NoThreads, binding=binding)
    test.successResultOf(database.start())
    test.addCleanup(lambda: test.successResultOf(database.close()))
    return database


def project(project_id: str = "p1", **changes: Any) -> Project:
    """@param changes: C{api_key} is one for the default API."""
    if "api_key" in changes:
        changes["api_keys"] = {"openai": (changes.pop("api_key"),)}
    values: dict[str, Any] = {"name": f"project {project_id}", "api_keys": {"openai": ("sk-upstream-canary-key-0001",)}}
    return Project(project_id, **(values | {"created_at": NOW, "updated_at": NOW} | changes))


def token(token_id: str = "t1", project_id: str = "p1", **changes: Any) -> Token:
    values: dict[str, Any] = {
        "token_hash": token_id.encode().hex().rjust(64, "0"),
        "hint": "sk-abcd***",
        "project_id": project_id,
        "expires_at": NOW + 3600,
        "created_at": NOW,
    }
    return Token(token_id, **(values | changes))
