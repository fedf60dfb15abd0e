"""Tests of the identity of a database."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.identity import identity_of

from .databases import opened


class IdentityTests(SynchronousTestCase):
    def test_of_a_file(self) -> None:
        """All who open the same database find the same id; another database has another one."""
        path = self.mktemp()
        found = [
            self.successResultOf(Deferred.fromCoroutine(identity_of(opened(self, each))))
            for each in (path, path, self.mktemp())
        ]
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], found[2])

    def test_at_once(self) -> None:
        """One that finds that another process was faster takes what that has made."""
        path = self.mktemp()
        mine, other = opened(self, path), opened(self, path)
        asked: list[Deferred[str]] = []

        class Overtaken:
            """Says once that there is none, while another process makes one."""

            run = mine.run

            def read(self, call: object) -> Deferred[str | None]:
                if not asked:
                    asked.append(Deferred.fromCoroutine(identity_of(other)))
                    nothing: Deferred[str | None] = Deferred()
                    nothing.callback(None)
                    return nothing
                return mine.read(call)  # type: ignore[arg-type]

        found = self.successResultOf(Deferred.fromCoroutine(identity_of(Overtaken())))  # type: ignore[arg-type]
        self.assertEqual(found, self.successResultOf(asked[0]))
