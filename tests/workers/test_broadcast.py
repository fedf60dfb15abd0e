"""Tests for L{llmproxy.workers.broadcast}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import Project, Token
from llmproxy.workers.broadcast import BroadcastingDirectory, ChangeApplier

TOKEN = Token("t-1", "00" * 32, "sk-…", "p-1", None)
PROJECT = Project("p-1", "one", {"openai": ("sk-key",)})


class Directory:
    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.running: tuple[set[str], set[str]] = (set(), set())

    def token_changed(self, token: Token) -> None:
        self.told.append(("token", token))

    def project_changed(self, project: Project) -> None:
        self.told.append(("project", project))

    def project_tokens_revoked(self, project_id: str) -> None:
        self.told.append(("tokens_of", project_id))

    def forget(self) -> None:
        self.told.append(("forget", None))

    def watched(self) -> tuple[set[str], set[str]]:
        return self.running


class AnnouncingTests(SynchronousTestCase):
    def test_tells_both(self) -> None:
        """A change is effective here before the others hear of it, and they hear no secret."""
        directory, announced = Directory(), []
        announcing = BroadcastingDirectory(
            directory, lambda what, which: announced.append((what, which, len(directory.told)))
        )
        announcing.token_changed(TOKEN)
        announcing.project_changed(PROJECT)
        announcing.project_tokens_revoked("p-1")
        self.assertEqual(directory.told, [("token", TOKEN), ("project", PROJECT), ("tokens_of", "p-1")])
        self.assertEqual(announced, [("token", "t-1", 1), ("project", "p-1", 2), ("tokens_of", "p-1", 3)])


class Proxy:
    """What is asked of a proxy, with a store that the test answers for."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer
        self.directory = Directory()
        self.settled: list[str] = []
        self.database = self.projects = self.tokens = self.quota = self

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
        proxy = Proxy(succeed(TOKEN))
        self.successResultOf(ChangeApplier(proxy).heard("token", "t-1"))
        self.assertEqual((proxy.directory.told, proxy.settled), ([("token", TOKEN)], ["t-1"]))

    def test_project(self) -> None:
        """So is a project."""
        proxy = Proxy(succeed(PROJECT))
        self.successResultOf(ChangeApplier(proxy).heard("project", "p-1"))
        self.assertEqual(proxy.directory.told, [("project", PROJECT)])

    def test_all_tokens(self) -> None:
        """The tokens of a project are revoked without asking anybody."""
        proxy = Proxy(Deferred())
        self.successResultOf(ChangeApplier(proxy).heard("tokens_of", "p-1"))
        self.assertEqual(proxy.directory.told, [("tokens_of", "p-1")])

    def test_gone_meanwhile(self) -> None:
        """What is not there any more changes nothing."""
        proxy = Proxy(succeed(None))
        self.successResultOf(ChangeApplier(proxy).heard("token", "t-1"))
        self.assertEqual((proxy.directory.told, proxy.settled), ([], []))

    def test_store_is_away(self) -> None:
        """A change that cannot be read makes everything that is warm be asked anew: nothing fails open."""
        proxy = Proxy(fail(OSError("away")))
        self.successResultOf(ChangeApplier(proxy).heard("token", "t-1"))
        self.assertEqual(proxy.directory.told, [("forget", None)])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_several(self) -> None:
        """Of several changes each row is read once, after all tokens of a project were revoked."""
        proxy = Proxy(succeed(TOKEN))
        heard = [("token", "t-1"), ("tokens_of", "p-1"), ("token", "t-1"), ("what comes later", "x")]
        self.successResultOf(ChangeApplier(proxy).heard_all(heard))
        self.assertEqual(proxy.directory.told, [("tokens_of", "p-1"), ("token", TOKEN)])

    def test_lost_track(self) -> None:
        """Who does not know what was changed forgets everything, and looks after what is running."""
        proxy = Proxy(succeed(TOKEN))
        proxy.directory.running = ({"t-1"}, set())
        self.successResultOf(Deferred.fromCoroutine(ChangeApplier(proxy).lost_track()))
        self.assertEqual(proxy.directory.told, [("forget", None), ("token", TOKEN)])
        self.assertEqual(proxy.settled, ["t-1", "everything"])
