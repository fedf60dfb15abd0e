"""What others changed, read in order and without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store import changes as module
from llmproxy.store.changes import INTERVAL, KEPT_FOR, Changes

from .databases import clock_at, opened, project, token


class ChangesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        path = self.mktemp()
        self.here = opened(self, path, clock=self.clock)
        self.there = opened(self, path, clock=self.clock)
        self.successResultOf(self.there.projects.create(project()))
        for name in ("t1", "t2"):
            self.successResultOf(self.there.tokens.create(token(name)))
        self.heard: list[Any] = []
        self.lost = 0
        self.answer: Deferred[None] | None = None
        self.changes = self.started(self.here)

    def started(self, database: Any) -> Changes:
        changes = Changes(self.clock, database, self.hear, self.lose)
        self.successResultOf(changes.start())
        self.addCleanup(changes.stop)
        return changes

    def hear(self, changes: Sequence[Any]) -> Deferred[None]:
        self.heard += changes
        return self.answer or succeed(None)

    def lose(self) -> Deferred[None]:
        self.lost += 1
        return succeed(None)

    def revoke(self, token_id: str = "t1") -> None:
        self.successResultOf(self.there.tokens.update(token_id, is_active=False))

    def test_heard(self) -> None:
        """What another process changed is known within a second, in order; what was before the start is not told."""
        self.revoke()
        self.successResultOf(self.there.projects.update("p1", api_keys={"openai": ("new",)}))
        self.successResultOf(self.there.tokens.revoke_project("p1"))
        self.assertEqual(self.heard, [])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.heard, [("token", "t1"), ("project", "p1"), ("tokens_of", "p1")])
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.heard), 3)
        self.started(self.here)
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.heard), 3)

    def test_nothing_changed(self) -> None:
        """What changed nothing is not told, nor what was rolled back."""
        self.successResultOf(self.there.tokens.update("x", is_active=False))
        self.successResultOf(self.there.tokens.revoke_project("x"))
        self.successResultOf(self.there.projects.update("x", name="y"))

        def half(connection: Any) -> None:
            self.there.note(connection, "token", "t1")
            raise ZeroDivisionError

        self.failureResultOf(self.there.run(half), ZeroDivisionError)
        self.revoke("t2")
        self.clock.advance(INTERVAL)
        self.assertEqual((self.heard, self.lost), ([("token", "t2")], 0))

    def test_idle(self) -> None:
        """Looking costs two statements a second, BEGIN included."""
        before = self.here.statements
        self.clock.advance(INTERVAL)
        self.assertLessEqual(self.here.statements - before, 2)

    def test_memory(self) -> None:
        """A database in memory has no other users: nothing is written and nobody looks."""
        database = opened(self, clock=self.clock)
        self.started(database)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.projects.update("p1", name="new"))
        before = database.statements
        self.clock.advance(10 * INTERVAL)
        self.assertEqual(database.statements, before)

    def test_away_for_too_long(self) -> None:
        """Who missed changes that are not kept any more asks for everything anew, and goes on from there."""
        self.changes.stop()
        self.revoke()
        self.clock.advance(KEPT_FOR + 1)
        self.revoke("t2")
        self.successResultOf(self.changes.look())
        self.assertEqual((self.heard, self.lost), ([], 1))
        self.revoke()
        self.successResultOf(self.changes.look())
        self.assertEqual((self.heard, self.lost), ([("token", "t1")], 1))

    def test_many(self) -> None:
        """However many there are, they are read in portions and all of them at once."""
        self.patch(module, "BATCH", 3)
        for number in range(7):
            self.revoke(f"t{1 + number % 2}")
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.heard), 7)

    def test_away(self) -> None:
        """While the database is away nothing is lost; that it is away is told once."""
        self.successResultOf(self.here.run(lambda c: c.execute(text("ALTER TABLE changes RENAME TO gone"))))
        for _ in range(3):
            self.clock.advance(INTERVAL)
        self.successResultOf(self.here.run(lambda c: c.execute(text("ALTER TABLE gone RENAME TO changes"))))
        self.revoke()
        self.clock.advance(INTERVAL)
        self.assertEqual((self.heard, self.lost), ([("token", "t1")], 0))

    def test_woken_while_looking(self) -> None:
        """Who is woken while he looks, looks once more."""
        self.answer = Deferred()
        self.revoke()
        looking = self.changes.look()
        self.revoke("t2")
        self.successResultOf(self.changes.look())
        self.assertEqual(self.heard, [("token", "t1")])
        answer, self.answer = self.answer, None
        answer.callback(None)
        self.successResultOf(looking)
        self.assertEqual(self.heard, [("token", "t1"), ("token", "t2")])

    def test_cannot_be_made_effective(self) -> None:
        """A fault in what is told makes everything be asked anew, and does not end the looking."""
        self.answer = Deferred()
        self.answer.errback(ZeroDivisionError())
        self.revoke()
        self.clock.advance(INTERVAL)
        self.assertEqual((self.lost, len(self.flushLoggedErrors(ZeroDivisionError))), (1, 1))
        self.answer = None
        self.revoke("t2")
        self.clock.advance(INTERVAL)
        self.assertEqual(self.heard[-1], ("token", "t2"))

    def test_cannot_start(self) -> None:
        """A database that cannot be read cannot be followed."""
        self.successResultOf(self.here.close())
        self.failureResultOf(Changes(self.clock, self.here, self.hear, self.lose).start(), Unavailable)
