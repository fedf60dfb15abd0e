"""The database of a proxy; tests/store has what it is made of."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from llmproxy.app.settings import Settings
from llmproxy.app.stored import Stored
from llmproxy.providers.registry import Binding

from ..store.databases import project, token
from .embedded import Projects, a_config


class StoredTests(TestCase):
    async def opened(self, projects: Any = None) -> Stored:
        settings = Settings(a_config().alone(), database_url=":memory:")
        stored = Stored(reactor, settings, Binding("llm", (("llm", ""),)), projects)
        await stored.start()
        stored.count()
        self.addCleanup(self.close, stored)
        return stored

    async def close(self, stored: Stored) -> None:
        await stored.stop_following()
        await stored.quota.stop()
        await stored.database.close()

    async def test_changes(self) -> None:
        """What another process changed is true here when it is heard of."""
        stored = await self.opened()
        await stored.database.projects.create(project(api_keys={}))
        await stored.database.tokens.create(token())
        await stored.database.tokens.update("t1", is_active=False)
        await stored.changes.heard("token", "t1")
        self.assertIs(stored.projects, stored.database.projects)

    async def test_own_projects(self) -> None:
        """An application's own are in the place of those in the database."""
        mine = Projects()
        stored = await self.opened(mine)
        self.assertIs(stored.projects, mine)
        self.assertTrue(await stored.directory.is_project_active("p1"))

    async def test_never_started(self) -> None:
        """One that never was open has nothing to stop."""
        settings = Settings(a_config().alone(), database_url=":memory:")
        stored = Stored(reactor, settings, Binding("llm", (("llm", ""),)))
        await stored.stop_following()
        await stored.database.close()
