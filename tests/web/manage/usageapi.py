"""The management API with usage, kept in memory."""

from __future__ import annotations

from typing import Any

from llmproxy.management.usage import UsageRules
from llmproxy.web.manage.usage import UsageRoutes

from ...usagereports import MemoryReports
from .api import ManageTestCase


class UsageManageTestCase(ManageTestCase):
    """@ivar reports: where usage is kept."""

    def setUp(self) -> None:
        self.reports = MemoryReports()
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        database = self.database
        rules = UsageRules(self.clock.seconds, projects or database.projects, database.tokens, self.reports)
        return super().resource(projects, **{**more, "more": (UsageRoutes(rules).routes(), *more.get("more", ()))})
