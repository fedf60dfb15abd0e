"""Tests for L{llmproxy.management.projects}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from llmproxy.errors import BadRequest, DuplicateName, NotFound, PreconditionFailed, Unprocessable
from llmproxy.management.projects import ProjectRules, ProjectUpdate
from llmproxy.management.tokens import TokenRequest, TokenRules
from llmproxy.message import Project

from ..store.databases import NOW
from ..tables import row
from .world import RulesTestCase, Served

KEY = "sk-upstream-canary-key-0002"


class UpdateTests(RulesTestCase):
    def test_changed(self) -> None:
        """An empty key is none; what takes keys away is a change."""
        table = (
            (ProjectUpdate(), []),
            (ProjectUpdate(name="a", api_key=KEY), ["name", "api_key"]),
            (ProjectUpdate(api_key="", api_keys={}), ["api_keys"]),
            (ProjectUpdate(is_active=False, revoke_tokens=True), ["is_active"]),
        )
        for update, names in table:
            self.assertEqual(update.changed, names, (update, names))
            self.assertNotIn("canary", repr(update))

    def test_refused(self) -> None:
        """Tokens are revoked with a project that is deactivated in the same call; that is said before the name is."""
        for update in (ProjectUpdate(revoke_tokens=True, name=" "), ProjectUpdate(is_active=True, revoke_tokens=True)):
            with row(update):
                raised = self.assertRaises(BadRequest, update.check)
            self.assertEqual(raised.message, "revoke_tokens requires is_active=false", update)
        for name in ("", " ", "\u202e"):
            with row(name):
                self.assertRaises(Unprocessable, ProjectUpdate(name=name).check)
        ProjectUpdate().check()


class ProjectRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = ProjectRules(self.state, Served())
        self.tokens = TokenRules(self.state)

    def stored(self, project_id: str) -> Project:
        found = self.successResultOf(self.database.projects.get(project_id))
        assert found is not None
        return found

    def secret(self) -> str:
        return self.done(self.tokens.issue(TokenRequest("p1", 60.0)))[1]

    def test_create(self) -> None:
        """The key that is given without an API is that of the default one; no keys are given as such."""
        table: tuple[tuple[str, dict[str, Any] | None, dict[str, tuple[str, ...]]], ...] = (
            (KEY, None, {"openai": (KEY,)}),
            ("", {}, {}),
            (KEY, {"gemini": ["a", "b"]}, {"openai": (KEY,), "gemini": ("a", "b")}),
        )
        for number, (api_key, api_keys, expected) in enumerate(table):
            made = self.done(self.rules.create(f"n{number}", api_key, api_keys))
            self.assertEqual(
                (made.api_keys, made.created_at, made.is_active), (expected, NOW, True), (number, api_key, api_keys)
            )
            self.assertEqual(self.stored(made.id), made, (number, api_key, api_keys))

    def test_create_refused(self) -> None:
        """What is missing is said first, then what is wrong; nothing is stored."""
        self.refused(BadRequest, "name and api_key are required", self.rules.create("", KEY))
        self.refused(BadRequest, "name and api_key are required", self.rules.create(" "))
        self.refused(Unprocessable, "invalid name", self.rules.create(" ", "sk****"))
        self.refused(Unprocessable, "unknown API", self.rules.create("n", "", {"opnai": KEY}))
        self.refused(Unprocessable, "unknown API", self.rules.create("n", "", {"opnai": None}))
        self.refused(DuplicateName, DuplicateName.message, self.rules.create("project p1", KEY))
        self.assertEqual(len(self.successResultOf(self.database.projects.list())), 2)

    def test_change(self) -> None:
        """What is given changes, in the store and for requests at once; keys for other APIs stay."""
        before, secret = self.stored("p1"), self.secret()
        self.principal(secret)
        update = ProjectUpdate(name="new", api_keys={"gemini": KEY})
        changed, counts = self.done(self.rules.change("p1", update, {1}))
        keys = {**before.api_keys, "gemini": (KEY,)}
        self.assertEqual((changed, counts), (evolve(before, name="new", api_keys=keys, version=2), None))
        self.assertEqual(self.principal(secret).project, changed)
        changed, _ = self.done(self.rules.change("p1", ProjectUpdate(api_keys={"openai": None})))
        self.assertEqual(changed.api_keys, {"gemini": (KEY,)})

    def test_keys_of_an_api_that_is_gone(self) -> None:
        """They can be taken away, and not be given anew."""
        self.rules = ProjectRules(self.state, Served(("gemini",), "gemini"))
        self.refused(Unprocessable, "unknown API", self.rules.change("p1", ProjectUpdate(api_keys={"openai": KEY})))
        changed, _ = self.done(self.rules.change("p1", ProjectUpdate(api_keys={"openai": None})))
        self.assertEqual(changed.api_keys, {})

    def test_change_refused(self) -> None:
        """What is wrong by itself comes first, then whether it is there, its keys, its version and its name."""
        before = self.stored("p1")
        wrong = ProjectUpdate(name="project p2", api_keys={"opnai": KEY})
        good = ProjectUpdate(name="project p2")
        self.refused(Unprocessable, "invalid name", self.rules.change("p0", ProjectUpdate(name=" ")))
        self.refused(NotFound, "project not found", self.rules.change("p0", wrong, {9}))
        self.refused(Unprocessable, "unknown API", self.rules.change("p1", wrong, {9}))
        self.refused(PreconditionFailed, "precondition failed", self.rules.change("p1", good, {9}))
        self.refused(DuplicateName, DuplicateName.message, self.rules.change("p1", good, {1}))
        self.assertEqual(self.stored("p1"), before)

    def test_two_changes_of_one_version(self) -> None:
        """Of two who saw the same version the second changes nothing."""
        both = [self.rules.change("p1", ProjectUpdate(name=name), {1}) for name in ("a", "b")]
        self.done(both[0])
        self.failureResultOf(Deferred.fromCoroutine(both[1]), PreconditionFailed)
        self.assertEqual(self.stored("p1").name, "a")

    def test_deactivate(self) -> None:
        """Requests that run are ended; the tokens are revoked where that is wanted, and again if it is repeated."""
        secret, ended = self.secret(), list[bool]()
        self.directory.watch(self.principal(secret), lambda: ended.append(True))
        update = ProjectUpdate(is_active=False, revoke_tokens=True)
        changed, counts = self.done(self.rules.change("p1", update))
        self.assertEqual((changed.is_active, counts, ended), (False, (1, 1), [True]))
        self.assertFalse(self.principal(secret).token.is_active)
        self.assertEqual(self.done(self.rules.change("p1", update))[1], (0, 1))

    def test_revoke_tokens(self) -> None:
        """All of a project's tokens end with what they run; the project stays as it is."""
        secret, ended = self.secret(), list[bool]()
        self.directory.watch(self.principal(secret), lambda: ended.append(True))
        for counts in ((1, 1), (0, 1)):
            self.assertEqual(self.done(self.rules.revoke_tokens("p1")), counts, counts)
        self.assertEqual((ended, self.stored("p1").version), ([True], 1))
        self.assertFalse(self.principal(secret).token.is_active)
        self.refused(NotFound, "project not found", self.rules.revoke_tokens("p0"))
