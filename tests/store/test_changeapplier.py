"""Tests for L{llmproxy.store.changeapplier}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.changeapplier import ChangeApplier

from ..workers.test_broadcast import PROJECT, TOKEN
from ..workers.test_broadcast import Directory as Told


class Directory(Told):
    def __init__(self) -> None:
        super().__init__()
        self.running: tuple[set[str], set[str]] = (set(), set())

    def forget(self) -> None:
        self.told.append(("forget", None))

    def watched(self) -> tuple[set[str], set[str]]:
        return self.running


class Stores:
    """Of tokens and projects, and of leases; the test answers for them."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer
        self.directory = Directory()
        self.settled: list[str] = []

    def applier(self) -> ChangeApplier:
        return ChangeApplier(self.directory, self, self, self)  # type: ignore[arg-type]

    def get(self, which: str) -> Deferred[Any]:
        return self.answer

    def settle(self, token_id: str) -> Deferred[None]:
        self.settled.append(token_id)
        return succeed(None)

    def settle_all(self) -> Deferred[None]:
        return self.settle("everything")


class HearingTests(SynchronousTestCase):
    def test_token(self) -> None:
        """A token that another worker changed is read anew, and what is leased of it goes back."""
        stores = Stores(succeed(TOKEN))
        self.successResultOf(stores.applier().heard("token", "t-1"))
        self.assertEqual((stores.directory.told, stores.settled), ([("token", TOKEN)], ["t-1"]))

    def test_person(self) -> None:
        """What a person had ends before anything is read: a token of theirs may be good again."""
        stores = Stores(succeed(TOKEN))
        self.successResultOf(stores.applier().heard_all([("token", "t-1"), ("person_out", "o-1")]))
        self.assertEqual(stores.directory.told, [("person_out", "o-1"), ("token", TOKEN)])

    def test_project(self) -> None:
        """So is a project."""
        stores = Stores(succeed(PROJECT))
        self.successResultOf(stores.applier().heard("project", "p-1"))
        self.assertEqual(stores.directory.told, [("project", PROJECT)])

    def test_all_tokens(self) -> None:
        """The tokens of a project are revoked without asking anybody."""
        stores = Stores(Deferred())
        self.successResultOf(stores.applier().heard("tokens_of", "p-1"))
        self.assertEqual(stores.directory.told, [("tokens_of", "p-1")])

    def test_gone_meanwhile(self) -> None:
        """What is not there any more changes nothing."""
        stores = Stores(succeed(None))
        self.successResultOf(stores.applier().heard("token", "t-1"))
        self.assertEqual((stores.directory.told, stores.settled), ([], []))

    def test_store_is_away(self) -> None:
        """A change that cannot be read makes everything that is warm be asked anew: nothing fails open."""
        stores = Stores(fail(OSError("away")))
        self.successResultOf(stores.applier().heard("token", "t-1"))
        self.assertEqual(stores.directory.told, [("forget", None)])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_several(self) -> None:
        """Of several changes each row is read once, after all tokens of a project were revoked."""
        stores = Stores(succeed(TOKEN))
        heard = [("token", "t-1"), ("tokens_of", "p-1"), ("token", "t-1"), ("what comes later", "x")]
        self.successResultOf(stores.applier().heard_all(heard))
        self.assertEqual(stores.directory.told, [("tokens_of", "p-1"), ("token", TOKEN)])

    def test_lost_track(self) -> None:
        """Who does not know what was changed forgets everything, and looks after what is running."""
        stores = Stores(succeed(TOKEN))
        stores.directory.running = ({"t-1"}, set())
        self.successResultOf(Deferred.fromCoroutine(stores.applier().lost_track()))
        self.assertEqual(stores.directory.told, [("forget", None), ("token", TOKEN)])
        self.assertEqual(stores.settled, ["t-1", "everything"])
