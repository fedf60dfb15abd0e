"""Tokens in SQLite."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.token_store import TokenStoreContract
from .databases import opened


class MemoryTokenStoreTests(TokenStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)


class FileTokenStoreTests(TokenStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, self.mktemp(), clock=self.clock)


class IndexTests(SynchronousTestCase):
    def test_each(self) -> None:
        """What is asked of tokens is asked of the index that leads to the fewest; a name is found in an index alone."""
        database = opened(self)
        engine = self.successResultOf(database.read(lambda connection: connection.engine))
        made: list[tuple[str, Any]] = []

        def noted(_: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
            made.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", noted)
        tokens = database.tokens
        for asking, index in (
            (lambda: tokens.page(9), "USING INDEX ix_tokens_created_at"),
            (lambda: tokens.page(9, is_active=True), "USING INDEX ix_tokens_is_active_created_at"),
            (lambda: tokens.page(9, project_id="p"), "USING INDEX ix_tokens_project_id_created_at"),
            (lambda: tokens.page(9, project_id="p", is_active=True), "USING INDEX ix_tokens_project_id_created_at"),
            (lambda: tokens.page(9, project_id="p", is_active=False), "USING INDEX ix_tokens_project_id_created_at"),
            (lambda: tokens.page(9, name="x"), "USING COVERING INDEX ix_tokens_name"),
            (lambda: tokens.page(9, name="x", is_active=True, expired=True), "USING COVERING INDEX ix_tokens_name"),
            (lambda: tokens.page(9, name="x", is_active=True, expired=False), "USING COVERING INDEX ix_tokens_name"),
            (lambda: tokens.page(9, name="x", project_id="p"), "USING INDEX ix_tokens_project_id_created_at"),
            (lambda: tokens.revoke_project("p"), "USING INDEX ix_tokens_project_id_created_at"),
        ):
            made.clear()
            self.successResultOf(asking())
            statement, given = next(each for each in made if re.search("(FROM|UPDATE) tokens", each[0]))
            plan = self.successResultOf(database.read(partial(explained, statement=statement, given=given)))
            self.assertTrue([each for each in plan if index in each], (statement, plan))


def explained(connection: Any, statement: str, given: Any) -> list[str]:
    return [each[-1] for each in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, given)]
